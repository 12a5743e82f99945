use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use toolhost_net::Network;
use toolhost_oauth::{TokenAnswer, TokenForm};
use toolhost_policy::Secret;

use super::endpoint::{ClientSettings, TokenEndpoint, TokenFailure, fetched_credential};
use crate::cached_provider::{CachedProvider, FetchFailure, FetchedCredential, Origin};
use crate::provider_endpoint::{ProviderEndpoint, ProviderSettingsError};
use crate::sealed::FollowOutcome;
use crate::{Credential, CredentialError, CredentialKey, CredentialProvider, SealedVault};

/// How often a flight begins again because the stored refresh token is another one by now.
const MAX_ROUNDS: usize = 3;

/// Waits between the tries to store a rotated refresh token. The flight is nobody's call, so nobody
/// waits for longer than it has.
const STORE_AGAIN: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
];

/// Access tokens by refresh token (RFC 6749 section 6).
///
/// What the vault keeps of a tenant or a user is the refresh token. A server that answers with
/// another one has taken the old one back, so the new one is sealed before the access token that
/// came with it is used. Where that fails the access token is not used, and the new refresh token
/// is kept in memory until it can be stored.
#[derive(Debug, Clone)]
pub struct RefreshTokenSettings {
    /// The token endpoint.
    pub token: ProviderEndpoint,
    /// The host's client there.
    pub client: ClientSettings,
    /// `resource` (RFC 8707).
    pub resource: Vec<String>,
    /// Other hosts use the same store. A refresh token is then used by one of them at a time: a
    /// server that is shown one that was used already may take it for stolen, and end them all.
    pub among_hosts: bool,
}

/// [`RefreshTokenSettings`] at work.
pub type RefreshToken = CachedProvider<RefreshTokenOrigin>;

/// Where [`RefreshToken`] fetches what it keeps.
pub struct RefreshTokenOrigin {
    endpoint: TokenEndpoint,
    resource: Vec<String>,
    vault: SealedVault,
    among_hosts: bool,
    /// Rotated refresh tokens that could not be stored: which version each follows.
    unstored: Mutex<HashMap<CredentialKey, (u64, Arc<Secret>)>>,
}

impl CachedProvider<RefreshTokenOrigin> {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// The endpoint is not `https`, a secret cannot be read, or the client has none and needs one.
    pub fn new(
        settings: RefreshTokenSettings,
        network: Arc<Network>,
        vault: SealedVault,
    ) -> Result<Self, ProviderSettingsError> {
        let endpoint = TokenEndpoint::new(settings.token, settings.client, network)?;
        if endpoint.needs_secret() && !endpoint.has_secret() {
            return Err(ProviderSettingsError::Setting(
                "client_secret",
                "is missing",
            ));
        }
        Ok(Self::from_origin(RefreshTokenOrigin {
            endpoint,
            resource: settings.resource,
            vault,
            among_hosts: settings.among_hosts,
            unstored: Mutex::default(),
        }))
    }
}

impl RefreshTokenOrigin {
    fn lock_unstored(&self) -> MutexGuard<'_, HashMap<CredentialKey, (u64, Arc<Secret>)>> {
        self.unstored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a rotated refresh token in the place of the version that it follows; the version it
    /// has then. `None`: the stored one is another by now, and this one is nobody's.
    async fn store(
        &self,
        key: &CredentialKey,
        after: u64,
        secret: Arc<Secret>,
    ) -> Result<Option<u64>, CredentialError> {
        self.lock_unstored()
            .insert(key.clone(), (after, Arc::clone(&secret)));
        let mut waits = STORE_AGAIN.iter();
        loop {
            match self.vault.follow(key, after, &secret).await {
                Ok(followed) => {
                    self.lock_unstored().remove(key);
                    return Ok(match followed {
                        FollowOutcome::By(version) => Some(version),
                        FollowOutcome::Not => None,
                    });
                }
                Err(error) => {
                    tracing::error!(credential = %key, %error, "a rotated refresh token is not stored yet");
                    let Some(wait) = waits.next() else {
                        return Err(CredentialError::Unavailable(
                            "a rotated refresh token cannot be stored",
                        ));
                    };
                    tokio::time::sleep(*wait).await;
                }
            }
        }
    }

