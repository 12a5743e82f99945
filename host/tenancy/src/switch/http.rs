use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use toolhost_identity::{TenantId, strict_object};

use super::authority::{Authority, AuthorityAnswer, AuthorityError, Verifier};
use crate::{
    Bearer, Clock, Destination, IssuerConfig, IssuerConfigError, KeyFetch, Post, PostAnswer,
    PostRequest, VerifiedCaller,
};

/// An application's endpoint that takes `{"tenantId": …}` with the caller's own token and returns
/// another token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAuthoritySettings {
    /// The endpoint: the one place to which a caller's bearer is ever sent.
    pub destination: Destination,
    /// Where the token is in its answer, as a JSON pointer; `/access_token` as a rule.
    pub token: String,
    /// Who signs that token, for whom, and where the tenant is in it. Its audience is the
    /// application's as a rule, and need not be this host's.
    pub issuer: IssuerConfig,
}

/// [`HttpAuthoritySettings`] at work.
#[derive(Debug)]
pub struct HttpAuthority {
    destination: Destination,
    token: String,
    verifier: Verifier,
    post: Arc<dyn Post>,
}

impl HttpAuthority {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// The endpoint or the issuer is not configured as it must be.
    pub fn new(
        settings: HttpAuthoritySettings,
        post: Arc<dyn Post>,
        fetch: Arc<dyn KeyFetch>,
    ) -> Result<Self, IssuerConfigError> {
        crate::post::check_destination(&settings.destination, "authority.url")?;
        Ok(Self {
            verifier: Verifier::new(settings.issuer, fetch)?,
            destination: settings.destination,
            token: settings.token,
            post,
        })
    }

    /// An authority that judges times by another clock.
    ///
    /// # Errors
    /// As [`HttpAuthority::new`].
    pub fn with_clock(
        settings: HttpAuthoritySettings,
        post: Arc<dyn Post>,
        fetch: Arc<dyn KeyFetch>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssuerConfigError> {
        crate::post::check_destination(&settings.destination, "authority.url")?;
        Ok(Self {
            verifier: Verifier::with_clock(settings.issuer, fetch, clock)?,
            destination: settings.destination,
            token: settings.token,
            post,
        })
    }
}

#[async_trait]
impl Authority for HttpAuthority {
    fn name(&self) -> &'static str {
        "http"
    }

    async fn ask(
        &self,
        tenant: &TenantId,
        caller: &VerifiedCaller,
    ) -> Result<AuthorityAnswer, AuthorityError> {
        let bearer = caller.bearer.as_ref().and_then(|bearer| bearer.header());
        let request = PostRequest {
            destination: self.destination.clone(),
            authorization: Some(bearer.ok_or(AuthorityError::NoBearer)?),
            content_type: "application/json",
            body: json!({ "tenantId": tenant.as_str() }).to_string().into(),
        };
        let answer = self.post.post(request).await;
        let token = token(answer, &self.token)?;
        self.verifier.answer(token, None).await
    }
}

/// The token in an answer. 400 to 499 are a no; every other status but 200, a redirect included, is
/// no answer.
pub(super) fn token(
    answer: Result<PostAnswer, crate::FetchError>,
    pointer: &str,
) -> Result<Bearer, AuthorityError> {
    let unavailable = |why: &str| AuthorityError::Unavailable(why.to_owned());
    let answer = answer.map_err(|error| unavailable(&error.to_string()))?;
    match answer.status {
        200 => {}
        408 | 429 => return Err(unavailable("it asks to wait")),
        400..500 => return Err(AuthorityError::Refused),
        status => {
            return Err(AuthorityError::Unavailable(format!(
                "its status is {status}"
            )));
        }
    }
    let object =
        strict_object(&answer.body).map_err(|_| unavailable("its answer is not a json object"))?;
    Value::Object(object)
        .pointer(pointer)
        .and_then(Value::as_str)
        .map(Bearer::new)
        .ok_or_else(|| unavailable("its answer has no token"))
}
