use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use toolhost_net::OutboundResponse;
use zeroize::Zeroizing;

use crate::CredentialError;
use crate::provider_endpoint::status_error;

/// The answer of `GetSecretValue`. A member twice makes it no answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SecretValue {
    pub(super) name: Option<String>,
    pub(super) version_id: Option<String>,
    secret_string: Option<Zeroizing<String>>,
    /// In base64.
    secret_binary: Option<Zeroizing<String>>,
}

/// The error of AWS's JSON protocol: a code, which may have a namespace before `#` and a URL behind
/// `:`.
#[derive(Deserialize)]
struct AwsError {
    #[serde(rename = "__type")]
    code: String,
}

/// The body of the request for a secret.
pub(super) fn request_body(name: &str) -> Vec<u8> {
    serde_json::json!({ "SecretId": name })
        .to_string()
        .into_bytes()
}

impl SecretValue {
    /// Reads the answer. Only what says for certain that there is no such secret means that there
    /// is none.
    pub(super) fn from_answer(answer: &OutboundResponse) -> Result<Self, CredentialError> {
        if answer.status == 200 {
            return serde_json::from_slice(&answer.body)
                .map_err(|_| CredentialError::Unavailable("AWS Secrets Manager's answer is none"));
        }
        let error = serde_json::from_slice::<AwsError>(&answer.body).ok();
        let code = error.as_ref().map_or("", |error| &error.code);
        let code = code.rsplit('#').next().unwrap_or_default();
        let code = code.split(':').next().unwrap_or_default();
        match (answer.status, code) {
            // The second: it is marked for deletion.
            (400..=404, "ResourceNotFoundException" | "InvalidRequestException") => {
                Err(CredentialError::NotConnected)
            }
            (status, code) => {
                let code: String = code
                    .chars()
                    .filter(char::is_ascii_alphanumeric)
                    .take(64)
                    .collect();
                tracing::warn!(status, code, "AWS Secrets Manager refused");
                Err(status_error(answer, "AWS Secrets Manager refused the host"))
            }
        }
    }

    /// The value, if there is one and only one.
    pub(super) fn bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        match (&self.secret_string, &self.secret_binary) {
            (Some(text), None) => Some(Zeroizing::new(text.as_bytes().to_vec())),
            (None, Some(text)) => STANDARD.decode(text.as_bytes()).ok().map(Zeroizing::new),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;
    use toolhost_net::OutboundResponse;

    use super::SecretValue;
    use crate::CredentialError;

    fn read(status: u16, body: &str) -> Result<Option<Vec<u8>>, CredentialError> {
        let answer = OutboundResponse {
            status,
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        let value = SecretValue::from_answer(&answer)?;
        Ok(value.bytes().map(|bytes| bytes.to_vec()))
    }

    #[test]
    fn a_value_is_a_text_or_bytes_and_never_both() {
        assert_eq!(
            read(200, r#"{"SecretString": "x"}"#),
            Ok(Some(b"x".to_vec()))
        );
        assert_eq!(
            read(200, r#"{"SecretBinary": "eA=="}"#),
            Ok(Some(b"x".to_vec()))
        );
        for none in [
            "{}",
            r#"{"SecretBinary": "*"}"#,
            r#"{"SecretString": "x", "SecretBinary": "eA=="}"#,
        ] {
            assert_eq!(read(200, none), Ok(None), "{none}");
        }
        for bad in [
            "",
            "[]",
            r#"{"SecretString": "x", "SecretString": "y"}"#,
            r#"{"SecretString": 7}"#,
        ] {
            assert!(
                matches!(read(200, bad), Err(CredentialError::Unavailable(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn only_a_clear_word_means_that_there_is_no_secret() {
        let of =
            |status, code: &str| read(status, &format!(r#"{{"__type": "{code}"}}"#)).unwrap_err();
        for gone in [
            "ResourceNotFoundException",
            "com.amazonaws.secretsmanager#ResourceNotFoundException",
            "ResourceNotFoundException:http://internal.amazon.com/",
            "InvalidRequestException",
        ] {
            assert_eq!(of(400, gone), CredentialError::NotConnected, "{gone}");
        }
        for (status, code) in [
            (400, "AccessDeniedException"),
            (500, "ResourceNotFoundException"),
            (429, "ResourceNotFoundException"),
        ] {
            assert!(
                matches!(of(status, code), CredentialError::Unavailable(_)),
                "{code}"
            );
        }
        assert!(matches!(
            read(400, "no JSON"),
            Err(CredentialError::Unavailable(_))
        ));
    }
}
