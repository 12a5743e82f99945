use toolhost_audit::{EgressIntent, Event, Sink, Who};
use toolhost_net::Approved;
use toolhost_policy::{Connection, Endpoint};

use crate::{EgressCall, EgressFailure};

/// Records that the request is about to leave. What cannot be recorded does not happen (T55).
///
/// # Errors
/// `denied`: the audit record cannot be written.
pub fn intent(
    sink: &dyn Sink,
    call: &EgressCall,
    connection: &Connection,
    endpoint: &Endpoint,
    approved: &Approved,
    request_bytes: usize,
) -> Result<(), EgressFailure> {
    let addresses: Vec<String> = approved.addresses().iter().map(ToString::to_string).collect();
    let event = Event::EgressIntent(EgressIntent {
        call: call.id(),
        who: Who::from(call.binding()),
        plugin: call.plugin().to_string(),
        connection: connection.name.to_string(),
        method: endpoint.method.to_string(),
        path: endpoint.path.to_string(),
        address: addresses.join(" "),
        request_bytes: request_bytes as u64,
    });
    sink.record(&event).map_err(|error| {
        tracing::error!(call = call.id(), %error, "a request was stopped");
        EgressFailure::denied("the request cannot be recorded, so it was not sent")
    })
}
