use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use serde_json::value::RawValue;
use toolhost_policy::{Connection, Secret, pointer_keys};
use url::form_urlencoded;

use super::attach::unusable_credential_error;
use crate::EgressFailure;

/// Every member but the one that is added keeps its very text.
type Object = BTreeMap<String, Box<RawValue>>;

/// Adds the secret to a JSON body or a form, at a place that must be free and whose parents must be
/// there.
pub(super) fn into_body(
    connection: &Connection,
    pointer: &str,
    secret: &Secret,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Bytes, EgressFailure> {
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim();
    let refuse = || {
        let text = format!(
            "connection {} needs a JSON object (application/json) or a form (application/x-www-form-urlencoded) as body, with room for its credential",
            connection.name
        );
        EgressFailure::invalid(text)
    };
    let text =
        std::str::from_utf8(secret.expose()).map_err(|_| unusable_credential_error(connection))?;
    let keys = pointer_keys(pointer).ok_or_else(|| unusable_credential_error(connection))?;
    if media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let [key] = keys.as_slice() else {
            return Err(refuse());
        };
        return into_form(key, text, body).ok_or_else(refuse);
    }
    if !media.eq_ignore_ascii_case("application/json") {
        return Err(refuse());
    }
    let secret =
        serde_json::value::to_raw_value(text).map_err(|_| unusable_credential_error(connection))?;
    let body: &RawValue = serde_json::from_slice(body).map_err(|_| refuse())?;
    let whole = insert(body, &keys, secret).ok_or_else(refuse)?;
    Ok(Bytes::copy_from_slice(whole.get().as_bytes()))
}

/// A form's pairs stay as they are; one more stands behind them.
fn into_form(key: &str, secret: &str, body: &[u8]) -> Option<Bytes> {
    if form_urlencoded::parse(body).any(|(known, _)| known == key) {
        return None;
    }
    let mut whole = std::str::from_utf8(body).ok()?.to_owned();
    if !whole.is_empty() {
        whole.push('&');
    }
    let pair: String = form_urlencoded::Serializer::new(String::new())
        .append_pair(key, secret)
        .finish();
    whole.push_str(&pair);
    Some(Bytes::from(whole))
}

/// The parents must be there and the place must not: nothing is made up and nothing overwritten.
fn insert(value: &RawValue, keys: &[String], secret: Box<RawValue>) -> Option<Box<RawValue>> {
    let (key, rest) = keys.split_first()?;
    let mut object: Object = serde_json::from_str(value.get()).ok()?;
    let inner = match (rest, object.get(key)) {
        ([], None) => secret,
        ([_, ..], Some(child)) => insert(child, rest, secret)?,
        _ => return None,
    };
    object.insert(key.clone(), inner);
    serde_json::value::to_raw_value(&object).ok()
}
