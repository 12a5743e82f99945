use serde_json::{Map, Value};
use toolhost_identity::strict_object;
use toolhost_policy::Secret;
use zeroize::Zeroizing;

use crate::fetched::Fetched;
use crate::secret_text::read_secret;
use crate::{Credential, CredentialError};

/// A token whose life the server does not say is renewed after this many seconds.
const UNSAID_LIFE: u64 = 300;

/// The longest life that is believed, in seconds: what is said to last longer is renewed anyway.
const MAX_LIFE: u64 = 30 * 86_400;

/// What a token endpoint gave.
pub(crate) struct Tokens {
    pub(crate) access_token: Secret,
    /// In Unix seconds, by this machine's clock and from before the request was sent: no clocks are compared.
    pub(crate) expires_at: u64,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) issued_token_type: Option<String>,
}

impl Tokens {
    /// The access token as what is sent, with the attributes of the stored credential that it was made from.
    pub(crate) fn into_fetched(self, base: &Credential, version: u64) -> Fetched {
        Fetched {
            secret: self.access_token,
            attributes: base.attributes.clone(),
            expires_at: Some(self.expires_at),
            mark: None,
            base: Some(version),
            fresh_for: None,
        }
    }
}

/// Why it gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenFailure {
    /// `invalid_grant`: what was shown is not good, or no longer.
    Grant,
    /// `invalid_client`, `unauthorized_client`: the client is not known, or may not.
    Client,
    /// Anything else.
    Unavailable(&'static str),
}

impl From<CredentialError> for TokenFailure {
    fn from(error: CredentialError) -> Self {
        Self::Unavailable(match error {
            CredentialError::Unavailable(why) => why,
            CredentialError::NotConnected | CredentialError::Expired => "the token endpoint did not answer",
        })
    }
}

