use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use toolhost_policy::Connection;
use toolhost_vault::Credential;

use crate::scrub::{NeedleCache, NeedleCacheKey, Needles, ScrubState, scrub_value, scrub_whole};
use crate::{EgressCall, EgressCode, EgressFailure};

/// The needles of this credential on this connection, built where they are not at hand.
///
/// # Errors
/// `not-connected`: what could not be found again is not sent.
pub fn needles(
    cache: &NeedleCache,
    call: &EgressCall,
    connection: &Connection,
    credential: Option<&Credential>,
    attached: &[String],
) -> Result<Arc<Needles>, EgressFailure> {
    let secret = credential.map(|credential| &credential.secret);
    let secret =
        secret.filter(|_| !matches!(connection.auth, toolhost_policy::AuthPlacement::None));
    let version = credential.map_or(0, |credential| credential.version);
    let key = NeedleCacheKey::new(
        call.binding().tenant(),
        connection,
        version,
        secret,
        attached,
    );
    cache
        .get(&key, || Needles::build(secret, &connection.auth, attached))
        .map_err(|error| {
            tracing::debug!(connection = %connection.name, %error, "no needles");
            EgressFailure::new(
                EgressCode::NotConnected,
                format!("connection {} has no usable credential", connection.name),
            )
        })
}

/// Scrubs a whole body. `is_text`: what is found can be replaced. Returns it with the number of
/// reflections, which counts where the body is withheld, too.
///
/// # Errors
/// `reflected`.
pub fn scrub(needles: &Needles, is_text: bool, body: Bytes) -> (Result<Bytes, EgressFailure>, u64) {
    let (scrubbed, reflections) = scrub_whole(&needles.secret, body, is_text);
    (
        scrubbed.map_err(|_| reflected_error(reflections)),
        reflections,
    )
}

/// The failure that stands for a withheld body of which a part was scrubbed already.
pub(crate) fn withheld_error(state: &ScrubState) -> EgressFailure {
    reflected_error(state.reflections())
}

/// The failure that stands for a withheld response in which the credential was found so often.
fn reflected_error(reflections: u64) -> EgressFailure {
    let text = match reflections {
        0 => {
            "the response is encoded so often within itself that it cannot be searched for the connection's credential, so it was withheld"
        }
        _ => "the response held the connection's credential, so it was withheld",
    };
    EgressFailure::new(EgressCode::Reflected, text).after_sending()
}

/// Takes the secret and every attached value out of a failure's text. Our texts hold none; this is
/// for the day when one does.
pub(crate) fn error_text(needles: &Needles, mut failure: EgressFailure) -> EgressFailure {
    let scrubbed = scrub_value(needles, failure.message.as_bytes()).0;
    failure.message = scrubbed
        .and_then(|text| String::from_utf8(text.to_vec()).ok())
        .unwrap_or_else(|| "the request failed".to_owned());
    failure
}

/// Whether bytes can be replaced within a body without breaking what the rest means: one text in a
/// superset of ASCII. What has no type, two of them, or one that is not known here is no text.
pub(crate) fn is_text(headers: &HeaderMap) -> bool {
    let is_wide = |charset: &String| {
        ["utf-16", "utf-32", "ucs-2", "unicode"]
            .iter()
            .any(|wide| charset.contains(wide))
    };
    text_type(headers).is_some_and(|(_, charset)| !charset.as_ref().is_some_and(is_wide))
}

/// Media type and charset of a text, in lower case; `None` for anything else.
pub(super) fn text_type(headers: &HeaderMap) -> Option<(String, Option<String>)> {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return None;
    };
    let value = value.to_str().ok()?.to_ascii_lowercase();
    let mut parts = value.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let is_known = media.starts_with("text/")
        || media.ends_with("+json")
        || media.ends_with("+xml")
        || matches!(
            media,
            "application/json"
                | "application/xml"
                | "application/javascript"
                | "application/x-www-form-urlencoded"
                | "application/x-ndjson"
                | "application/ndjson"
                | "application/jsonl"
                | "application/yaml"
                | "application/x-yaml"
                | "application/toml"
                | "application/graphql"
        );
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        (name.trim() == "charset").then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    });
    is_known.then(|| (media.to_owned(), charset))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use toolhost_policy::{AuthPlacement, Secret};

    use super::{error_text, is_text, scrub};
    use crate::scrub::Needles;
    use crate::{EgressCode, EgressFailure};

    fn typed(media: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static(media),
        )])
    }

    fn needles() -> Needles {
        let secret = Secret::from("s3cr3t/t0ken+value==".to_owned());
        Needles::build(
            Some(&secret),
            &AuthPlacement::Bearer,
            &["acct-12345".to_owned(), "7".to_owned()],
        )
        .unwrap()
    }

    #[test]
    fn a_text_is_redacted_and_anything_else_withheld() {
        let body = || bytes::Bytes::from_static(br#"{"you_sent":"Bearer s3cr3t/t0ken+value=="}"#);
        let (scrubbed, count) = scrub(&needles(), is_text(&typed("application/json")), body());
        assert_eq!(
            (scrubbed.unwrap(), count),
            ((br#"{"you_sent":"Bearer [redacted]"}"#[..]).into(), 1)
        );
        for headers in [
            typed("application/octet-stream"),
            typed("image/png"),
            HeaderMap::new(),
            typed("text/plain; charset=UTF-16"),
        ] {
            let (scrubbed, count) = scrub(&needles(), is_text(&headers), body());
            assert_eq!(
                (scrubbed.unwrap_err().code, count),
                (EgressCode::Reflected, 1)
            );
        }
    }

    #[test]
    fn two_types_are_no_text() {
        let mut two = typed("text/plain");
        two.append(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("image/png"),
        );
        assert!(!is_text(&two) && is_text(&typed("application/problem+json; charset=utf-8")));
    }

    #[test]
    fn an_error_text_loses_secret_and_attached_values() {
        let failure = EgressFailure::denied("no s3cr3t/t0ken+value== for acct-12345");
        assert_eq!(
            error_text(&needles(), failure).message,
            "no [redacted] for [redacted]"
        );
        let failure = EgressFailure::denied("no s3cr3t /t0ken+va lue==");
        assert_eq!(
            error_text(&needles(), failure).message,
            "the request failed"
        );
    }
}
