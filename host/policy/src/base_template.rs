use url::Url;

use crate::place_grammar::{is_label, is_part_of_label, is_part_of_segment, is_segment};
use crate::{HeaderTemplate, TemplateError};

/// The longest host name, in bytes.
const MAX_HOST: usize = 253;

/// Labels at the end of a host name that no attribute has a part in: an attribute chooses a place
/// within the operator's domain, never the domain.
const FIXED_LABELS: usize = 2;

/// Why a base with places is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaseTemplateError {
    /// A place that is none.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Not a URL of the form that is taken.
    #[error("is not https://HOST[:PORT][/PATH], or its path has an empty, . or .. segment")]
    Form,
    /// A place where a name's owner would be chosen.
    #[error("must end its host with two labels without places, such as .example.com")]
    Domain,
}

/// Why a base could not be filled. The name is the attribute's; its value is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// The credential does not have it.
    #[error("the credential lacks the attribute {0}")]
    Missing(String),
    /// Its value would leave its place.
    #[error("the attribute {0} does not fit its place")]
    Value(String),
    /// The values together do not make a URL of the template's form.
    #[error("the attributes make no URL")]
    Url,
}

/// A base URL with places for credential attributes:
/// `https://{site}.example.com/accounts/{external_tenant_id}`.
///
/// A place in the host takes letters a to z, digits and `-`, within one label; one in the path
/// takes unreserved characters (RFC 3986 section 2.3), within one segment, and no `.` first.
/// Nothing that separates anything is among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseTemplate {
    scheme: &'static str,
    labels: Vec<HeaderTemplate>,
    port: Option<u16>,
    segments: Vec<HeaderTemplate>,
    sample: Url,
}

