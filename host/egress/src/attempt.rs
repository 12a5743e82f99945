use std::sync::Arc;

use http::response::Parts;
use toolhost_net::{ConnectionReuse, RemoteAddress, ResponseBody};
use toolhost_policy::CheckedConnection;
use toolhost_vault::Credential;

use crate::outcome_log::unrecorded_error;
use crate::plan::RequestPlan;
use crate::scrub::Needles;
use crate::steps::{self, OutcomeRecorder};
use crate::{Egress, EgressCall, EgressFailure, GuestRequest};

/// A response whose head was checked and whose body was not read yet.
pub(crate) struct OpenResponse {
    pub(crate) connection: CheckedConnection,
    pub(crate) head: Parts,
    pub(crate) body: ResponseBody,
    pub(crate) needles: Arc<Needles>,
    /// The operator accepts that the operation reflects.
    pub(crate) is_accepted: bool,
}

impl Egress {
    /// Records how the attempt before went, and begins the record of the next one.
    pub(crate) fn next_outcome(
        &self,
        call: &EgressCall,
        request: &GuestRequest,
        failure: Option<&EgressFailure>,
        outcome: &mut OutcomeRecorder,
    ) -> Result<(), EgressFailure> {
        let next = OutcomeRecorder::begin(Arc::clone(&self.audit), call, request);
        let before = std::mem::replace(outcome, next).finish(failure, false);
        before.map_err(|error| unrecorded_error(call, &error))
    }

    /// One request with one credential, up to the head of the response.
    pub(crate) async fn attempt(
        &self,
        call: &EgressCall,
        plan: &RequestPlan<'_>,
        credential: Option<&Credential>,
        via: ConnectionReuse,
        outcome: &mut OutcomeRecorder,
    ) -> Result<OpenResponse, EgressFailure> {
        let RequestPlan {
            grant,
            endpoint,
            request,
            ..
        } = *plan;
        let connection = plan.connection();
        let mut attached = steps::fill_headers(connection, credential)?;
        let url = plan.url.clone();
        let url = steps::fill_url(grant, endpoint, request, url, credential, &mut attached)?;
        let needles = steps::needles(
            &self.needles,
            call,
            connection,
            credential,
            &attached.values,
        )?;
        call.attach(&connection.name, &needles);
        let sent = async {
            let approved = steps::resolve(&self.network, call, connection, &url).await?;
            let body_bytes = plan.body_bytes();
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
                plan.headers.clone(),
                request.body.clone(),
            )?;
            let tls = self
                .identities
                .for_connection(connection)
                .map_err(|error| {
                    tracing::debug!(connection = %connection.name, %error, "no TLS identity");
                    EgressFailure::denied(format!(
                        "connection {} has no usable `ca`",
                        connection.name
                    ))
                })?;
            outcome.set_address(approved.addresses().first());
            // Set before, so that a call that is dropped while it sends counts as sent.
            outcome.mark_sent();
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
                        outcome.mark_unsent()
                    }
                })?
                .into_parts();
            outcome.head(
                head.status.as_u16(),
                head.extensions.get::<RemoteAddress>().map(|peer| peer.0),
            );
            steps::cap_head(&call.grant().limits, &head)?;
            steps::partial_answer(connection, plan.may_be_partial, head.status)?;
            Ok((head, body))
        };
        let (head, body) = sent
            .await
            .map_err(|failure| steps::error_text(&needles, failure))?;
        Ok(OpenResponse {
            connection: connection.clone(),
            head,
            body,
            needles,
            is_accepted: plan.is_accepted,
        })
    }
}