/// Reads a success (RFC 6749 section 5.1). `asked_at`: Unix seconds before the request was sent.
pub(crate) fn tokens(body: &[u8], asked_at: u64) -> Result<Tokens, TokenFailure> {
    let bad = TokenFailure::Unavailable;
    let mut object = strict_object(body).map_err(|_| bad("the token endpoint's answer is no JSON object"))?;
    // Another kind is shown in another way, or to one holder alone.
    let is_bearer = object
        .get("token_type")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
    if !is_bearer {
        return Err(bad("the token endpoint gave no bearer token"));
    }
    let life = match object.get("expires_in") {
        None => UNSAID_LIFE,
        Some(Value::Number(seconds)) => seconds
            .as_u64()
            .ok_or(bad("`expires_in` is not a number of seconds"))?,
        // Some servers write it as a text.
        Some(Value::String(seconds)) => seconds
            .parse()
            .map_err(|_| bad("`expires_in` is not a number of seconds"))?,
        Some(_) => return Err(bad("`expires_in` is not a number of seconds")),
    };
    if life == 0 {
        return Err(bad("the token has ended already"));
    }
    let access_token = secret(&mut object, "access_token")?
        .ok_or(bad("the token endpoint gave no `access_token` that can be sent"))?;
    Ok(Tokens {
        access_token,
        expires_at: asked_at.saturating_add(life.min(MAX_LIFE)),
        refresh_token: secret(&mut object, "refresh_token")?,
        issued_token_type: object
            .get("issued_token_type")
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}

/// Reads an error (RFC 6749 section 5.2). Only its `error` counts; the rest is the server's words.
pub(crate) fn failure(status: u16, body: &[u8]) -> TokenFailure {
    let object = (400..=403)
        .contains(&status)
        .then(|| strict_object(body).ok())
        .flatten();
    let code = object
        .as_ref()
        .and_then(|object| object.get("error"))
        .and_then(Value::as_str);
    match code {
        Some("invalid_grant") => TokenFailure::Grant,
        Some("invalid_client" | "unauthorized_client") => TokenFailure::Client,
        _ => {
            tracing::warn!(status, "a token endpoint gave no token");
            TokenFailure::Unavailable("the token endpoint gave no token")
        }
    }
}

fn secret(object: &mut Map<String, Value>, name: &str) -> Result<Option<Secret>, TokenFailure> {
    match object.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => {
            let text = Zeroizing::new(text);
            let read = read_secret(text.as_bytes());
            let read = read.map_err(|why| TokenFailure::Unavailable(why.reason()))?;
            Ok(Some(read))
        }
        Some(_) => Err(TokenFailure::Unavailable("a token of the answer is no text")),
    }
}

#[cfg(test)]
mod tests {
    use super::{TokenFailure, failure, tokens};

    #[test]
    fn a_bearer_token_is_taken_with_its_end_by_our_own_clock() {
        let text = br#"{"access_token": "at_0123456789", "token_type": "Bearer", "expires_in": 60, "refresh_token": "rt_0123456789"}"#;
        let read = tokens(text, 1_000).unwrap();
        assert_eq!(
            (read.access_token.expose(), read.expires_at),
            (&b"at_0123456789"[..], 1_060)
        );
        assert_eq!(read.refresh_token.unwrap().expose(), b"rt_0123456789");
        let unsaid = br#"{"access_token": "at_0123456789", "token_type": "bearer"}"#;
        assert_eq!(tokens(unsaid, 1_000).unwrap().expires_at, 1_300);
        let endless = br#"{"access_token": "at_0123456789", "token_type": "bearer", "expires_in": 18446744073709551615}"#;
        assert_eq!(tokens(endless, 1_000).unwrap().expires_at, 1_000 + 30 * 86_400);
    }

    #[test]
    fn another_kind_or_form_of_token_is_none() {
        for text in [
            r#"{"access_token": "at_0123456789"}"#,
            r#"{"access_token": "at_0123456789", "token_type": "DPoP"}"#,
            r#"{"access_token": "at_0123456789", "token_type": "N_A"}"#,
            r#"{"access_token": "at_0123456789\r\nx: y", "token_type": "Bearer"}"#,
            r#"{"access_token": 7, "token_type": "Bearer"}"#,
            r#"{"access_token": "at", "token_type": "Bearer"}"#,
            r#"{"token_type": "Bearer"}"#,
            r#"{"access_token": "at_0123456789", "token_type": "Bearer", "expires_in": -1}"#,
            r#"{"access_token": "at_0123456789", "token_type": "Bearer", "expires_in": 0}"#,
            r#"{"access_token": "at_0123456789", "token_type": "Bearer", "expires_in": "x"}"#,
            r#"{"access_token": "at_0123456789", "token_type": "Bearer", "refresh_token": {}}"#,
            r#"{"access_token": "at_0123456789", "access_token": "at_9876543210", "token_type": "Bearer"}"#,
            "access_token=at_0123456789&token_type=bearer",
        ] {
            assert!(
                matches!(tokens(text.as_bytes(), 0), Err(TokenFailure::Unavailable(_))),
                "{text}"
            );
        }
    }

    #[test]
    fn only_a_clear_no_means_that_the_grant_is_gone() {
        assert_eq!(
            failure(400, br#"{"error": "invalid_grant"}"#),
            TokenFailure::Grant
        );
        assert_eq!(
            failure(401, br#"{"error": "invalid_client"}"#),
            TokenFailure::Client
        );
        for (status, text) in [
            (400, r#"{"error": "invalid_request"}"#),
            (400, r#"{"error": "temporarily_unavailable"}"#),
            (500, r#"{"error": "invalid_grant"}"#),
            (302, r#"{"error": "invalid_grant"}"#),
            (400, "invalid_grant"),
            (400, r#"{"error": "invalid_grant", "error": "x"}"#),
        ] {
            assert!(
                matches!(failure(status, text.as_bytes()), TokenFailure::Unavailable(_)),
                "{status} {text}"
            );
        }
    }
}
