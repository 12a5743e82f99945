use std::sync::Arc;

use http::HeaderMap;
use http::response::Parts;
use toolhost_net::{AnswerBody, PeerAddress, Via};
use toolhost_policy::{ConnectionGrant, Endpoint};
use toolhost_vault::Credential;
use url::Url;

use crate::egress::unrecorded;
use crate::scrub::Needles;
use crate::steps::{self, Outcome};
use crate::{Egress, EgressCall, EgressFailure, GuestRequest};

/// A response whose head was checked and whose body was not read yet.
pub(crate) struct Opened {
    pub(crate) head: Parts,
    pub(crate) body: AnswerBody,
    pub(crate) needles: Arc<Needles>,
    /// The operator accepts that the operation reflects.
    pub(crate) is_accepted: bool,
}

/// A request that is one of an endpoint, whose credential is still to come.
pub(crate) struct Matched<'r> {
    pub(crate) grant: &'r ConnectionGrant,
    pub(crate) endpoint: &'r Endpoint,
    /// With the sample of the base, where the base has places.
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) request: &'r GuestRequest,
    pub(crate) is_accepted: bool,
    /// The operator lets a range of the operation be asked for.
    pub(crate) may_be_partial: bool,
}

impl Egress {
    /// Records how the attempt before went, and begins the record of the next one.
    pub(crate) fn next_outcome(
        &self,
        call: &EgressCall,
        request: &GuestRequest,
        failure: Option<&EgressFailure>,
        outcome: &mut Outcome,
    ) -> Result<(), EgressFailure> {
        let next = Outcome::begin(Arc::clone(&self.audit), call, request);
        let before = std::mem::replace(outcome, next).finish(failure, false);
        before.map_err(|error| unrecorded(call, &error))
    }

    /// One request with one credential, up to the head of the response.
    pub(crate) async fn attempt(
        &self,
        call: &EgressCall,
        matched: &Matched<'_>,
        credential: Option<&Credential>,
        via: Via,
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
        call.attach(&connection.name, &needles);
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
            let sent = steps::send(
                &self.network,
                &tls,
                call,
                connection,
                &url,
                request,
                &approved,
                via,
            )
            .await;
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
            steps::partial_answer(connection, matched.may_be_partial, head.status)?;
            Ok((head, body))
        };
        let (head, body) = sent
            .await
            .map_err(|failure| steps::error_text(&needles, failure))?;
        Ok(Opened {
            head,
            body,
            needles,
            is_accepted: matched.is_accepted,
        })
    }
}
