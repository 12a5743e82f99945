use std::time::Instant;

use serde_json::{Map, Value};
use toolhost_policy::ConnectionName;

use crate::{Egress, EgressCall, EgressCode, EgressFailure, steps};

/// The longest value, in bytes: an account's number, not a document.
const MAX_VALUE: usize = 256;

impl Egress {
    /// The arguments that a connection provides for the call's tenant, filled from its credential's
    /// attributes. They say where a request goes, not what opens it: the secret is never among
    /// them.
    ///
    /// # Errors
    /// Those of a request to the connection: it was not granted, it is not for this kind of caller,
    /// or the tenant has no usable credential. A credential without the attribute, or with one that
    /// cannot stand in an argument, is none.
    pub async fn provided_arguments(
        &self,
        call: &EgressCall,
        connection: &ConnectionName,
    ) -> Result<Map<String, Value>, EgressFailure> {
        let grant = steps::connection_grant(call, connection)?;
        let connection = &*grant.connection;
        steps::principal(call.binding(), grant)?;
        if call.deadline() <= Instant::now() {
            return Err(EgressFailure::new(
                EgressCode::Timeout,
                "the call's time is over",
            ));
        }
        let credential = steps::lookup(self.provider(connection), call, connection).await?;
        let mut filled = Map::new();
        for (name, template) in &connection.provide {
            let value = template
                .fill(|attribute| credential.attributes.get(attribute).cloned())
                .map_err(|attribute| {
                    missing_attribute_error(connection.name.as_str(), attribute)
                })?;
            if !is_plain_identifier(&value) {
                return Err(missing_attribute_error(connection.name.as_str(), name));
            }
            filled.insert(name.clone(), Value::String(value));
        }
        Ok(filled)
    }
}

/// Unreserved characters of RFC 3986 section 2.3, `:` and `@`: what identifiers have, and nothing
/// that means something in a path or a query, should a plugin put it there by hand.
fn is_plain_identifier(value: &str) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'@')
    };
    (1..=MAX_VALUE).contains(&value.len())
        && value.bytes().all(allowed)
        && !matches!(value, "." | "..")
}

fn missing_attribute_error(connection: &str, what: &str) -> EgressFailure {
    EgressFailure::new(
        EgressCode::NotConnected,
        format!(
            "the credential of connection {connection} has no {what} that can stand in an argument"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::is_plain_identifier;

    #[test]
    fn what_is_provided_is_an_identifier_and_cannot_lead_anywhere_else() {
        for good in ["acct_7", "42", "urn:org:9", "a@b.example", "~x-1"] {
            assert!(is_plain_identifier(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "a%2fb",
            "a?b",
            "a&b=c",
            "a b",
            "a\"b",
            "a\r\nb",
            "{x}",
            "zażółć",
        ] {
            assert!(!is_plain_identifier(bad), "{bad:?}");
        }
        assert!(is_plain_identifier(&"x".repeat(256)) && !is_plain_identifier(&"x".repeat(257)));
    }
}
