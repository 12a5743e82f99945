use std::time::Instant;

use toolhost_identity::Binding;
use toolhost_policy::{ConnectionName, Grant};

use crate::{Egress, steps};

/// Which credential each connection of a plugin has for a caller now: its version, or `None` where
/// there is none that may be used. Connections that need none are not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialVersions(pub Vec<(ConnectionName, Option<u64>)>);

impl Egress {
    /// The versions of the credentials that a call of this plugin would send. It is asked of the
    /// providers, so a credential that was rotated, revoked or has expired shows at once.
    pub async fn credential_versions(
        &self,
        binding: &Binding,
        grant: &Grant,
        deadline: Instant,
    ) -> CredentialVersions {
        let mut versions = Vec::with_capacity(grant.connections.len());
        for (name, granted) in &grant.connections {
            let connection = &*granted.connection;
            let provider = self.provider(connection);
            match steps::usable_credential(provider, binding, connection, deadline).await {
                Ok(None) => {}
                Ok(Some(credential)) => versions.push((name.clone(), Some(credential.version))),
                Err(reason) => {
                    tracing::debug!(connection = %name, reason, "no usable credential");
                    versions.push((name.clone(), None));
                }
            }
        }
        CredentialVersions(versions)
    }
}
