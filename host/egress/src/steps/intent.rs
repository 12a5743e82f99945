use toolhost_audit::{Actor, EgressIntent, Event, Sink};
use toolhost_net::ApprovedAddresses;
use toolhost_policy::{Connection, Endpoint};
use toolhost_vault::Credential;

use crate::{EgressCall, EgressFailure};

/// Records that the request is about to leave. What cannot be recorded does not happen (T55),
/// except for a read where the operator has said so.
///
/// # Errors
/// `denied`: the audit record cannot be written.
pub async fn intent(
    sink: &dyn Sink,
    call: &EgressCall,
    connection: &Connection,
    endpoint: &Endpoint,
    credential: Option<&Credential>,
    approved: &ApprovedAddresses,
    request_bytes: usize,
) -> Result<(), EgressFailure> {
    let addresses: Vec<String> = approved
        .addresses()
        .iter()
        .map(ToString::to_string)
        .collect();
    let method = endpoint.method.to_string();
    let is_optional = call.may_go_unrecorded(sink, &method);
    let event = Event::EgressIntent(EgressIntent {
        call: call.id(),
        who: Actor::from(call.binding()),
        plugin: call.plugin().to_string(),
        connection: connection.name.to_string(),
        method,
        path: endpoint.path.to_string(),
        address: addresses.join(" "),
        credential_version: credential.map(|credential| credential.version),
        request_bytes: request_bytes as u64,
    });
    match sink.record(&event).await {
        Ok(()) => Ok(()),
        Err(error) if is_optional => {
            tracing::warn!(call = call.id(), %error, "a read goes unrecorded");
            Ok(())
        }
        Err(error) => {
            tracing::error!(call = call.id(), %error, "a request was stopped");
            Err(EgressFailure::denied(
                "the request cannot be recorded, so it was not sent",
            ))
        }
    }
}
