use toolhost_policy::{ConnectionGrant, ConnectionName};

use crate::failure::quoted;
use crate::{EgressCall, EgressFailure};

/// The connection that the plugin was granted under this name. One that the operator has and the plugin did not ask for
/// does not exist here, and reads the same as one that nobody has (T15).
///
/// # Errors
/// `denied`.
pub fn connection<'c>(call: &'c EgressCall, name: &str) -> Result<&'c ConnectionGrant, EgressFailure> {
    ConnectionName::parse(name)
        .ok()
        .and_then(|name| call.grant().connections.get(&name))
        .ok_or_else(|| {
            EgressFailure::denied(format!(
                "connection {} is not granted to this plugin",
                quoted(name)
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::connection;
    use crate::EgressCode;
    use crate::testing::{call, grant_of};

    #[test]
    fn only_a_granted_connection_exists() {
        let call = call(grant_of("billing", "https://billing.example.com", |_| {}));
        assert!(connection(&call, "billing").is_ok());
        for name in [
            "",
            "crm",
            "Billing",
            "billing ",
            "billing/../crm",
            "b\0",
            "https://billing.example.com",
        ] {
            assert_eq!(
                connection(&call, name).unwrap_err().code,
                EgressCode::Denied,
                "{name:?}"
            );
        }
    }
}
