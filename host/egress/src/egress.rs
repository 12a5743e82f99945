use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use toolhost_audit::Sink;
use toolhost_identity::Binding;
use toolhost_net::{ConnectionReuse, Network, TlsError};
use toolhost_policy::{Connection, Grant};
use toolhost_vault::CredentialProvider;

use crate::attempt::OpenResponse;
use crate::outcome_log::{log_unrecorded, unrecorded_error};
use crate::plan::RequestPlan;
use crate::quarantine::Quarantine;
use crate::scrub::NeedleCache;
use crate::steps::{self, BodyDecoder, OutcomeRecorder, ReflectionTracker};
use crate::stream::StreamParts;
use crate::tls::Identities;
use crate::upstream_state::UpstreamStates;
use crate::{
    BodyStream, CredentialHit, EgressCall, EgressFailure, GuestRequest, GuestResponse,
    ResponseHead, StreamingResponse,
};

/// The bytes of a refusal's body that are shown.
const SHOWN: usize = 2 << 10;

/// An outside system's refusal, once no credential is in it, for whoever makes one call by hand. It
/// is another party's text and may hold a person's data: a server does not log it unless it is told
/// to.
fn log_refusal(connection: &str, response: &GuestResponse) {
    if response.status < 400 {
        return;
    }
    let shown = response.body.get(..SHOWN).unwrap_or(&response.body);
    let (status, body) = (response.status, String::from_utf8_lossy(shown));
    tracing::debug!(target: "upstream", connection, status, %body, "the outside system refused a request");
}

/// The one way out for guests. One a process, shared by every call.
#[derive(Debug)]
pub struct Egress {
    pub(crate) network: Arc<Network>,
    providers: BTreeMap<String, Arc<dyn CredentialProvider>>,
    pub(crate) audit: Arc<dyn Sink>,
    pub(crate) needles: NeedleCache,
    pub(crate) quarantine: Arc<Quarantine>,
    pub(crate) identities: Identities,
    pub(crate) upstream_states: UpstreamStates,
}

