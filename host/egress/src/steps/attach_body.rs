use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use serde_json::value::RawValue;
use toolhost_policy::{Connection, Secret};

use super::attach::unusable;
use crate::EgressFailure;

/// A JSON Pointer deeper than this is a mistake.
const MAX_POINTER: usize = 16;

/// Every member but the one that is added keeps its very text.
type Object = BTreeMap<String, Box<RawValue>>;

/// Adds the secret to a JSON body, at a place that must be free and whose parents must be there.
pub(super) fn into_body(
    connection: &Connection,
    pointer: &str,
    secret: &Secret,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Bytes, EgressFailure> {
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"));
    let refuse = || {
        let text = format!(
            "connection {} needs a JSON object as body (application/json) with room for its credential",
            connection.name
        );
        EgressFailure::invalid(text)
    };
    let text = std::str::from_utf8(secret.expose()).map_err(|_| unusable(connection))?;
    let keys = pointer_keys(pointer).ok_or_else(|| unusable(connection))?;
    if !is_json {
        return Err(refuse());
    }
    let secret = serde_json::value::to_raw_value(text).map_err(|_| unusable(connection))?;
    let body: &RawValue = serde_json::from_slice(body).map_err(|_| refuse())?;
    let whole = insert(body, &keys, secret).ok_or_else(refuse)?;
    Ok(Bytes::copy_from_slice(whole.get().as_bytes()))
}

/// The keys of a JSON Pointer (RFC 6901), none of them empty.
pub(crate) fn pointer_keys(pointer: &str) -> Option<Vec<String>> {
    let keys: Vec<String> = pointer
        .strip_prefix('/')?
        .split('/')
        .map(|key| key.replace("~1", "/").replace("~0", "~"))
        .collect();
    (keys.len() <= MAX_POINTER && keys.iter().all(|key| !key.is_empty())).then_some(keys)
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
