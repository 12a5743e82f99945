use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};
use toolhost_identity::strict_object;
use zeroize::Zeroizing;

use super::origin::FetchedCredential;
use crate::CredentialError;
use crate::attributes::check_attributes;
use toolhost_policy::read_secret;

/// The most attributes of a credential, as in the vault.
const MAX_ATTRIBUTES: usize = 32;

/// The longest mark.
const MAX_MARK: usize = 128;

/// How a system writes a credential down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Grammar {
    /// A JSON object: `secret`, and where there are any `external_tenant_id`, `attributes` (an
    /// object of texts), `expires_at` (Unix seconds) and `version` (a text or a number). Any other
    /// member refuses it whole.
    #[default]
    Json,
    /// The text is the secret.
    Text,
}

impl Grammar {
    /// Reads what a system keeps.
    pub(crate) fn read(
        self,
        text: &[u8],
        fresh_for: Duration,
    ) -> Result<FetchedCredential, CredentialError> {
        match self {
            Self::Json => {
                let object = strict_object(text)
                    .map_err(|_| bad("it is not a JSON object with each member once"))?;
                parse_object(object, fresh_for)
            }
            Self::Text => Ok(FetchedCredential {
                secret: read_secret(text)
                    .map_err(|why| CredentialError::Unavailable(why.reason()))?,
                attributes: BTreeMap::new(),
                expires_at: None,
                mark: None,
                base: None,
                fresh_for: Some(fresh_for),
            }),
        }
    }
}

/// What an object of the grammar says.
///
/// # Errors
/// It is not one; nothing of it is used.
pub(crate) fn parse_object(
    mut object: Map<String, Value>,
    fresh_for: Duration,
) -> Result<FetchedCredential, CredentialError> {
    let Some(Value::String(secret)) = object.remove("secret") else {
        return Err(bad("the answer has no text `secret`"));
    };
    let secret = Zeroizing::new(secret);
    let secret =
        read_secret(secret.as_bytes()).map_err(|why| CredentialError::Unavailable(why.reason()))?;
    let mut attributes = match object.remove("attributes") {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(Value::Object(members)) => texts(members)?,
        Some(_) => return Err(bad("`attributes` of the answer is not an object")),
    };
    match object.remove("external_tenant_id") {
        None | Some(Value::Null) => {}
        Some(Value::String(id)) if !attributes.contains_key("external_tenant_id") => {
            attributes.insert("external_tenant_id".to_owned(), id);
        }
        Some(_) => {
            return Err(bad(
                "`external_tenant_id` of the answer is not a string, or is there twice",
            ));
        }
    }
    if attributes.len() > MAX_ATTRIBUTES || check_attributes(&attributes).is_err() {
        return Err(bad("an attribute of the answer is not taken"));
    }
    let expires_at = match object.remove("expires_at") {
        None | Some(Value::Null) => None,
        Some(end) => Some(
            whole_number(&end).ok_or(bad("`expires_at` of the answer is not in Unix seconds"))?,
        ),
    };
    let mark = match object.remove("version") {
        None | Some(Value::Null) => None,
        Some(Value::Number(number)) if number.is_u64() => Some(number.to_string()),
        Some(Value::String(text)) if !text.is_empty() && text.len() <= MAX_MARK => Some(text),
        Some(_) => {
            return Err(bad(
                "`version` of the answer is neither a short text nor a number",
            ));
        }
    };
    if !object.is_empty() {
        return Err(bad("the answer has a member that is none of a credential"));
    }
    Ok(FetchedCredential {
        secret,
        attributes,
        expires_at,
        mark,
        base: None,
        fresh_for: Some(fresh_for),
    })
}

/// A whole number, also as servers write it that know but one kind of number: 4102444800.0.
fn whole_number(value: &Value) -> Option<u64> {
    let written = || {
        value
            .as_f64()
            .filter(|number| number.fract() == 0.0 && (0.0..9e15).contains(number))
    };
    value
        .as_u64()
        .or_else(|| written().map(|number| number as u64))
}

fn texts(members: Map<String, Value>) -> Result<BTreeMap<String, String>, CredentialError> {
    let text = |(name, value)| match value {
        Value::String(text) => Ok((name, text)),
        _ => Err(bad("an attribute of the answer is not a string")),
    };
    members.into_iter().map(text).collect()
}

fn bad(why: &'static str) -> CredentialError {
    CredentialError::Unavailable(why)
}

#[cfg(test)]
mod tests {
    use super::super::FRESH_FOR;
    use super::Grammar;
    use crate::CredentialError;

    #[test]
    fn a_whole_answer_is_read() {
        let text = r#"{"secret": "tok_0123456789", "external_tenant_id": "acct-7", "attributes": {"site": "eu"},
            "expires_at": 4102444800, "version": 7}"#;
        let read = Grammar::Json.read(text.as_bytes(), FRESH_FOR).unwrap();
        assert_eq!(read.secret.expose(), b"tok_0123456789");
        assert_eq!(
            (
                read.attributes["external_tenant_id"].as_str(),
                read.attributes["site"].as_str()
            ),
            ("acct-7", "eu")
        );
        assert_eq!(
            (read.expires_at, read.mark.as_deref()),
            (Some(4_102_444_800), Some("7"))
        );
        let null = r#"{"secret": "tok_0123456789", "external_tenant_id": null, "attributes": null, "expires_at": 4102444800.0, "version": null}"#;
        let read = Grammar::Json
            .read(format!("\u{feff}{null}").as_bytes(), FRESH_FOR)
            .unwrap();
        assert_eq!((read.expires_at, read.mark), (Some(4_102_444_800), None));
        let read = Grammar::Text.read(b"tok_0123456789\n", FRESH_FOR).unwrap();
        assert_eq!(read.secret.expose(), b"tok_0123456789");
    }

    #[test]
    fn anything_else_is_no_credential_and_not_repeated() {
        for text in [
            "",
            "null",
            "[]",
            "\"tok_0123456789\"",
            "{}",
            r#"{"secret": null}"#,
            r#"{"secret": "short"}"#,
            r#"{"secret": "tok_0123456789\r\nx: y"}"#,
            r#"{"secret": "tok_0123456789", "secret": "tok_0123456789"}"#,
            r#"{"secret": "tok_0123456789", "tenant": "globex"}"#,
            r#"{"secret": "tok_0123456789", "error": null}"#,
            r#"{"secret": "tok_0123456789", "expires_at": "soon"}"#,
            r#"{"secret": "tok_0123456789", "expires_at": 1.5}"#,
            r#"{"secret": "tok_0123456789", "expires_at": -1}"#,
            r#"{"secret": "tok_0123456789", "version": {}}"#,
            r#"{"secret": "tok_0123456789", "version": ""}"#,
            r#"{"secret": "tok_0123456789", "attributes": []}"#,
            r#"{"secret": "tok_0123456789", "attributes": {"a": 1}}"#,
            r#"{"secret": "tok_0123456789", "attributes": {"A": "x"}}"#,
            r#"{"secret": "tok_0123456789", "attributes": {"a": "x\r\ny: z"}}"#,
            r#"{"secret": "tok_0123456789", "external_tenant_id": 7}"#,
            r#"{"secret": "tok_0123456789", "external_tenant_id": "a", "attributes": {"external_tenant_id": "b"}}"#,
            r#"{"secret": "tok_0123456789"} {}"#,
        ] {
            let refused = Grammar::Json.read(text.as_bytes(), FRESH_FOR).err();
            assert!(
                matches!(refused, Some(CredentialError::Unavailable(why)) if !why.contains("0123")),
                "{text}"
            );
        }
    }
}