impl BaseTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// See [`BaseTemplateError`].
    pub fn parse(text: &str) -> Result<Self, BaseTemplateError> {
        let (scheme, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => ("https", rest),
            (_, Some(rest)) => ("http", rest),
            _ => return Err(BaseTemplateError::Form),
        };
        if rest.contains(['@', '?', '#', '\\', '%', '[', ' ']) {
            return Err(BaseTemplateError::Form);
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (
                host,
                Some(port.parse().map_err(|_| BaseTemplateError::Form)?),
            ),
            None => (authority, None),
        };
        let templates = |text: &str, between| -> Result<Vec<HeaderTemplate>, TemplateError> {
            text.split(between).map(HeaderTemplate::parse).collect()
        };
        let labels = templates(host, '.')?;
        let has_place = |template: &HeaderTemplate| template.attributes().next().is_some();
        let is_short = labels.len() <= FIXED_LABELS && labels.iter().any(has_place);
        // A host that ends in a number is an address, whatever stands before.
        let is_name = labels
            .last()
            .and_then(|label| label.fill(|_| None).ok())
            .is_some_and(|label| label.starts_with(|first: char| first.is_ascii_alphabetic()));
        let is_short = is_short || (labels.iter().any(has_place) && !is_name);
        if is_short || labels.iter().rev().take(FIXED_LABELS).any(has_place) {
            return Err(BaseTemplateError::Domain);
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments = match path {
            "" => Vec::new(),
            _ => templates(path, '/')?,
        };
        let mut template = Self {
            scheme,
            labels,
            port,
            segments,
            // Replaced before anybody sees it.
            sample: Url::parse("https://sample.invalid/").map_err(|_| BaseTemplateError::Form)?,
        };
        let sample = |name: &str| Some(sample_of(name));
        template.sample = template.fill(sample).map_err(|_| BaseTemplateError::Form)?;
        Ok(template)
    }

    /// What the template reads as where nobody's attributes are at hand: each place holds its
    /// attribute's own name, with `-` for `_`. Plugins meet this one, and no request goes there.
    #[must_use]
    pub fn sample(&self) -> &Url {
        &self.sample
    }

    /// The attributes it needs.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.labels
            .iter()
            .chain(&self.segments)
            .flat_map(HeaderTemplate::attributes)
    }

    /// Fills in the attributes.
    ///
    /// # Errors
    /// One is missing or does not fit its place.
    pub fn fill(&self, lookup: impl Fn(&str) -> Option<String>) -> Result<Url, FillError> {
        let fill = |template: &HeaderTemplate, fits: fn(&str) -> bool| {
            for name in template.attributes() {
                let value = lookup(name).ok_or_else(|| FillError::Missing(name.to_owned()))?;
                if !fits(&value) {
                    return Err(FillError::Value(name.to_owned()));
                }
            }
            template
                .fill(&lookup)
                .map_err(|name| FillError::Missing(name.to_owned()))
        };
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|label| fill(label, is_part_of_label))
            .collect::<Result<_, _>>()?;
        let segments: Vec<String> = self
            .segments
            .iter()
            .map(|segment| fill(segment, is_part_of_segment))
            .collect::<Result<_, _>>()?;
        let filled = self.labels.iter().zip(&labels);
        let is_label = |(template, label): (&HeaderTemplate, &String)| {
            template.attributes().next().is_none() || is_label(label)
        };
        let host = labels.join(".");
        let has_form = labels.iter().all(|label| !label.is_empty())
            && segments.iter().all(|segment| is_segment(segment))
            && host.len() <= MAX_HOST;
        if !filled.into_iter().all(is_label) || !has_form {
            return Err(FillError::Url);
        }
        let port = self
            .port
            .map_or_else(String::new, |port| format!(":{port}"));
        let text = format!("{}://{host}{port}/{}", self.scheme, segments.join("/"));
        let url = Url::parse(&text).map_err(|_| FillError::Url)?;
        if url.as_str() != text || !self.matches(&url) {
            return Err(FillError::Url);
        }
        Ok(url)
    }

    /// Whether a URL is one that this template can make, as if nothing had been checked before: its
    /// scheme and port, its labels and segments one by one, and those without a place to the
    /// letter.
    #[must_use]
    pub fn matches(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else {
            return false;
        };
        let labels: Vec<&str> = host.split('.').collect();
        let path = url.path().strip_prefix('/').unwrap_or_default();
        let segments: Vec<&str> = match path {
            "" => Vec::new(),
            _ => path.split('/').collect(),
        };
        let is_whole = url.scheme() == self.scheme
            && url.port()
                == self
                    .port
                    .filter(|port| Some(*port) != default_port(self.scheme))
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && labels.len() == self.labels.len()
            && segments.len() == self.segments.len();
        let literal = |template: &HeaderTemplate| {
            let is_literal = template.attributes().next().is_none();
            is_literal.then(|| template.fill(|_| None).ok()).flatten()
        };
        let fits = |template: &HeaderTemplate, text: &str, grammar: fn(&str) -> bool| match literal(
            template,
        ) {
            Some(literal) => literal == text,
            None => grammar(text),
        };
        is_whole
            && self
                .labels
                .iter()
                .zip(&labels)
                .all(|(template, text)| fits(template, text, is_label))
            && self
                .segments
                .iter()
                .zip(&segments)
                .all(|(template, text)| fits(template, text, is_segment))
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "https" => Some(443),
        _ => Some(80),
    }
}

