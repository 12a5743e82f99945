//! Header fields that carry a part of the answer: where the next page is, how many there are, where
//! what was made is.

use toolhost_sdk::Response;

use crate::text::clean;

/// What says nothing to a model: how the message was made, how fresh it is, whom it passed. What is
/// not here was let through by the host as part of an answer, or by the operator with
/// `response_headers`: also the version that `If-Match` names, the name of a file, and when to ask
/// again.
const ABOUT_THE_MESSAGE: &[&str] = &[
    "accept-ranges",
    "age",
    "allow",
    "cache-control",
    "content-language",
    "content-length",
    "content-type",
    "date",
    "expires",
    "last-modified",
    "mcp-session-id",
    "request-id",
    "vary",
    "www-authenticate",
    "x-correlation-id",
    "x-request-id",
];

/// Beginnings of such names.
const LIMITS: &[&str] = &["ratelimit", "x-ratelimit-", "x-rate-limit-"];

/// The longest value, in bytes: a `Link` with four relations.
const MAX_VALUE: usize = 2 << 10;

/// All of them together, in bytes.
const MAX_ALL: usize = 8 << 10;

/// One text with a line for each field; `None` where there is none.
pub(super) fn lines(response: &Response) -> Option<String> {
    let mut text = String::new();
    for (name, value) in &response.headers {
        let name = name.to_ascii_lowercase();
        let is_about = ABOUT_THE_MESSAGE.contains(&name.as_str())
            || LIMITS.iter().any(|start| name.starts_with(start));
        let line = format!("{name}: {}", clean(value, MAX_VALUE));
        if is_about || text.len() + line.len() >= MAX_ALL {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&line);
    }
    (!text.is_empty()).then_some(text)
}
