use std::sync::Arc;

use toolhost_identity::{IssuerRules, Principal, TokenError, UnverifiedToken, verify};

use crate::issuer_keys::{IssuerKeys, IssuerKeysError, KeyLookup, id_of};
use crate::{AuthError, Clock, IssuerConfig, IssuerConfigError, KeyFetch};

/// Whether the issuer may have published the key since its set was fetched.
fn another_key_may_fit(error: TokenError, token: &UnverifiedToken<'_>) -> bool {
    match error {
        TokenError::UnknownKey | TokenError::KeyLeftOut => true,
        // An issuer that names no keys changes the one it has.
        TokenError::Signature => matches!(token.key_id(), Ok(None)),
        _ => false,
    }
}

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
    ) -> Result<Self, IssuerConfigError> {
        Ok(Self {
            rules: config.rules()?,
            keys: IssuerKeys::new(config, fetch, Arc::clone(&clock)),
            clock,
        })
    }

    /// Whom a token speaks for, and the generation of the keys that say so. An unknown `kid` is
    /// looked for once more, if its issuer may be asked. `hash` is the token's.
    pub(crate) async fn verify(
        &self,
        token: &UnverifiedToken<'_>,
        hash: [u8; 32],
    ) -> Result<(Principal, u64), AuthError> {
        let mut loaded = self.keys.current().await.map_err(|error| match error {
            IssuerKeysError::NotFetched => AuthError::KeysUnavailable,
            IssuerKeysError::Unusable => AuthError::KeysUnusable,
        })?;
        let mut result = verify(token, &self.rules, &loaded.keys, self.clock.unix());
        if let Err(error) = &result
            && another_key_may_fit(*error, token)
        {
            // Keys without names are told apart by what they have signed: a stranger's token must
            // not speak for all.
            let sought = token.key_id()?.map_or(hash, id_of);
            match self.keys.look_for(sought, loaded.generation).await {
                KeyLookup::Newer(newer) => {
                    result = verify(token, &self.rules, &newer.keys, self.clock.unix());
                    loaded = newer;
                }
                KeyLookup::Absent => {}
                // Whether the token is good is not known, and a 401 would make its client throw it
                // away.
                KeyLookup::NotKnown => return Err(AuthError::KeysUnavailable),
            }
        }
        let principal = result.map_err(|error| self.auth_error(error))?;
        Ok((principal, loaded.generation))
    }

    /// A token that is believed and lacks a scope is told which.
    pub(crate) fn auth_error(&self, error: TokenError) -> AuthError {
        match error {
            TokenError::Scope => AuthError::InsufficientScope {
                scopes: self.rules.scopes.as_slice().into(),
            },
            error => error.into(),
        }
    }
}
