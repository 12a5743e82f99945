use std::sync::Arc;

use toolhost_identity::{IssuerRules, Principal, TokenError, Unverified, verify};

use crate::issuer_keys::IssuerKeys;
use crate::{AuthError, Clock, ConfigError, IssuerConfig, KeyFetch};

/// One issuer: what is believed of its tokens, and its keys.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) rules: IssuerRules,
    pub(crate) keys: Arc<IssuerKeys>,
    clock: Arc<dyn Clock>,
}

impl Issuer {
    pub(crate) fn new(
        config: IssuerConfig,
        fetch: Arc<dyn KeyFetch>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            rules: config.rules()?,
            keys: IssuerKeys::new(config, fetch, Arc::clone(&clock)),
            clock,
        })
    }

    /// Whom a token speaks for, and the generation of the keys that say so. An unknown `kid` is looked for once more,
    /// if its issuer may be asked.
    pub(crate) async fn verify(&self, token: &Unverified<'_>) -> Result<(Principal, u64), AuthError> {
        let mut loaded = self
            .keys
            .current()
            .await
            .map_err(|_| AuthError::KeysUnavailable)?;
        let mut result = verify(token, &self.rules, &loaded.keys, self.clock.unix());
        if result == Err(TokenError::UnknownKey)
            && let Some(newer) = self.keys.newer_than(loaded.generation).await
        {
            result = verify(token, &self.rules, &newer.keys, self.clock.unix());
            loaded = newer;
        }
        let principal = result.map_err(|error| self.refusal(error))?;
        Ok((principal, loaded.generation))
    }

    /// A token that is believed and lacks a scope is told which.
    pub(crate) fn refusal(&self, error: TokenError) -> AuthError {
        match error {
            TokenError::Scope => AuthError::InsufficientScope {
                scopes: self.rules.scopes.as_slice().into(),
            },
            error => error.into(),
        }
    }
}
