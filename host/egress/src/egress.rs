use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use http::response::Parts;
use hyper::body::Incoming;
use toolhost_audit::Sink;
use toolhost_identity::Binding;
use toolhost_net::{Network, PeerAddress, TlsError};
use toolhost_policy::{ConnectionGrant, Endpoint, Grant};
use toolhost_vault::{Credential, CredentialProvider};
use url::Url;

use crate::scrub::{NeedleCache, Needles};
use crate::steps::{self, Outcome};
use crate::tls::Identities;
use crate::upstream_state::UpstreamStates;
use crate::{
    BodyStream, EgressCall, EgressFailure, Exchange, GuestRequest, GuestResponse, ResponseHead,
    check_connection,
};

/// The one way out for guests. One a process, shared by every call.
#[derive(Debug)]
pub struct Egress {
    network: Arc<Network>,
    providers: BTreeMap<String, Arc<dyn CredentialProvider>>,
    audit: Arc<dyn Sink>,
    needles: NeedleCache,
    identities: Identities,
    pub(crate) upstream_states: UpstreamStates,
}

/// A response whose head was checked and whose body was not read yet.
struct Opened {
    head: Parts,
    body: Incoming,
    needles: Arc<Needles>,
}

/// A request that is one of an endpoint, whose credential is still to come.
struct Matched<'r> {
    grant: &'r ConnectionGrant,
    endpoint: &'r Endpoint,
    /// With the sample of the base, where the base has places.
    url: Url,
    headers: HeaderMap,
    request: &'r GuestRequest,
}

impl Egress {
    /// Takes the network, the providers by the name under which `connections.NAME.credentials` refers to them, and where
    /// events go.
    ///
    /// # Errors
    /// TLS could not be set up.
    pub fn new(
        network: Arc<Network>,
        providers: BTreeMap<String, Arc<dyn CredentialProvider>>,
        audit: Arc<dyn Sink>,
    ) -> Result<Self, TlsError> {
        let (needles, identities) = (NeedleCache::default(), Identities::new()?);
        Ok(Self {
            network,
            providers,
            audit,
            needles,
            identities,
            upstream_states: UpstreamStates::default(),
        })
    }

    /// What all requests of one tool call share. `call` is unique in this process.
    #[must_use]
    pub fn call(&self, binding: Binding, grant: Arc<Grant>, call: u64, deadline: Instant) -> EgressCall {
        EgressCall::new(binding, grant, call, deadline)
    }

    /// Makes the request and returns the whole, scrubbed response.
    ///
    /// # Errors
    /// Any step that refuses or fails, with whether bytes may have left.
    pub async fn send(
        &self,
        call: &EgressCall,
        request: GuestRequest,
    ) -> Result<GuestResponse, EgressFailure> {
        let mut outcome = Outcome::begin(Arc::clone(&self.audit), call, &request);
        let result = self.whole(call, request, &mut outcome).await;
        match outcome.finish(result.as_ref().err(), true) {
            Ok(()) => result,
            Err(error) => result.and(Err(unrecorded(call, &error))),
        }
    }

    /// Makes the request and returns the response's head, and its scrubbed body piece by piece.
    ///
    /// # Errors
    /// As [`Egress::send`], up to the head.
    pub async fn start(
        self: &Arc<Self>,
        call: Arc<EgressCall>,
        request: GuestRequest,
    ) -> Result<Exchange, EgressFailure> {
        let mut outcome = Outcome::begin(Arc::clone(&self.audit), &call, &request);
        let connection =
            steps::connection(&call, &request.connection).map(|grant| Arc::clone(&grant.connection));
        let opened = match (self.open(&call, request, &mut outcome).await, connection) {
            (Ok(opened), Ok(connection)) => Ok((opened, connection)),
            (Err(failure), _) | (_, Err(failure)) => Err(failure),
        };
        match opened {
            Ok((Opened { head, body, needles }, connection)) => {
                let (headers, reflections) =
                    steps::response_headers(&call, &connection, &needles, head.status, &head.headers, None);
                outcome.reflected(reflections);
                let is_text = steps::is_text(&head.headers);
                let body = BodyStream::new(body, call, needles, is_text, outcome);
                Ok(Exchange {
                    head: ResponseHead {
                        status: head.status.as_u16(),
                        headers,
                    },
                    body,
                })
            }
            Err(failure) => {
                let recorded = outcome.finish(Some(&failure), true);
                recorded.unwrap_or_else(|error| log_unrecorded(&call, &error));
                Err(failure)
            }
        }
    }

    async fn whole(
        &self,
        call: &EgressCall,
        request: GuestRequest,
        outcome: &mut Outcome,
    ) -> Result<GuestResponse, EgressFailure> {
        let granted = steps::connection(call, &request.connection).map(|grant| Arc::clone(&grant.connection));
        let is_head = request.method == "HEAD";
        let Opened {
            head,
            mut body,
            needles,
        } = self.open(call, request, outcome).await?;
        let connection = granted?;
        let limits = &call.grant().limits;
        let scrubbed = async {
            let (body, trailers) = steps::cap_body(limits, call.deadline(), &mut body).await?;
            outcome.received(body.len());
            // Trailers are not handed on; what they hold is counted all the same.
            let (_, in_trailers) =
                steps::response_headers(call, &connection, &needles, head.status, &trailers, None);
            let (body, in_body) = steps::scrub(&needles, &head.headers, body);
            let length = body.as_ref().map_or(0, bytes::Bytes::len);
            let length = (!is_head).then_some(length);
            let (headers, in_headers) =
                steps::response_headers(call, &connection, &needles, head.status, &head.headers, length);
            outcome.reflected(in_trailers + in_body + in_headers);
            Ok(GuestResponse {
                status: head.status.as_u16(),
                headers,
                body: body?,
            })
        };
        scrubbed
            .await
            .map_err(|failure| steps::error_text(&needles, failure))
    }

