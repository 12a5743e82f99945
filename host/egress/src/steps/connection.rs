use toolhost_policy::{ConnectionGrant, ConnectionName};

use crate::failure::quote;
use crate::{EgressCall, EgressFailure};

/// The connection that the plugin was granted under this name. One that the operator has and the
/// plugin did not ask for does not exist here, and reads the same as one that nobody has (T15).
///
/// An adapter serves the one connection that the operator set it on, and names none.
///
/// # Errors
/// `denied`.
pub fn connection<'c>(
    call: &'c EgressCall,
    name: &str,
) -> Result<&'c ConnectionGrant, EgressFailure> {
    if let Some(own) = call.adapter() {
        return match name {
            "" => connection_grant(call, own),
            other => Err(EgressFailure::denied(format!(
                "an adapter names no connection, and this one names {}",
                quote(other)
            ))),
        };
    }
    let unknown = || not_granted_error(name);
    connection_grant(call, &ConnectionName::parse(name).map_err(|_| unknown())?)
}

/// The grant of a connection whose name the host itself knows.
///
/// # Errors
/// `denied`.
pub(crate) fn connection_grant<'c>(
    call: &'c EgressCall,
    name: &ConnectionName,
) -> Result<&'c ConnectionGrant, EgressFailure> {
    let granted = call.grant().connections.get(name);
    granted.ok_or_else(|| not_granted_error(name.as_str()))
}

fn not_granted_error(name: &str) -> EgressFailure {
    EgressFailure::denied(format!(
        "connection {} is not granted to this plugin",
        quote(name)
    ))
}

#[cfg(test)]
mod tests {
    use toolhost_policy::ConnectionName;

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

    #[test]
    fn an_adapter_names_no_connection_not_even_its_own() {
        let name = ConnectionName::parse("billing").unwrap();
        let call =
            call(grant_of("billing", "https://billing.example.com", |_| {})).of_adapter(name, None);
        assert!(connection(&call, "").is_ok());
        for name in ["billing", "crm", " ", "\0"] {
            assert_eq!(
                connection(&call, name).unwrap_err().code,
                EgressCode::Denied,
                "{name:?}"
            );
        }
    }
}
