use std::collections::BTreeMap;

/// The longest name of an attribute.
const MAX_NAME_BYTES: usize = 63;

/// The longest value of an attribute: it becomes part of one header field.
const MAX_VALUE_BYTES: usize = 1_024;

/// Why an attribute is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// The name is outside the grammar.
    #[error("attribute {0:?} is not 1 to 63 of a-z, 0-9 and _")]
    Name(String),
    /// The value cannot stand in a header field.
    #[error("the value of attribute {0} is not 1 to 1024 visible ASCII characters")]
    Value(String),
}

/// Whether all of them can stand in a header template.
pub(crate) fn check_attributes(
    attributes: &BTreeMap<String, String>,
) -> Result<(), AttributeError> {
    for (name, value) in attributes {
        let named = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(named) {
            // A hostile text is not repeated whole.
            return Err(AttributeError::Name(
                name.chars().take(MAX_NAME_BYTES).collect(),
            ));
        }
        if value.is_empty()
            || value.len() > MAX_VALUE_BYTES
            || !value.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(AttributeError::Value(name.clone()));
        }
    }
    Ok(())
}
