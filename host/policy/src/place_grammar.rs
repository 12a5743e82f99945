//! What a value may be in each place of a base.

/// The longest value of an attribute in a path, in bytes.
const MAX_SEGMENT: usize = 128;

/// The longest label of a host name, in bytes (RFC 1035 section 2.3.4).
const MAX_LABEL: usize = 63;

pub(crate) fn is_part_of_label(value: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !value.is_empty() && value.len() <= MAX_LABEL && value.bytes().all(fits)
}

/// A label as hosts have it. `--` in the third and fourth place is for names in another script (RFC
/// 5890 section 2.3.1), which nobody can tell apart by eye.
pub(crate) fn is_label(label: &str) -> bool {
    is_part_of_label(label)
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.get(2..4) != Some("--")
}

pub(crate) fn is_part_of_segment(value: &str) -> bool {
    value.len() <= MAX_SEGMENT && is_segment(value)
}

pub(crate) fn is_segment(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    !text.is_empty() && !text.starts_with('.') && text.bytes().all(fits)
}
