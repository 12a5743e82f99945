//! From an upstream's answer to a tool's result.

use serde::de::IgnoredAny;
use serde_json::json;
use toolhost_sdk::adapter::Answer;
use toolhost_sdk::{Code, Content, Failure, Response};

use crate::descriptor::OperationDescriptor;
use crate::media_type;
use crate::text::clean;

/// How much of a failed answer's body is passed on: enough to say what was wrong with the
/// arguments.
const MAX_ERROR_BODY: usize = 4 << 10;

/// What windows-1252 has from 0x80 to 0x9f, where ISO-8859-1 has control characters.
const WINDOWS_1252: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";

/// Turns an answer into a result: JSON as it is and as text, text as text, pictures and sound as
/// such, anything else as a resource. Header fields that carry a part of the answer follow as text.
///
/// # Errors
/// Any status but 2xx, with status and body in `detail`: `upstream-refused-credential` for 401 and
/// 403, `upstream-rate-limited` for 429, `upstream-unavailable` for 502 to 504, else `upstream`.
pub fn answer(
    descriptor: &OperationDescriptor,
    tool: &str,
    response: Response,
) -> Result<Answer, Failure> {
    if !response.is_success() {
        return Err(failure(&response));
    }
    let fields = headers::lines(&response);
    let mut answer = of_body(descriptor, tool, response);
    answer.content.extend(fields.map(Content::Text));
    Ok(answer)
}

fn of_body(descriptor: &OperationDescriptor, tool: &str, response: Response) -> Answer {
    let kind = kind_of(&response);
    let body = response.body;
    if body.is_empty() {
        let text = format!("done (status {})", response.status);
        return Answer {
            content: vec![Content::Text(text)],
            structured: None,
        };
    }
    let body = match text(&kind, body) {
        Ok(text) if media_type::is_json(&kind) || kind.is_empty() || descriptor.wrapped => {
            return json_or_text(descriptor, text);
        }
        Ok(text) if media_type::is_text(&kind) => {
            return Answer {
                content: vec![Content::Text(text)],
                structured: None,
            };
        }
        Ok(text) => text.into_bytes(),
        Err(bytes) => bytes,
    };
    let mime_type = if kind.is_empty() {
        "application/octet-stream".to_owned()
    } else {
        kind
    };
    let content = if mime_type.starts_with("image/") {
        Content::Image {
            data: body,
            mime_type,
        }
    } else if mime_type.starts_with("audio/") {
        Content::Audio {
            data: body,
            mime_type,
        }
    } else {
        Content::BlobResource {
            uri: format!("response:{tool}"),
            mime_type: Some(mime_type),
            data: body,
        }
    };
    Answer {
        content: vec![content],
        structured: None,
    }
}

fn kind_of(response: &Response) -> String {
    let kind = response
        .header("content-type")
        .and_then(media_type::essence);
    kind.unwrap_or_default()
}

/// The text of a body, or its bytes where it is none. The host has read it by its charset already.
/// What is not UTF-8 after that is UTF-8 with a fault in it, where other characters of it are
/// whole; else of a server that was written when a text was ISO-8859-1 unless it said otherwise
/// (RFC 2616 section 3.7.1), which has always meant windows-1252 (Encoding Standard, section 4.2).
fn text(kind: &str, body: Vec<u8>) -> Result<String, Vec<u8>> {
    String::from_utf8(body).or_else(|error| {
        let bytes = error.into_bytes();
        let is_text = media_type::is_text(kind) || media_type::is_json(kind);
        let is_control = |byte: &u8| *byte < b' ' && !byte.is_ascii_whitespace();
        if !is_text || bytes.iter().any(is_control) {
            return Err(bytes);
        }
        let lossy = String::from_utf8_lossy(&bytes);
        let is_whole = |char: char| !char.is_ascii() && char != char::REPLACEMENT_CHARACTER;
        match lossy.contains(is_whole) {
            true => Ok(lossy.into_owned()),
            false => Ok(bytes.into_iter().map(windows_1252).collect()),
        }
    })
}

fn windows_1252(byte: u8) -> char {
    let place = usize::from(byte).checked_sub(0x80);
    let own = place.and_then(|place| WINDOWS_1252.chars().nth(place));
    own.unwrap_or(char::from(byte))
}

/// The text goes through as it was sent: a number that JavaScript or Rust could not hold loses
/// nothing.
fn json_or_text(descriptor: &OperationDescriptor, text: String) -> Answer {
    // The host reads it once more, within its own bounds.
    let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok();
    let is_object = text.trim_start().starts_with('{');
    let structured = match (is_json, descriptor.wrapped) {
        (true, true) => Some(format!("{{\"result\":{text}}}")),
        (true, false) if is_object => Some(text.clone()),
        _ => None,
    };
    Answer {
        content: vec![Content::Text(text)],
        structured,
    }
}

fn failure(response: &Response) -> Failure {
    let status = response.status;
    let what = match status {
        401 => "refuses the connection's credential",
        403 => "does not allow this to the connection's credential",
        404 | 410 => "has no such thing",
        409 | 412 => "says that it conflicts with its present state",
        429 => "asks to wait before the next request",
        300..=399 => "points elsewhere, which is not followed",
        400..=499 => "does not accept the request",
        502..=504 => "is not available for now",
        _ => "failed",
    };
    let text = text(&kind_of(response), response.body.clone());
    let text = text.unwrap_or_else(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = clean(&text, MAX_ERROR_BODY);
    let mut message = format!("the system {what} (status {status})");
    if let Some(scope) = response.missing_scope() {
        message.push_str(&format!(", which lacks the scope {}", clean(scope, 200)));
    }
    if !text.is_empty() {
        message.push_str(": ");
        message.push_str(&clean(&text, 500));
    }
    let mut detail = json!({ "status": status, "body": text });
    if let (Some(seconds), Some(members)) = (response.retry_after(), detail.as_object_mut()) {
        members.insert("retry_after".to_owned(), seconds.into());
    }
    Failure::new(Code::of_status(status), message).with_detail(&detail)
}

mod headers;
#[cfg(test)]
mod tests;
