//! From bytes to one tree of values, within bounds, whatever the bytes are.
//!
//! A loose tree and not typed structs of OpenAPI: published documents break the specification in so
//! many small ways that a strict reader refuses the whole document for one of them, while here one
//! operation is lost at most.

mod anchors;
mod budget;
mod json;
mod moved;
mod swagger;
mod yaml;

use std::borrow::Cow;

use serde_json::Value;

use crate::problem::DocumentError;

/// A document as large as this has hundreds of thousands of operations; the largest public one has
/// a fifth of it.
pub const MAX_BYTES: usize = 64 << 20;

/// How deep values nest. The deepest public documents reach 40; every walk over the tree may
/// recurse this deep.
pub const MAX_DEPTH: usize = 128;

/// How many values a document holds, with those that an alias repeats. 78 MB of fully expanded
/// document hold three million; in WebAssembly one takes some 100 bytes.
pub const MAX_VALUES: usize = 4_000_000;

/// The methods of a path, as documents of both versions write them: those that the contract has.
pub(crate) const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

pub(crate) use swagger::is_swagger;

/// Reads JSON or YAML, by the first character. References by name are pointers then, and Swagger
/// 2.0 is OpenAPI 3.0 but for its member `swagger`.
///
/// # Errors
/// Too large, too deep, too many values, a key twice, or no JSON and no YAML.
pub fn read(bytes: &[u8]) -> Result<Value, DocumentError> {
    if bytes.len() > MAX_BYTES {
        return Err(DocumentError::TooLarge(MAX_BYTES));
    }
    let text = text_of(bytes)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut root = if text.trim_start().starts_with('{') {
        json::read(text)
    } else {
        yaml::read(text)
    }?;
    // Few documents have one, and looking for their places is a walk over all that there is.
    if anchors::KEYS.iter().any(|key| text.contains(key)) {
        anchors::resolve(&mut root);
    }
    swagger::convert(&mut root)?;
    Ok(root)
}

/// UTF-8, or UTF-16 with a byte order mark (YAML 1.2.2 section 5.2; a shell of Windows writes it to
/// files).
fn text_of(bytes: &[u8]) -> Result<Cow<'_, str>, DocumentError> {
    let of_units = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let pairs = rest.chunks(2).map(|pair| match pair {
            [first, second] => unit([*first, *second]),
            // Half a character, which is none.
            _ => 0xdfff,
        });
        char::decode_utf16(pairs)
            .collect::<Result<String, _>>()
            .map(Cow::Owned)
            .map_err(|_| DocumentError::NotText(0))
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => of_units(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => of_units(rest, u16::from_be_bytes),
        _ => std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(|error| DocumentError::NotText(error.valid_up_to())),
    }
}

#[cfg(test)]
mod tests;
