use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use toolhost_identity::{Operator, TenantId, TenantSpace};
use toolhost_policy::ConnectionName;
use zeroize::Zeroizing;

use super::error::VaultError;
use super::vault::SealedVault;
use crate::{CredentialError, CredentialKey, CredentialProvider as _};

/// One secret that several tenants have for one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedCredential {
    /// For which connection.
    pub connection: ConnectionName,
    /// Whose.
    pub tenants: BTreeSet<TenantId>,
}

impl SealedVault {
    /// The secrets that tenants share, and nothing of any: they are compared under a key that is made for this question and
    /// forgotten with it.
    ///
    /// # Errors
    /// As [`SealedVault::list`]; the machine gives no random numbers.
    pub async fn shared(
        &self,
        spaces: &[TenantSpace],
        by: &Operator,
    ) -> Result<Vec<SharedCredential>, VaultError> {
        let mut key = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *key).map_err(|_| VaultError::Busy)?;
        let mut owners: BTreeMap<(ConnectionName, [u8; 32]), BTreeSet<TenantId>> = BTreeMap::new();
        for space in spaces {
            for info in self.list(space, by).await?.credentials {
                let name = CredentialKey {
                    space: space.clone(),
                    connection: info.connection.clone(),
                    user: info.user,
                };
                let credential = match self.get(&name).await {
                    Ok(credential) => credential,
                    // Gone or over since it was listed.
                    Err(CredentialError::NotConnected | CredentialError::Expired) => continue,
                    Err(CredentialError::Unavailable(_)) => return Err(VaultError::Busy),
                };
                let digest = Sha256::new()
                    .chain_update(*key)
                    .chain_update(credential.secret.expose())
                    .finalize();
                let owner = owners.entry((info.connection, digest.into())).or_default();
                owner.insert(space.tenant().clone());
            }
        }
        let shared = owners.into_iter().filter(|(_, tenants)| tenants.len() > 1);
        let shared = shared.map(|((connection, _), tenants)| SharedCredential { connection, tenants });
        Ok(shared.collect())
    }
}
