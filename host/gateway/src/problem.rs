use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use toolhost_policy::{ErrorCode, PublicError};

/// How long a caller waits before it tries a busy host again, in seconds. Slots turn over within a
/// call's CPU limit.
const RETRY_AFTER: &str = "1";

/// The media type of RFC 9457 section 6.1.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

#[derive(Serialize)]
struct ProblemDetails<'a> {
    // RFC 9457 section 4.2.1: the status says what kind of problem it is; `code` says which.
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: ErrorCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// An error as a problem document, with the status of its code.
pub(crate) fn problem(error: &PublicError) -> Response {
    let status =
        StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    problem_with(status, error)
}

/// An error as a problem document, where HTTP has a more exact status than the code.
pub(crate) fn problem_with(status: StatusCode, error: &PublicError) -> Response {
    let problem = ProblemDetails {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Client Closed Request"),
        status: status.as_u16(),
        detail: &error.message,
        code: error.code,
        param: error.param.as_deref(),
        retry_after: error.retry_after,
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if let Some(seconds) = error.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    } else if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    }
    response
}

/// The one answer for what is not there and what is somebody else's.
pub(crate) fn not_found() -> Response {
    problem(&PublicError::new(
        ErrorCode::NotFound,
        "there is nothing here for this caller",
    ))
}

/// The answer to a method that a route does not have; the router says in `Allow` which it has.
pub(crate) fn method_not_allowed() -> Response {
    let error = PublicError::new(
        ErrorCode::InvalidRequest,
        "this route does not take that method",
    );
    problem_with(StatusCode::METHOD_NOT_ALLOWED, &error)
}