fn sample_of(name: &str) -> String {
    let text = name.replace('_', "-");
    match text.trim_matches('-') {
        "" => "attribute".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{BaseTemplate, BaseTemplateError, FillError};

    fn fill(template: &str, value: &str) -> Result<String, FillError> {
        let template = BaseTemplate::parse(template).unwrap();
        let value = value.to_owned();
        template
            .fill(|_| Some(value.clone()))
            .map(|url| url.to_string())
    }

    #[test]
    fn a_label_and_a_segment_are_filled() {
        for (template, value, url) in [
            (
                "https://{site}.example.com",
                "eu-1",
                "https://eu-1.example.com/",
            ),
            (
                "https://{site}-api.eu.example.com/",
                "acme",
                "https://acme-api.eu.example.com/",
            ),
            (
                "https://a.{site}.example.com:8443/x",
                "acme",
                "https://a.acme.example.com:8443/x",
            ),
            (
                "https://api.example.com/t/{id}/v1",
                "A.b~c_d-1",
                "https://api.example.com/t/A.b~c_d-1/v1",
            ),
            (
                "http://127.0.0.1:81/{id}",
                "acme",
                "http://127.0.0.1:81/acme",
            ),
        ] {
            assert_eq!(fill(template, value).as_deref(), Ok(url), "{template}");
        }
        let template = BaseTemplate::parse("https://{site_id}.example.com/{account}").unwrap();
        assert_eq!(
            template.sample().as_str(),
            "https://site-id.example.com/account"
        );
        assert_eq!(
            template.attributes().collect::<Vec<_>>(),
            ["site_id", "account"]
        );
    }

    #[test]
    fn t45_no_value_of_a_host_leaves_its_label() {
        for value in [
            "",
            "evil.example",
            "evil.example/",
            "evil/",
            "evil#",
            "evil?",
            "evil:80",
            "user@evil",
            "evil\\",
            "a b",
            "%2e",
            "%2f",
            "EU",
            "ż",
            "xn--80ak6aa92e",
            "-a",
            "a-",
            "a\r\n",
            "a\0",
            "a_b",
            "..",
            ".",
            "[::1]",
            "a\t",
            "127.0.0.1",
            "a%00",
            "a,b",
            "a;b",
            "a&b",
            "a=b",
            "。",
        ] {
            let filled = fill("https://{site}.example.com", value);
            assert!(filled.is_err(), "{value:?} made {filled:?}");
        }
        assert!(fill("https://{site}.example.com", &"a".repeat(64)).is_err());
        assert!(fill("https://{a}-{b}.example.com", &"a".repeat(40)).is_err());
        assert!(fill("https://x{site}.example.com", "n--a").is_err());
    }

    #[test]
    fn t45_no_value_of_a_path_leaves_its_segment() {
        for value in [
            "", ".", "..", "...", ".hidden", "a/b", "a\\b", "a%2fb", "%2e%2e", "a?b", "a#b", "a;b",
            "a@b", "a:b", "a b", "ż", "a\r\nb", "a\0", "a&b", "a=b", "a+b", "a,b", "a//b",
            "a/../b",
        ] {
            let filled = fill("https://api.example.com/t/{id}/v1", value);
            assert!(filled.is_err(), "{value:?} made {filled:?}");
        }
        assert!(fill("https://api.example.com/{id}", &"a".repeat(129)).is_err());
    }

    #[test]
    fn a_template_cannot_choose_the_domain_or_hide_a_part() {
        for text in [
            "https://{site}",
            "https://{site}.com",
            "https://example.{tld}",
            "https://api.{domain}.com",
            "https://{a}.{b}.com",
            "https://{a}.254.169.254",
        ] {
            assert_eq!(
                BaseTemplate::parse(text),
                Err(BaseTemplateError::Domain),
                "{text}"
            );
        }
        for text in [
            "ftp://{site}.example.com",
            "{scheme}://a.example.com",
            "https://{u}@a.example.com",
            "https://a.example.com/?x={q}",
            "https://a.example.com/#{f}",
            "https://a.example.com:{port}",
            "https://a.example.com/../{x}",
            "https://a.example.com//{x}",
            "https://a.example.com/%2e/{x}",
            "https://A.example.com/{x}",
            "https://a..example.com/{x}",
            "https://",
        ] {
            assert_eq!(
                BaseTemplate::parse(text),
                Err(BaseTemplateError::Form),
                "{text}"
            );
        }
        assert!(matches!(
            BaseTemplate::parse("https://{Site}.example.com"),
            Err(BaseTemplateError::Template(_))
        ));
    }

    #[test]
    fn what_the_template_cannot_make_does_not_match() {
        let template = BaseTemplate::parse("https://{site}.example.com/t/{id}").unwrap();
        let matches = |url: &str| template.matches(&url.parse().unwrap());
        assert!(matches("https://eu.example.com/t/7"));
        for url in [
            "http://eu.example.com/t/7",
            "https://eu.example.org/t/7",
            "https://eu.evil.com/t/7",
            "https://a.eu.example.com/t/7",
            "https://example.com/t/7",
            "https://eu.example.com:8443/t/7",
            "https://eu.example.com/u/7",
            "https://eu.example.com/t/7/8",
            "https://eu.example.com/t",
            "https://eu.example.com/t/%2e",
            "https://u@eu.example.com/t/7",
            "https://eu.example.com/t/7?x",
            "https://eu.example.com/t/7#x",
        ] {
            assert!(!matches(url), "{url}");
        }
    }

    #[test]
    fn a_missing_attribute_is_named() {
        let template = BaseTemplate::parse("https://{site}.example.com").unwrap();
        assert_eq!(
            template.fill(|_| None),
            Err(FillError::Missing("site".to_owned()))
        );
    }
}
