use serde::Deserialize;
use serde_json::Value;
use toolhost_identity::without_bom;
use toolhost_policy::{Secret, read_secret};
use zeroize::Zeroizing;

/// A token whose life the server does not say, or says in no way that is understood, is renewed
/// after this many seconds.
const UNSAID_LIFE: u64 = 300;

/// The longest life that is believed, in seconds: what is said to last longer is renewed anyway.
const MAX_LIFE: u64 = 30 * 86_400;

/// Kinds of tokens that are shown with a proof, or are none to be shown: DPoP (RFC 9449), MAC,
/// proof of possession, and `N_A` of RFC 8693. Whatever else servers write (`bot`, `BearerToken`,
/// nothing at all) is sent as a bearer by all their clients.
const NOT_BEARER: [&str; 6] = ["dpop", "mac", "pop", "hawk", "oauth1", "n_a"];

/// The members that count. One of them twice makes the answer nobody's, since two readers could
/// each believe another one; whatever stands beside them, however it is written, costs no token and
/// is not read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenMembers {
    access_token: Option<Value>,
    refresh_token: Option<Value>,
    token_type: Option<Value>,
    expires_in: Option<Value>,
    issued_token_type: Option<Value>,
    error: Option<Value>,
}

impl TokenMembers {
    fn read(body: &[u8]) -> Option<Self> {
        let text = without_bom(body).trim_ascii_start();
        // Serde would take a list for the members in their order.
        if !text.starts_with(b"{") {
            return None;
        }
        serde_json::from_slice(text).ok()
    }

    fn error(&self) -> Option<&str> {
        self.error.as_ref()?.as_str()
    }
}

/// The answer of a token endpoint. What was rotated is read apart from the rest: it must be stored
/// whatever is wrong with the access token.
#[derive(Debug)]
pub struct TokenAnswer {
    /// Another one than the server was shown, where it gave one that can be kept.
    pub refresh_token: Option<Secret>,
    /// The access token.
    pub access: Result<AccessToken, TokenRefusal>,
}

/// An access token that can be sent.
#[derive(Debug)]
pub struct AccessToken {
    /// The token.
    pub secret: Secret,
    /// In Unix seconds, by this machine's clock and from before the request was sent: no clocks are
    /// compared.
    pub expires_at: u64,
    /// `issued_token_type` (RFC 8693 section 2.2.1).
    pub issued_token_type: Option<String>,
}

/// Why a token endpoint gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRefusal {
    /// `invalid_grant`: the token or code that was presented is not valid, or no longer.
    Grant,
    /// `invalid_client`, `unauthorized_client`: the client is unknown, or may not.
    Client,
    /// Anything else, with the reason: it does not say that the grant is gone.
    Unclear(&'static str),
}

/// Reads a success (RFC 6749 section 5.1) as leniently as nothing is at stake. `asked_at`: Unix
/// seconds before the request was sent.
///
/// # Errors
/// It is not a JSON object, or says an error under the status of a success, as some servers do.
pub fn read_token_answer(body: &[u8], asked_at: u64) -> Result<TokenAnswer, TokenRefusal> {
    let bad = TokenRefusal::Unclear;
    let mut members =
        TokenMembers::read(body).ok_or(bad("the token endpoint's answer is not a JSON object"))?;
    let refresh_token = secret(members.refresh_token.take()).unwrap_or_else(|why| {
        // The one that is stored may be used up; there is nothing to put in its place.
        tracing::warn!(why, "a refresh token of a token endpoint cannot be kept");
        None
    });
    if refresh_token.is_none()
        && members.access_token.is_none()
        && let Some(code) = members.error()
    {
        return Err(failure_of(Some(code)));
    }
    Ok(TokenAnswer {
        refresh_token,
        access: access(members, asked_at),
    })
}