    /// Stores what an earlier flight could not.
    async fn store_pending(&self, key: &CredentialKey) -> Result<(), CredentialError> {
        let waiting = self.lock_unstored().get(key).cloned();
        if let Some((after, secret)) = waiting {
            self.store(key, after, secret).await?;
        }
        Ok(())
    }

    async fn ask(
        &self,
        key: &CredentialKey,
        base: &Credential,
    ) -> Result<TokenAnswer, TokenFailure> {
        let id = self.endpoint.client_id(Some(base));
        let id = id.ok_or(TokenFailure::unavailable(
            "the host's client has no client_id",
        ))?;
        let form = TokenForm::refresh_token(&base.secret)?.with_each("resource", &self.resource);
        self.endpoint.ask(key, id, None, form).await
    }

    /// Whether the stored refresh token is another than the one that was tried.
    async fn has_changed(&self, key: &CredentialKey, tried: u64) -> bool {
        self.vault.evict(key, tried);
        self.vault
            .get(key)
            .await
            .is_ok_and(|now| now.version != tried)
    }
}

#[async_trait]
impl Origin for RefreshTokenOrigin {
    async fn base(&self, key: &CredentialKey) -> Result<Option<Arc<Credential>>, CredentialError> {
        self.vault.get(key).await.map(Some)
    }

    async fn fetch(&self, key: &CredentialKey) -> Result<FetchedCredential, FetchFailure> {
        if !self.among_hosts {
            return self.renew(key).await;
        }
        let lease = self.vault.lease(key).await.map_err(|error| {
            tracing::warn!(credential = %key, %error, "a refresh token is another host's to use now");
            CredentialError::Unavailable("another host renews it")
        })?;
        // Whoever had the lease before may have stored another one, which may not have been heard
        // of yet.
        if let Ok(known) = self.vault.get(key).await {
            self.vault.evict(key, known.version);
        }
        let renewed = self.renew(key).await;
        // A token that was taken and could not be stored is this host's alone to store: another
        // would show the one before it, which is used up. It finds the lease over in its time.
        if !self.lock_unstored().contains_key(key) {
            lease.end().await;
        }
        renewed
    }
}

impl RefreshTokenOrigin {
    async fn renew(&self, key: &CredentialKey) -> Result<FetchedCredential, FetchFailure> {
        self.store_pending(key).await?;
        for _ in 0..MAX_ROUNDS {
            let base = self.vault.get(key).await?;
            let failed = |error| FetchFailure {
                base: Some(base.version),
                error,
            };
            let answer = match self.ask(key, &base).await {
                Ok(answer) => answer,
                // Another host may have used it up a moment ago and stored the next.
                Err(TokenFailure::Grant) if self.has_changed(key, base.version).await => continue,
                Err(failure) => return Err(failed(failure.for_call(false))),
            };
            // Before anything else can fail: the one that was shown may be used up.
            let version = match answer.refresh_token {
                Some(next) if next.expose() != base.secret.expose() => {
                    let stored = self.store(key, base.version, Arc::new(next)).await;
                    stored.map_err(failed)?
                }
                _ => Some(base.version),
            };
            // Somebody set or removed it meanwhile: what was made from the one before is not used.
            let Some(version) = version else { continue };
            // The next flight begins with the one that is stored by now.
            let access = answer.access.map_err(|failure| FetchFailure {
                base: Some(version),
                error: TokenFailure::from(failure).for_call(false),
            })?;
            return Ok(fetched_credential(access, &base, version));
        }
        Err(CredentialError::Unavailable("it is being changed").into())
    }
}

impl fmt::Debug for RefreshTokenOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RefreshToken").field(&self.endpoint).finish()
    }
}
