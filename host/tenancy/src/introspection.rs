use std::sync::Arc;

use http::HeaderValue;
use tokio::sync::Semaphore;
use toolhost_identity::{IssuerRules, Principal, strict_object, verify_introspection};
use toolhost_policy::Secret;
use toolhost_vault::client_secret_basic;
use url::form_urlencoded;

use crate::{AuthError, Bearer, ConfigError, Destination, Post, PostRequest};

/// How long an issuer's yes to an opaque token is believed, in seconds: a token that was revoked ends within it.
pub const INTROSPECTION_MAX_AGE: u64 = 60;
/// Questions at once. Anybody can make up a token, and each new one is a question (T25).
const MAX_QUESTIONS: usize = 16;

/// Where an issuer says what its opaque tokens mean (RFC 7662).
#[derive(Debug)]
pub struct Introspection {
    /// The endpoint.
    pub destination: Destination,
    /// The host's own `client_id` there.
    pub client_id: String,
    /// The host's own secret there.
    pub client_secret: Secret,
}

/// The one issuer whose opaque tokens are taken.
#[derive(Debug)]
pub(crate) struct Introspector {
    /// The issuer's place in the list.
    pub(crate) issuer: usize,
    destination: Destination,
    authorization: HeaderValue,
    post: Arc<dyn Post>,
    questions: Semaphore,
}

impl Introspector {
    pub(crate) fn new(
        issuer: usize,
        endpoint: &Introspection,
        post: Arc<dyn Post>,
    ) -> Result<Self, ConfigError> {
        crate::post::check_destination(&endpoint.destination, "issuers.introspection")?;
        Ok(Self {
            issuer,
            destination: endpoint.destination.clone(),
            authorization: client_secret_basic(&endpoint.client_id, &endpoint.client_secret),
            post,
            questions: Semaphore::new(MAX_QUESTIONS),
        })
    }

    /// Asks the issuer. Whatever is not its clear yes is no caller: silence, another status, another form.
    pub(crate) async fn ask(
        &self,
        token: &str,
        rules: &IssuerRules,
        now: u64,
    ) -> Result<Principal, AuthError> {
        let bearer = Bearer::new(token);
        let question = PostRequest {
            destination: self.destination.clone(),
            authorization: Some(self.authorization.clone()),
            content_type: "application/x-www-form-urlencoded",
            body: form_urlencoded::Serializer::new(String::new())
                .append_pair("token", bearer.text())
                .append_pair("token_type_hint", "access_token")
                .finish()
                .into(),
        };
        let _one = self
            .questions
            .acquire()
            .await
            .map_err(|_| AuthError::KeysUnavailable)?;
        let answer = self.post.post(question).await.map_err(|error| {
            tracing::warn!(issuer = %rules.issuer, %error, "the introspection endpoint did not answer");
            AuthError::KeysUnavailable
        })?;
        let answer = Some(answer)
            .filter(|answer| answer.status == 200)
            .and_then(|answer| strict_object(&answer.body).ok());
        let Some(answer) = answer else {
            tracing::warn!(issuer = %rules.issuer, "the introspection endpoint's answer is none");
            return Err(AuthError::KeysUnavailable);
        };
        verify_introspection(answer, rules, now).map_err(AuthError::from)
    }
}
