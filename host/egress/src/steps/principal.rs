use toolhost_identity::Binding;
use toolhost_policy::ConnectionGrant;

use crate::EgressFailure;

/// Whether this kind of caller may use the connection.
///
/// # Errors
/// `denied`: a machine on a connection for people, or the other way round.
pub fn principal(binding: &Binding, grant: &ConnectionGrant) -> Result<(), EgressFailure> {
    let kind = binding.principal().kind();
    if kind.fits(grant.principal) {
        return Ok(());
    }
    let name = &grant.connection.name;
    Err(EgressFailure::denied(format!(
        "connection {name} is not open to a {} caller (connections.{name}.principal)",
        kind.as_str()
    )))
}

#[cfg(test)]
mod tests {
    use toolhost_policy::PrincipalRule;

    use super::principal;
    use crate::EgressCode;
    use crate::testing::{binding, test_grant};

    #[test]
    fn a_person_on_a_connection_for_machines_is_refused() {
        let mut grant = test_grant("https://billing.example.com", |_| {});
        for (rule, fits) in [
            (PrincipalRule::User, true),
            (PrincipalRule::Any, true),
            (PrincipalRule::Machine, false),
        ] {
            grant.principal = rule;
            let result = principal(&binding("acme"), &grant);
            assert_eq!(result.is_ok(), fits, "{rule:?}");
            assert!(
                result
                    .err()
                    .is_none_or(|failure| failure.code == EgressCode::Denied)
            );
        }
    }
}