    /// Every step from the guest's request to the head of the response. After a 401 there is one more attempt, where the
    /// provider has another credential by then: it takes from the budget and is recorded like any other.
    async fn open(
        &self,
        call: &EgressCall,
        request: GuestRequest,
        outcome: &mut Outcome,
    ) -> Result<Opened, EgressFailure> {
        let grant = steps::connection(call, &request.connection)?;
        let connection = &*grant.connection;
        let body_bytes = request.body.as_ref().map_or(0, bytes::Bytes::len);
        steps::operation(call, &request)?;
        steps::principal(call.binding(), grant)?;
        steps::budget(call, body_bytes)?;
        let endpoint = steps::endpoint(grant, &request)?;
        steps::mode(call, &connection.name, &request.method)?;
        let text = steps::build_url(connection, endpoint, &request)?;
        let url = steps::canonicalise(connection, &text)?;
        steps::match_again(grant, endpoint, &url)?;
        let headers = steps::guest_headers(call, connection, &request.headers)?;
        self.still_consistent(call, connection)?;
        let provider = self.provider(connection);
        let matched = Matched {
            grant,
            endpoint,
            url,
            headers,
            request: &request,
        };
        let tried = steps::credential(provider, call, connection).await?;
        let tried = tried.as_deref();
        let opened = self.attempt(call, &matched, tried, outcome).await?;
        let status = opened.head.status;
        let another = steps::another_credential(provider, call, connection, endpoint, status, tried).await;
        let Some(another) = another.filter(|_| steps::budget(call, body_bytes).is_ok()) else {
            return Ok(opened);
        };
        drop(opened);
        let next = Outcome::begin(Arc::clone(&self.audit), call, &request);
        let first = std::mem::replace(outcome, next).finish(None, false);
        first.map_err(|error| unrecorded(call, &error))?;
        self.attempt(call, &matched, Some(&*another), outcome).await
    }

    /// One request with one credential, up to the head of the response.
    async fn attempt(
        &self,
        call: &EgressCall,
        matched: &Matched<'_>,
        credential: Option<&Credential>,
        outcome: &mut Outcome,
    ) -> Result<Opened, EgressFailure> {
        let Matched {
            grant,
            endpoint,
            request,
            ..
        } = *matched;
        let connection = &*grant.connection;
        let mut attached = steps::fill_headers(connection, credential)?;
        let url = matched.url.clone();
        let url = steps::fill_url(grant, endpoint, request, url, credential, &mut attached)?;
        let needles = steps::needles(&self.needles, call, connection, credential, &attached.values)?;
        call.attach(&needles);
        let sent = async {
            let approved = steps::resolve(&self.network, call, connection, &url).await?;
            let body_bytes = request.body.as_ref().map_or(0, bytes::Bytes::len);
            let sink = &*self.audit;
            steps::intent(
                sink, call, connection, endpoint, credential, &approved, body_bytes,
            )
            .await?;
            let request = steps::attach(
                call,
                connection,
                endpoint,
                credential,
                &attached,
                &url,
                matched.headers.clone(),
                request.body.clone(),
            )?;
            let tls = self.identities.of(connection).map_err(|error| {
                tracing::debug!(connection = %connection.name, %error, "no TLS identity");
                EgressFailure::denied(format!("connection {} has no usable `ca`", connection.name))
            })?;
            outcome.going_to(approved.addresses().first());
            // Set before, so that a call that is dropped while it sends counts as sent.
            outcome.sending();
            let sent = steps::send(&self.network, &tls, call, connection, &url, request, &approved).await;
            let (head, body) = sent
                .inspect_err(|failure| {
                    if !failure.sent {
                        outcome.unsent()
                    }
                })?
                .into_parts();
            outcome.head(
                head.status.as_u16(),
                head.extensions.get::<PeerAddress>().map(|peer| peer.0),
            );
            steps::cap_head(&call.grant().limits, &head)?;
            Ok((head, body))
        };
        let (head, body) = sent
            .await
            .map_err(|failure| steps::error_text(&needles, failure))?;
        Ok(Opened { head, body, needles })
    }

    pub(crate) fn provider(
        &self,
        connection: &toolhost_policy::Connection,
    ) -> Option<&dyn CredentialProvider> {
        self.providers
            .get(&connection.credentials)
            .map(|provider| &**provider)
    }

    /// A connection that was not checked when it was loaded is not used (E11).
    pub(crate) fn still_consistent(
        &self,
        call: &EgressCall,
        connection: &toolhost_policy::Connection,
    ) -> Result<(), EgressFailure> {
        check_connection(connection).map_err(|error| {
            tracing::error!(connection = %connection.name, call = call.id(), %error, "an unchecked connection was loaded");
            EgressFailure::denied(format!("connection {} is not usable as it is configured", connection.name))
        })
    }
}

pub(crate) fn log_unrecorded(call: &EgressCall, error: &toolhost_audit::SinkError) {
    tracing::error!(call = call.id(), %error, "the end of a request was not recorded");
}

/// The response came, and what it ends in could not be recorded.
pub(crate) fn unrecorded(call: &EgressCall, error: &toolhost_audit::SinkError) -> EgressFailure {
    log_unrecorded(call, error);
    EgressFailure::denied("the request cannot be recorded, so its response was withheld").after_sending()
}
