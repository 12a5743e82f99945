use std::fmt;

use serde_json::{Map, Value};

/// The longest directory in an issuer's name; a GUID has 36 characters.
const MAX_DIRECTORY: usize = 64;

/// The name of an issuer: a text that `iss` must equal byte for byte, or a template with one
/// placeholder for one application that many directories of a provider use, such as
/// `https://login.microsoftonline.com/{tid}/v2.0`.
///
/// The placeholder is the name of a claim. What stands in its place in `iss` must be that claim of
/// the same token, byte for byte, so that no directory's token can be of another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IssuerName {
    text: String,
    template: Option<Template>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Template {
    before: String,
    claim: String,
    after: String,
}

/// A text is no name of an issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has braces that are not one placeholder {{claim}} that is a whole segment of the path")]
pub struct IssuerNameError;

impl IssuerName {
    /// Reads a name or a template.
    ///
    /// # Errors
    /// There are braces, and they are not one placeholder between two slashes, or a slash and the
    /// end.
    pub fn parse(text: &str) -> Result<Self, IssuerNameError> {
        if !text.contains(['{', '}']) {
            return Ok(Self {
                text: text.to_owned(),
                template: None,
            });
        }
        let (before, rest) = text.split_once('{').ok_or(IssuerNameError)?;
        let (claim, after) = rest.split_once('}').ok_or(IssuerNameError)?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        // Behind the host, so that nobody's host can be a directory.
        let is_in_path = before.ends_with('/') && before.splitn(4, '/').count() == 4;
        let is_whole = after.is_empty() || after.starts_with('/');
        if claim.is_empty()
            || !claim.chars().all(is_name)
            || !is_in_path
            || !is_whole
            || [before, after].iter().any(|part| part.contains(['{', '}']))
        {
            return Err(IssuerNameError);
        }
        Ok(Self {
            text: text.to_owned(),
            template: Some(Template {
                before: before.to_owned(),
                claim: claim.to_owned(),
                after: after.to_owned(),
            }),
        })
    }

    /// The name as it is in the configuration.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The claim that a template's directory must equal.
    #[must_use]
    pub fn claim(&self) -> Option<&str> {
        self.template
            .as_ref()
            .map(|template| template.claim.as_str())
    }

    /// Whether tokens with this `iss` may be of this issuer, whatever directory it has.
    #[must_use]
    pub fn covers(&self, iss: &str) -> bool {
        match &self.template {
            None => iss == self.text,
            Some(template) => template.directory(iss).is_some(),
        }
    }

    /// Whether `iss` is of this issuer, and of the directory that these claims are of.
    pub(crate) fn matches(&self, iss: &str, claims: &Map<String, Value>) -> bool {
        match &self.template {
            None => iss == self.text,
            Some(template) => template.directory(iss).is_some_and(|directory| {
                claims.get(&template.claim).and_then(Value::as_str) == Some(directory)
            }),
        }
    }
}

impl Template {
    fn directory<'a>(&self, iss: &'a str) -> Option<&'a str> {
        let directory = iss.strip_prefix(self.before.as_str())?;
        let directory = directory.strip_suffix(self.after.as_str())?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        ((1..=MAX_DIRECTORY).contains(&directory.len()) && directory.bytes().all(is_plain))
            .then_some(directory)
    }
}

impl fmt::Display for IssuerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::IssuerName;

    #[test]
    fn a_directory_is_one_segment_and_is_what_its_token_says() {
        let name = IssuerName::parse("https://login.example/{tid}/v2.0").unwrap();
        let claims = json!({"tid": "1111-a"});
        let claims = claims.as_object().unwrap();
        assert!(name.matches("https://login.example/1111-a/v2.0", claims));
        for other in [
            "https://login.example/2222-b/v2.0",
            "https://login.example//v2.0",
            "https://login.example/1111-a/v2.0/",
            "https://login.example/x/1111-a/v2.0",
            "https://login.example/1111-a/v1.0",
            "https://login.example/{tid}/v2.0",
            "https://evil.example/1111-a/v2.0",
        ] {
            assert!(!name.matches(other, claims), "{other}");
        }
        assert!(!name.matches("https://login.example/1111-a/v2.0", &serde_json::Map::new()));
        assert!(
            !name.covers("https://login.example/a%2Fb/v2.0")
                && !name.covers("https://login.example/../v2.0")
        );
    }

    #[test]
    fn a_template_has_one_placeholder_in_its_path() {
        for bad in [
            "https://{tid}.example/",
            "https://x.example/{tid}{b}",
            "https://x.example/a{tid}",
            "https://x.example/{tid}a",
            "https://x.example/{}",
            "https://x.example/}{",
            "https://{tid}/x",
            "https://x.example/{a}/{b}",
        ] {
            assert!(IssuerName::parse(bad).is_err(), "{bad}");
        }
        assert!(IssuerName::parse("https://x.example/{tid}").is_ok());
    }
}
