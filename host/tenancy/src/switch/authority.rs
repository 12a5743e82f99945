use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use toolhost_identity::{GrantRules, Principal, TenantId, UnverifiedToken};

use crate::issuer::Issuer;
use crate::token_cache::TokenCache;
use crate::{AuthError, Clock};
use crate::{Bearer, IssuerConfig, IssuerConfigError, KeyFetch, SystemClock, VerifiedCaller};

/// Why an authority has not said yes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// It said no. To the caller that is as an unknown tenant.
    #[error("the tenant authority refused")]
    Refused,
    /// The caller has no token to ask with.
    #[error("the caller has no token that the tenant authority could be asked with")]
    NoBearer,
    /// It does not answer, or not so that it could be understood; the reason is for the log.
    #[error("the tenant authority cannot be asked: {0}")]
    Unavailable(String),
    /// Too many questions to it are under way or waiting.
    #[error("too many switches are under way; try again")]
    Overloaded,
    /// The token that it gave is not believed.
    #[error("the tenant authority's token is not believed: {0}")]
    Token(AuthError),
}

/// An authority's yes.
#[derive(Debug)]
pub enum AuthorityAnswer {
    /// The local tree decides, by the caller's role. There is no token.
    Tree,
    /// A token, and whom and what it speaks for. It is verified: nothing else makes a
    /// [`Principal`].
    Token {
        /// The token, which connections with `credentials = "authority"` send.
        token: Bearer,
        /// What it says.
        speaks_for: Box<Principal>,
        /// What it must have so that it belongs to the caller.
        rules: GrantRules,
    },
}

/// Who says whether a caller may act for a tenant.
#[async_trait]
pub trait Authority: Send + Sync + Debug {
    /// What the record of a switch calls it: `local`, `http`, `token-exchange`.
    fn name(&self) -> &'static str;

    /// Asks for a tenant. Nothing changes by it here.
    ///
    /// # Errors
    /// No, or nobody knows.
    async fn ask(
        &self,
        tenant: &TenantId,
        caller: &VerifiedCaller,
    ) -> Result<AuthorityAnswer, AuthorityError>;
}

/// The host's own tree: it derives the binding and issues no token.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalAuthority;

#[async_trait]
impl Authority for LocalAuthority {
    fn name(&self) -> &'static str {
        "local"
    }

    async fn ask(
        &self,
        _tenant: &TenantId,
        _caller: &VerifiedCaller,
    ) -> Result<AuthorityAnswer, AuthorityError> {
        Ok(AuthorityAnswer::Tree)
    }
}

/// Verifies what an authority returns as strictly as what a caller brings: signature, issuer,
/// audience, times.
#[derive(Debug)]
pub(super) struct Verifier(Issuer);

impl Verifier {
    pub(super) fn new(
        config: IssuerConfig,
        fetch: Arc<dyn KeyFetch>,
    ) -> Result<Self, IssuerConfigError> {
        Self::with_clock(config, fetch, Arc::new(SystemClock::default()))
    }

    pub(super) fn with_clock(
        config: IssuerConfig,
        fetch: Arc<dyn KeyFetch>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssuerConfigError> {
        Issuer::new(config, fetch, clock).map(Self)
    }

    pub(super) async fn answer(
        &self,
        token: Bearer,
        client: Option<String>,
    ) -> Result<AuthorityAnswer, AuthorityError> {
        let believed = async {
            let unverified = UnverifiedToken::parse(token.text())?;
            self.0
                .verify(&unverified, TokenCache::key(token.text()))
                .await
        };
        let (principal, _) = believed.await.map_err(AuthorityError::Token)?;
        Ok(AuthorityAnswer::Token {
            token,
            speaks_for: Box::new(principal),
            rules: GrantRules {
                issuer: Some(self.0.rules.issuer.as_str().to_owned()),
                client,
            },
        })
    }
}
