use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use moka::sync::Cache;
use toolhost_identity::{IssuerRules, Principal, strict_object, verify_introspection};
use toolhost_net::{AdmissionQueue, SingleFlight};
use toolhost_oauth::{TokenForm, client_secret_basic};
use toolhost_policy::Secret;

use crate::questions::{self, FailureMemory, RequestSource};
use crate::{AuthError, Bearer, Clock, Destination, IssuerConfigError, Post, PostRequest};

/// How long an issuer's yes to an opaque token is believed, in seconds: a token that was revoked
/// ends within it.
pub const INTROSPECTION_MAX_AGE: u64 = 60;
/// Tokens that were active lately and are remembered as such. One has some hundred bytes.
const MAX_KNOWN: u64 = 10_000;
/// How long the issuer's no to a token is repeated without asking again, in seconds. A token that
/// was made up is not asked about at its sender's pace, and one that becomes active is soon seen.
const REFUSED_MAX_AGE: u64 = 5;

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
///
/// Anybody can make up a token, and each new one is a question (T25). So the tokens that nobody has
/// seen share the places of their source address, those that were active lately have places of
/// their own by tenant, and a token is asked about once however many requests carry it.
#[derive(Debug)]
pub(crate) struct Introspector {
    /// The issuer's place in the list.
    pub(crate) issuer: usize,
    endpoint: Arc<IntrospectionClient>,
    flights: SingleFlight<[u8; 32], Result<IntrospectionResult, AuthError>>,
    refused: FailureMemory<[u8; 32], AuthError>,
    /// Tokens that were active lately, by their hash, with the tenant that they named.
    known: Cache<[u8; 32], Arc<str>>,
    of_strangers: Arc<AdmissionQueue<RequestSource>>,
    of_known: Arc<AdmissionQueue<Arc<str>>>,
    clock: Arc<dyn Clock>,
}

/// Whom an opaque token speaks for, and since when that is known, in seconds of [`Clock::elapsed`].
#[derive(Debug, Clone)]
pub(crate) struct IntrospectionResult {
    pub(crate) principal: Arc<Principal>,
    pub(crate) at: u64,
}

#[derive(Debug)]
struct IntrospectionClient {
    destination: Destination,
    authorization: HeaderValue,
    post: Arc<dyn Post>,
    rules: IssuerRules,
    clock: Arc<dyn Clock>,
}

impl Introspector {
    pub(crate) fn new(
        issuer: usize,
        rules: IssuerRules,
        endpoint: &Introspection,
        post: Arc<dyn Post>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssuerConfigError> {
        crate::post::check_destination(&endpoint.destination, "issuers.introspection")?;
        Ok(Self {
            issuer,
            endpoint: Arc::new(IntrospectionClient {
                destination: endpoint.destination.clone(),
                authorization: client_secret_basic(&endpoint.client_id, &endpoint.client_secret),
                post,
                rules,
                clock: Arc::clone(&clock),
            }),
            flights: SingleFlight::default(),
            refused: FailureMemory::default(),
            known: Cache::new(MAX_KNOWN),
            of_strangers: Arc::new(AdmissionQueue::new(questions::INTROSPECTIONS_OF_STRANGERS)),
            of_known: Arc::new(AdmissionQueue::new(questions::INTROSPECTIONS_OF_KNOWN)),
            clock,
        })
    }

    /// Whom the token speaks for. `key` is its hash.
    pub(crate) async fn ask(
        &self,
        key: [u8; 32],
        token: &str,
        source: RequestSource,
    ) -> Result<IntrospectionResult, AuthError> {
        if let Some(error) = self.refused.recent_failure(&key, self.clock.elapsed()) {
            return Err(error);
        }
        let known = self.known.get(&key);
        let flight = self.flights.join(key, || {
            let endpoint = Arc::clone(&self.endpoint);
            let (of_strangers, of_known) =
                (Arc::clone(&self.of_strangers), Arc::clone(&self.of_known));
            let bearer = Bearer::new(token);
            async move {
                match known {
                    Some(tenant) => {
                        let _place = of_known
                            .admit(&tenant)
                            .await
                            .map_err(|_| AuthError::Overloaded)?;
                        endpoint.ask(&bearer).await
                    }
                    None => {
                        let _place = of_strangers
                            .admit(&source)
                            .await
                            .map_err(|_| AuthError::Overloaded)?;
                        endpoint.ask(&bearer).await
                    }
                }
            }
        });
        let answer = flight.await;
        match &answer {
            Ok(believed) => {
                let tenant = believed.principal.tenant_key().unwrap_or_default();
                self.known.insert(key, tenant.into());
            }
            Err(AuthError::Overloaded) => {}
            Err(error) => {
                let lasts = match error {
                    AuthError::KeysUnavailable => questions::FAILURE_MAX_AGE,
                    _ => {
                        self.known.invalidate(&key);
                        REFUSED_MAX_AGE
                    }
                };
                self.refused
                    .remember(key, error.clone(), self.clock.elapsed(), lasts);
            }
        }
        answer
    }
}

impl IntrospectionClient {
    /// Asks the issuer. Whatever is not its clear yes is no caller: silence, another status,
    /// another form.
    async fn ask(&self, bearer: &Bearer) -> Result<IntrospectionResult, AuthError> {
        let rules = &self.rules;
        let form = TokenForm::introspection(bearer.secret())
            .map_err(|_| AuthError::Malformed("the token is not text"))?;
        let question = PostRequest {
            destination: self.destination.clone(),
            authorization: Some(self.authorization.clone()),
            content_type: "application/x-www-form-urlencoded",
            body: Bytes::copy_from_slice(form.as_bytes()),
        };
        // The answer is as old as the question.
        let at = self.clock.elapsed();
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
        let principal = verify_introspection(answer, rules, self.clock.unix())?;
        Ok(IntrospectionResult {
            principal: Arc::new(principal),
            at,
        })
    }
}
