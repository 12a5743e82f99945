use toolhost_identity::{Operator, TenantSpace};

use super::error::VaultError;
use super::vault::SealedVault;
use crate::secret_comparison::SecretComparison;
use crate::{CredentialError, CredentialKey, CredentialProvider as _, SharedCredential};

impl SealedVault {
    /// The secrets that tenants share, and nothing of any.
    ///
    /// # Errors
    /// As [`SealedVault::list`].
    pub async fn find_shared(
        &self,
        spaces: &[TenantSpace],
        by: &Operator,
    ) -> Result<Vec<SharedCredential>, VaultError> {
        let mut compared = SecretComparison::default();
        for space in spaces {
            for info in self.list(space, by).await?.credentials {
                let key = CredentialKey {
                    space: space.clone(),
                    connection: info.connection,
                    user: info.user,
                };
                match self.get(&key).await {
                    Ok(credential) => {
                        compared.add(key.connection, space.tenant().clone(), &credential.secret);
                    }
                    // Gone or over since it was listed.
                    Err(CredentialError::NotConnected | CredentialError::Expired) => {}
                    Err(CredentialError::Unavailable(_) | CredentialError::RetryAfter(_)) => {
                        return Err(VaultError::Busy);
                    }
                }
            }
        }
        Ok(compared.into_shared())
    }
}