fn access(members: TokenMembers, asked_at: u64) -> Result<AccessToken, TokenRefusal> {
    let bad = TokenRefusal::Unclear;
    let kind = members.token_type.as_ref().and_then(Value::as_str);
    let kind = kind.unwrap_or_default().trim().to_ascii_lowercase();
    if NOT_BEARER.iter().any(|other| kind == *other) {
        return Err(bad("the token endpoint gave no bearer token"));
    }
    let token = secret(members.access_token).map_err(bad)?;
    let life = members
        .expires_in
        .as_ref()
        .and_then(parse_lifetime)
        .unwrap_or(UNSAID_LIFE);
    Ok(AccessToken {
        secret: token.ok_or(bad(
            "the token endpoint gave no `access_token` that can be sent",
        ))?,
        expires_at: asked_at.saturating_add(life.min(MAX_LIFE)),
        issued_token_type: members
            .issued_token_type
            .as_ref()
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}

/// A number of seconds, as a number or a text. `None` of what is none, and of 0 and less: servers
/// write those for a token that does not end.
fn parse_lifetime(said: &Value) -> Option<u64> {
    let seconds = match said {
        Value::Number(seconds) => seconds.as_f64()?,
        Value::String(seconds) => seconds.trim().parse().ok()?,
        _ => return None,
    };
    // What is larger than can be written is the largest.
    (seconds >= 1.0).then_some(seconds as u64)
}

/// Reads an error (RFC 6749 section 5.2). Only its `error` counts; the rest is the server's words.
/// `None`: it is no clear word about the grant or the client.
#[must_use]
pub fn refusal_of_error(status: u16, body: &[u8]) -> Option<TokenRefusal> {
    let members = (400..=403)
        .contains(&status)
        .then(|| TokenMembers::read(body))
        .flatten();
    match failure_of(members.as_ref().and_then(TokenMembers::error)) {
        TokenRefusal::Unclear(_) => {
            tracing::warn!(status, "a token endpoint gave no token");
            None
        }
        clear => Some(clear),
    }
}

/// The codes of RFC 6749, and those that large providers write in their place.
fn failure_of(code: Option<&str>) -> TokenRefusal {
    match code {
        Some(
            "invalid_grant"
            | "bad_refresh_token"
            | "invalid_refresh_token"
            | "token_revoked"
            | "token_expired"
            | "bad_verification_code",
        ) => TokenRefusal::Grant,
        Some(
            "invalid_client"
            | "unauthorized_client"
            | "incorrect_client_credentials"
            | "bad_client_secret",
        ) => TokenRefusal::Client,
        _ => TokenRefusal::Unclear("the token endpoint gave no token"),
    }
}

/// The text of a token. None, null and an empty one are none (RFC 6749 section 6: the old refresh
/// token stays).
fn secret(token: Option<Value>) -> Result<Option<Secret>, &'static str> {
    match token {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => {
            let text = Zeroizing::new(text);
            read_secret(text.as_bytes())
                .map(Some)
                .map_err(|why| why.reason())
        }
        Some(_) => Err("a token of the answer is not a string"),
    }
}

#[cfg(test)]
mod tests {
    use super::{TokenRefusal, read_token_answer as tokens, refusal_of_error};

    /// The end of an access token, from 1,000 on.
    fn end(members: &str) -> u64 {
        let text = format!(r#"{{"access_token": "at_0123456789"{members}}}"#);
        let access = tokens(text.as_bytes(), 1_000).unwrap().access;
        let access = access.unwrap_or_else(|why| panic!("{text}: {why:?}"));
        assert_eq!(access.secret.expose(), b"at_0123456789");
        access.expires_at
    }

    #[test]
    fn a_good_access_token_is_taken_however_its_answer_is_written() {
        for (members, lasts) in [
            (
                r#", "token_type": "Bearer", "expires_in": 60, "refresh_token": "rt_0123456789""#,
                60,
            ),
            (r#", "token_type": "bearer""#, 300),
            (r#", "expires_in": 60"#, 60),
            (
                r#", "token_type": null, "expires_in": null, "scope": null"#,
                300,
            ),
            (r#", "token_type": "bot", "expires_in": "3600""#, 3_600),
            (
                r#", "token_type": "BearerToken", "expires_in": " 3599.0 ""#,
                3_599,
            ),
            (r#", "token_type": " Bearer ", "expires_in": 3599.0"#, 3_599),
            (r#", "token_type": 7, "expires_in": 3599.9"#, 3_599),
            (r#", "expires_in": 0"#, 300),
            (r#", "expires_in": -1"#, 300),
            (r#", "expires_in": "soon""#, 300),
            (r#", "expires_in": {"seconds": 60}"#, 300),
            (r#", "expires_in": 1e300"#, 30 * 86_400),
            (r#", "expires_in": 18446744073709551615"#, 30 * 86_400),
            (
                r#", "refresh_token": null, "id_token": "x.y.z", "refresh_token_expires_in": 5, "x": {"y": []}"#,
                300,
            ),
            (r#", "refresh_token": "", "error": null"#, 300),
            // What is not looked at may be as it likes.
            (
                r#", "scope": "a", "scope": "b", "name": "\ud800", "n": 1e999"#,
                300,
            ),
            (
                concat!(r#", "x": "#, "[[[[[[[[[[[[[[[[[[[[", "]]]]]]]]]]]]]]]]]]]]"),
                300,
            ),
            (r#", "refresh_token": {}"#, 300),
        ] {
            assert_eq!(end(members), 1_000 + lasts, "{members}");
        }
        let with_bom = "\u{feff}{\"access_token\": \"at_0123456789\"}".as_bytes();
        assert!(tokens(with_bom, 0).unwrap().access.is_ok());
    }

    #[test]
    fn a_rotated_refresh_token_is_read_whatever_is_wrong_with_the_rest() {
        for members in [
            "",
            r#", "access_token": null"#,
            r#", "access_token": 7"#,
            r#", "access_token": "at_0123456789\r\nx: y""#,
            r#", "access_token": "at_0123456789", "token_type": "DPoP""#,
            r#", "error": "server_error""#,
            r#", "access_token": 7, "scope": "a", "scope": "b""#,
        ] {
            let text = format!(r#"{{"refresh_token": "rt_0123456789"{members}}}"#);
            let read = tokens(text.as_bytes(), 0).unwrap();
            assert_eq!(
                read.refresh_token.unwrap().expose(),
                b"rt_0123456789",
                "{members}"
            );
            assert!(read.access.is_err(), "{members}");
        }
        for nothing in ["", r#", "refresh_token": null"#, r#", "refresh_token": """#] {
            let text = format!(r#"{{"access_token": "at_0123456789"{nothing}}}"#);
            assert!(tokens(text.as_bytes(), 0).unwrap().refresh_token.is_none());
        }
    }

    #[test]
    fn another_kind_or_form_of_token_is_none() {
        for text in [
            r#"{"access_token": "at_0123456789", "token_type": "DPoP"}"#,
            r#"{"access_token": "at_0123456789", "token_type": "N_A"}"#,
            r#"{"access_token": "at_0123456789", "token_type": "mac"}"#,
            r#"{"access_token": "at_0123456789\r\nx: y", "token_type": "Bearer"}"#,
            r#"{"access_token": 7, "token_type": "Bearer"}"#,
            r#"{"access_token": "at", "token_type": "Bearer"}"#,
            r#"{"token_type": "Bearer"}"#,
            r#"{"access_token": "at_0123456789", "access_token": "at_9876543210", "token_type": "Bearer"}"#,
            "access_token=at_0123456789&token_type=bearer",
            r#"["at_0123456789"]"#,
            r#"[{"access_token": "at_0123456789"}]"#,
            "<html>",
        ] {
            let read = tokens(text.as_bytes(), 0).and_then(|read| read.access.map(drop));
            assert!(matches!(read, Err(TokenRefusal::Unclear(_))), "{text}");
        }
    }

    #[test]
    fn only_a_clear_no_means_that_the_grant_is_gone() {
        let refusal = |status, text: &str| refusal_of_error(status, text.as_bytes());
        assert_eq!(
            refusal(400, r#"{"error": "invalid_grant"}"#),
            Some(TokenRefusal::Grant)
        );
        assert_eq!(
            refusal(401, r#"{"error": "invalid_client"}"#),
            Some(TokenRefusal::Client)
        );
        for (status, text) in [
            (400, r#"{"error": "invalid_request"}"#),
            (400, r#"{"error": "temporarily_unavailable"}"#),
            (429, r#"{"error": "invalid_grant"}"#),
            (500, r#"{"error": "invalid_grant"}"#),
            (302, r#"{"error": "invalid_grant"}"#),
            (400, "invalid_grant"),
            (400, r#"{"error": "invalid_grant", "error": "x"}"#),
        ] {
            assert_eq!(refusal(status, text), None, "{status} {text}");
        }
        // Some say it with the status of a success.
        let said = tokens(br#"{"error": "bad_refresh_token"}"#, 0);
        assert_eq!(said.err(), Some(TokenRefusal::Grant));
    }
}
