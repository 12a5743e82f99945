use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use toolhost_policy::Connection;
use toolhost_vault::Credential;

use crate::scrub::{CacheKey, NeedleCache, Needles, scrub_value, scrub_whole};
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
    let secret = secret.filter(|_| !matches!(connection.auth, toolhost_policy::AuthPlacement::None));
    let version = credential.map_or(0, |credential| credential.version);
    let key = CacheKey::new(call.binding().tenant(), connection, version, secret, attached);
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

/// Scrubs a whole body. Returns it with the number of reflections, which counts where the body is withheld, too.
///
/// # Errors
/// `reflected`.
pub fn scrub(needles: &Needles, headers: &HeaderMap, body: Bytes) -> (Result<Bytes, EgressFailure>, u64) {
    let (scrubbed, reflections) = scrub_whole(&needles.secret, body, is_text(headers));
    (scrubbed.map_err(|_| reflected()), reflections)
}

/// The failure that stands for a withheld response.
pub(crate) fn reflected() -> EgressFailure {
    let text = "the response held the connection's credential, so it was withheld";
    EgressFailure::new(EgressCode::Reflected, text).after_sending()
}

/// Takes the secret and every attached value out of a failure's text. Our texts hold none; this is for the day when one
/// does.
pub(crate) fn error_text(needles: &Needles, mut failure: EgressFailure) -> EgressFailure {
    let scrubbed = scrub_value(needles, failure.message.as_bytes()).0;
    failure.message = scrubbed
        .and_then(|text| String::from_utf8(text.to_vec()).ok())
        .unwrap_or_else(|| "the request failed".to_owned());
    failure
}

/// Whether bytes can be replaced within a body without breaking what the rest means: one text in a superset of ASCII.
/// What has no type, two of them, or one that is not known here is no text.
pub(crate) fn is_text(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return false;
    };
    let Ok(value) = value.to_str() else { return false };
    let value = value.to_ascii_lowercase();
    let media = value.split(';').next().unwrap_or_default().trim();
    let is_wide = value.contains("utf-16") || value.contains("utf-32") || value.contains("ucs-2");
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
    is_known && !is_wide
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use toolhost_policy::{AuthPlacement, Secret};

    use super::{error_text, is_text, scrub};
    use crate::scrub::Needles;
    use crate::{EgressCode, EgressFailure};

    fn typed(media: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(http::header::CONTENT_TYPE, http::HeaderValue::from_static(media))])
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
        let (scrubbed, count) = scrub(&needles(), &typed("application/json"), body());
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
            let (scrubbed, count) = scrub(&needles(), &headers, body());
            assert_eq!((scrubbed.unwrap_err().code, count), (EgressCode::Reflected, 1));
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
        assert_eq!(error_text(&needles(), failure).message, "the request failed");
    }
}