impl Egress {
    /// Takes the network, the providers by the name under which `connections.NAME.credentials`
    /// refers to them, and where events go.
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
            quarantine: Arc::default(),
            identities,
            upstream_states: UpstreamStates::default(),
        })
    }

    /// From here on what answers have held is kept there, for every host of the store. Until then
    /// it is in memory.
    #[must_use]
    pub fn with_quarantine(mut self, quarantine: Arc<Quarantine>) -> Self {
        self.quarantine = quarantine;
        self
    }

    /// Writes down that what a guest says holds the credential of one of its connections. It is
    /// withheld in any case.
    pub async fn record_reflection(&self, call: &EgressCall, hit: &CredentialHit) {
        let connection = &hit.connection;
        if !hit.is_certain {
            return;
        }
        call.end_connection(connection);
        if let Ok(grant) = steps::connection_grant(call, connection)
            && let Err(failure) =
                steps::record_reflection(&self.quarantine, call, &grant.connection).await
        {
            tracing::warn!(call = call.id(), %connection, %failure, "a guest said a credential");
        }
    }

    /// Searches a text that a guest writes before its result (progress, a log line), and records
    /// what is found as [`Egress::record_output_hit`] does. A text with a hit is withheld.
    pub fn search_output(
        self: &Arc<Self>,
        call: &Arc<EgressCall>,
        text: &[u8],
    ) -> Option<CredentialHit> {
        let hit = call.credential_in_output(text)?;
        self.record_output_hit(call, &hit);
        Some(hit)
    }

    /// Records a credential in what a guest wrote before its result: the call's first counts as a
    /// result that holds one does, and ends the connection for the call.
    pub fn record_output_hit(self: &Arc<Self>, call: &Arc<EgressCall>, hit: &CredentialHit) {
        if call.remember_output_hit(hit) {
            call.end_connection(&hit.connection);
            let (egress, call, hit) = (Arc::clone(self), Arc::clone(call), hit.clone());
            tokio::spawn(async move { egress.record_reflection(&call, &hit).await });
        }
    }

    /// What all requests of one tool call share. `call` is unique in this process.
    #[must_use]
    pub fn call(
        &self,
        binding: Binding,
        grant: Arc<Grant>,
        call: u64,
        deadline: Instant,
    ) -> EgressCall {
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
        let mut outcome = OutcomeRecorder::begin(Arc::clone(&self.audit), call, &request);
        let connection = request.connection.clone();
        let result = self.execute_whole(call, request, &mut outcome).await;
        if let Ok(response) = &result {
            log_refusal(&connection, response);
        }
        match outcome.finish(result.as_ref().err(), true) {
            Ok(()) => result,
            Err(error) => result.and(Err(unrecorded_error(call, &error))),
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
    ) -> Result<StreamingResponse, EgressFailure> {
        let mut outcome = OutcomeRecorder::begin(Arc::clone(&self.audit), &call, &request);
        let opened = match self.open(&call, &request, &mut outcome).await {
            Ok(opened) => self.head(&call, opened, &mut outcome).await,
            Err(failure) => Err(failure),
        };
        match opened {
            Ok((opened, headers, reflecting)) => {
                let OpenResponse {
                    connection,
                    head,
                    body,
                    needles,
                    is_accepted,
                } = opened;
                let decoding = BodyDecoder::from_headers(&call, &head.headers);
                let is_text = decoding.is_text(&head.headers);
                let quarantine = Arc::clone(&self.quarantine);
                let body = BodyStream::new(StreamParts {
                    body,
                    call,
                    connection,
                    needles,
                    quarantine,
                    is_accepted,
                    reflecting,
                    decoding,
                    is_text,
                    outcome,
                });
                Ok(StreamingResponse {
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

    /// The header fields of a response whose body is still to come.
    async fn head(
        &self,
        call: &EgressCall,
        opened: OpenResponse,
        outcome: &mut OutcomeRecorder,
    ) -> Result<(OpenResponse, Vec<(String, String)>, ReflectionTracker), EgressFailure> {
        let (head, connection) = (&opened.head, &opened.connection);
        let (headers, reflections) = steps::response_headers(
            call,
            connection,
            &opened.needles,
            head.status,
            &head.headers,
            None,
        );
        outcome.add_reflections(reflections);
        let mut reflecting = ReflectionTracker::default();
        let settled = reflecting.settle(
            &self.quarantine,
            call,
            connection,
            opened.is_accepted,
            reflections,
        );
        settled.await?;
        Ok((opened, headers, reflecting))
    }

    async fn execute_whole(
        &self,
        call: &EgressCall,
        request: GuestRequest,
        outcome: &mut OutcomeRecorder,
    ) -> Result<GuestResponse, EgressFailure> {
        let is_head = request.method == "HEAD";
        let OpenResponse {
            connection,
            head,
            mut body,
            needles,
            is_accepted,
        } = self.open(call, &request, outcome).await?;
        let limits = &call.grant().limits;
        let scrubbed = async {
            let capped = steps::cap_body(limits, call.deadline(), &mut body).await;
            // The tenant pays for the host's work on a body that is refused, too.
            call.spend(body.take_cpu());
            let (body, trailers) = capped?;
            outcome.add_received(body.len());
            // Trailers are not handed on; what they hold is counted all the same.
            let (_, in_trailers) =
                steps::response_headers(call, &connection, &needles, head.status, &trailers, None);
            let (body, in_body) = steps::content(call, &needles, &head.headers, body).await;
            let length = body.as_ref().map_or(0, bytes::Bytes::len);
            let length = (!is_head).then_some(length);
            let (headers, in_headers) = steps::response_headers(
                call,
                &connection,
                &needles,
                head.status,
                &head.headers,
                length,
            );
            // Everything is searched before anything is decided: were the first hit the end, where
            // a guess stands in an answer would tell how much of it was read.
            let reflections = in_trailers + in_body + in_headers;
            outcome.add_reflections(reflections);
            let quarantine = &self.quarantine;
            let settled = ReflectionTracker::default()
                .settle(quarantine, call, &connection, is_accepted, reflections)
                .await;
            settled?;
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

    /// Every step from the guest's request to the head of the response. After a 401 there is one
    /// more attempt, where the provider has another credential by then: it takes from the budget
    /// and is recorded like any other.
    async fn open(
        &self,
        call: &EgressCall,
        request: &GuestRequest,
        outcome: &mut OutcomeRecorder,
    ) -> Result<OpenResponse, EgressFailure> {
        let plan = RequestPlan::new(call, request)?;
        let (connection, body_bytes) = (plan.connection(), plan.body_bytes());
        steps::quarantine(&self.quarantine, call, connection).await?;
        let provider = self.provider(connection);
        let tried = steps::credential(provider, call, connection).await?;
        let tried = tried.as_deref();
        let opened = match self
            .attempt(call, &plan, tried, ConnectionReuse::Any, outcome)
            .await
        {
            // RFC 9110 section 9.2.2. It takes from the budget and is recorded like any other.
            Err(failure)
                if failure.stale
                    && plan.endpoint.method.is_idempotent()
                    && steps::budget(call, body_bytes).is_ok() =>
            {
                self.next_outcome(call, request, Some(&failure), outcome)?;
                self.attempt(call, &plan, tried, ConnectionReuse::New, outcome)
                    .await?
            }
            opened => opened?,
        };
        let status = opened.head.status;
        let another =
            steps::another_credential(provider, call, connection, plan.endpoint, status, tried)
                .await;
        let Some(another) = another.filter(|_| steps::budget(call, body_bytes).is_ok()) else {
            return Ok(opened);
        };
        drop(opened);
        self.next_outcome(call, request, None, outcome)?;
        self.attempt(call, &plan, Some(&*another), ConnectionReuse::Any, outcome)
            .await
    }

    pub(crate) fn provider(&self, connection: &Connection) -> Option<&dyn CredentialProvider> {
        self.providers
            .get(&connection.credentials)
            .map(|provider| &**provider)
    }
}
