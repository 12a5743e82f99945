//! Values that stand in a header field.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest name or argument that is repeated in a header field; the host takes 16 KiB.
const MAX_VALUE: usize = 8 << 10;

/// A text as a field's value: as it is where that is possible, else in the spelling that MCP has
/// for it.
pub(crate) fn value(text: &str) -> Option<String> {
    let plain = !text.is_empty()
        && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && !text.starts_with("=?base64?");
    let value = if plain {
        text.to_owned()
    } else {
        format!("=?base64?{}?=", STANDARD.encode(text))
    };
    (value.len() <= MAX_VALUE).then_some(value)
}

/// Whether a text can be the end of a field's name.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Whether a session's name can be sent back (visible ASCII, as the protocol has it), and be kept.
pub(crate) fn is_session(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1_024 && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::{is_name, is_session, value};

    #[test]
    fn what_a_field_cannot_hold_is_spelled_in_base64() {
        assert_eq!(value("a b").as_deref(), Some("a b"));
        assert_eq!(
            value("é\r\nx: y").as_deref(),
            Some("=?base64?w6kNCng6IHk=?=")
        );
        assert_eq!(value(" a").as_deref(), Some("=?base64?IGE=?="));
        assert_eq!(
            value("=?base64?YQ==?=").as_deref(),
            Some("=?base64?PT9iYXNlNjQ/WVE9PT89?=")
        );
        assert_eq!(value(&"x".repeat(9_000)), None);
        assert!(is_name("Region-1") && !is_name("a b") && !is_name("") && !is_name("a:"));
        assert!(is_session("0e9f-1") && !is_session("a b") && !is_session("é"));
    }
}
