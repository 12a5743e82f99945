use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderValue;
use toolhost_identity::TenantId;
use toolhost_oauth::{TokenExchangeForm, TokenForm, client_secret_basic};
use toolhost_policy::Secret;

use super::authority::{Authority, AuthorityAnswer, AuthorityError, Verifier};
use super::http::token;
use crate::{
    Clock, Destination, IssuerConfig, IssuerConfigError, KeyFetch, Post, PostRequest, SystemClock,
    VerifiedCaller,
};

/// An authorization server that exchanges the caller's token for one of a tenant (RFC 8693).
#[derive(Debug)]
pub struct ExchangeSettings {
    /// Its token endpoint: the one place to which a caller's bearer is ever sent.
    pub destination: Destination,
    /// The host's own `client_id` there. The token that comes back names it.
    pub client_id: String,
    /// The host's own secret there.
    pub client_secret: Secret,
    /// `audience`, where the server wants one.
    pub audience: Option<String>,
    /// `resource` (RFC 8707), where the server wants one.
    pub resource: Option<String>,
    /// What `scope` begins with, before the tenant's id: `tenant:` as a rule.
    pub scope_prefix: String,
    /// Who signs the token, for whom, and where the tenant is in it.
    pub issuer: IssuerConfig,
}

/// [`ExchangeSettings`] at work.
#[derive(Debug)]
pub struct ExchangeAuthority {
    destination: Destination,
    client_id: String,
    authorization: HeaderValue,
    audience: Option<String>,
    resource: Option<String>,
    scope_prefix: String,
    verifier: Verifier,
    post: Arc<dyn Post>,
}

impl ExchangeAuthority {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// The endpoint or the issuer is not configured as it must be.
    pub fn new(
        settings: ExchangeSettings,
        post: Arc<dyn Post>,
        fetch: Arc<dyn KeyFetch>,
    ) -> Result<Self, IssuerConfigError> {
        Self::with_clock(settings, post, fetch, Arc::new(SystemClock::default()))
    }

    /// An authority that judges times by another clock.
    ///
    /// # Errors
    /// As [`ExchangeAuthority::new`].
    pub fn with_clock(
        settings: ExchangeSettings,
        post: Arc<dyn Post>,
        fetch: Arc<dyn KeyFetch>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssuerConfigError> {
        crate::post::check_destination(&settings.destination, "authority.url")?;
        Ok(Self {
            authorization: client_secret_basic(&settings.client_id, &settings.client_secret),
            destination: settings.destination,
            client_id: settings.client_id,
            audience: settings.audience,
            resource: settings.resource,
            scope_prefix: settings.scope_prefix,
            verifier: Verifier::with_clock(settings.issuer, fetch, clock)?,
            post,
        })
    }

    fn form(&self, tenant: &TenantId, subject: &Secret) -> Result<TokenForm, AuthorityError> {
        let scope = [format!("{}{tenant}", self.scope_prefix)];
        let fields = TokenExchangeForm {
            scope: &scope,
            audience: self.audience.as_slice(),
            resource: self.resource.as_slice(),
            ..TokenExchangeForm::default()
        };
        TokenForm::token_exchange(subject, fields).map_err(|_| AuthorityError::NoBearer)
    }
}

#[async_trait]
impl Authority for ExchangeAuthority {
    fn name(&self) -> &'static str {
        "token-exchange"
    }

    async fn ask(
        &self,
        tenant: &TenantId,
        caller: &VerifiedCaller,
    ) -> Result<AuthorityAnswer, AuthorityError> {
        let bearer = caller.bearer.as_ref().ok_or(AuthorityError::NoBearer)?;
        let request = PostRequest {
            destination: self.destination.clone(),
            authorization: Some(self.authorization.clone()),
            content_type: "application/x-www-form-urlencoded",
            body: Bytes::copy_from_slice(self.form(tenant, bearer.secret())?.as_bytes()),
        };
        let answer = self.post.post(request).await;
        let token = token(answer, "/access_token")?;
        self.verifier
            .answer(token, Some(self.client_id.clone()))
            .await
    }
}
