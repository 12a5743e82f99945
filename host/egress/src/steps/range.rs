use http::{HeaderMap, StatusCode};
use toolhost_policy::{Connection, Method, OperationRule, base_prefix};
use url::Url;

use crate::{EgressCode, EgressFailure};

/// The fields by which a part of an answer is asked for (RFC 9110 section 14), and those of storage
/// services that mean the same.
const ASKING: &[&str] = &[
    "range",
    "if-range",
    "request-range",
    "x-ms-range",
    "x-goog-range",
    "x-amz-range",
];

/// Whether the operator says it of the operation of a final URL.
pub fn is_ruled(
    rules: &[OperationRule],
    connection: &Connection,
    method: Method,
    url: &Url,
) -> bool {
    let below = url.path().strip_prefix(base_prefix(&connection.base));
    below.is_some_and(|path| rules.iter().any(|rule| rule.covers(method, path)))
}

/// Refuses to ask for a part of an answer: what an answer mirrors could be collected in parts that
/// are too short to be noticed.
///
/// # Errors
/// `denied`.
pub fn range(
    connection: &Connection,
    is_ruled: bool,
    headers: &HeaderMap,
) -> Result<(), EgressFailure> {
    match ASKING.iter().find(|name| headers.contains_key(**name)) {
        Some(name) if !is_ruled => Err(EgressFailure::denied(format!(
            "header {name} asks for a part of an answer, which needs a rule in connections.{}.ranges",
            connection.name
        ))),
        _ => Ok(()),
    }
}

/// Refuses an answer that is a part of one, where no range may be asked for.
///
/// # Errors
/// `upstream`.
pub fn partial_answer(
    connection: &Connection,
    is_ruled: bool,
    status: StatusCode,
) -> Result<(), EgressFailure> {
    if status != StatusCode::PARTIAL_CONTENT || is_ruled {
        return Ok(());
    }
    let text = format!(
        "connection {name} answered with a part (206), which needs a rule in connections.{name}.ranges",
        name = connection.name
    );
    Err(EgressFailure::new(EgressCode::Upstream, text).after_sending())
}
