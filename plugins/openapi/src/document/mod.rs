//! From bytes to one tree of values, within bounds, whatever the bytes are.
//!
//! A loose tree and not typed structs of OpenAPI: published documents break the specification in so many small ways that a
//! strict reader refuses the whole document for one of them, while here one operation is lost at most.

mod budget;
mod json;
mod yaml;

use serde_json::Value;

use crate::problem::DocumentError;

/// A document as large as this has hundreds of thousands of operations; the largest public one has a fifth of it.
pub const MAX_BYTES: usize = 64 << 20;

/// How deep values nest. The deepest public documents reach 40; every walk over the tree may recurse this deep.
pub const MAX_DEPTH: usize = 128;

/// How many values a document holds, with those that an alias repeats. 78 MB of fully expanded document hold three
/// million; in WebAssembly one takes some 100 bytes.
pub const MAX_VALUES: usize = 4_000_000;

/// Reads JSON or YAML, by the first character.
///
/// # Errors
/// Too large, too deep, too many values, a key twice, or no JSON and no YAML.
pub fn read(bytes: &[u8]) -> Result<Value, DocumentError> {
    if bytes.len() > MAX_BYTES {
        return Err(DocumentError::TooLarge(MAX_BYTES));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| DocumentError::NotText(error.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        json::read(text)
    } else {
        yaml::read(text)
    }
}

#[cfg(test)]
mod tests;
