use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderValue;
use toolhost_identity::TenantId;
use toolhost_policy::Secret;
use toolhost_vault::client_secret_basic;
use url::form_urlencoded;

use super::authority::{Authority, AuthorityAnswer, AuthorityError, Verifier};
use super::http::token;
use crate::{
    Clock, Destination, IssuerConfig, IssuerConfigError, KeyFetch, Post, PostRequest, SystemClock,
    VerifiedCaller,
};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

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

    /// The same, by another clock.
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

    fn form(&self, tenant: &TenantId, subject_token: &str) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", GRANT_TYPE)
            .append_pair("subject_token", subject_token)
            .append_pair("subject_token_type", ACCESS_TOKEN)
            .append_pair("requested_token_type", ACCESS_TOKEN)
            .append_pair("scope", &format!("{}{tenant}", self.scope_prefix));
        for (name, value) in [("audience", &self.audience), ("resource", &self.resource)] {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        form.finish()
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
            body: self.form(tenant, bearer.text()).into(),
        };
        let answer = self.post.post(request).await;
        let token = token(answer, "/access_token")?;
        self.verifier.answer(token, Some(self.client_id.clone())).await
    }
}
