use http::{Request, Response};
use toolhost_net::{
    ApprovedAddresses, ClientKey, ConnectionReuse, NetError, NetErrorKind, Network, RequestBody,
    ResponseBody, Timeouts, TlsIdentity,
};
use toolhost_policy::Connection;
use url::Url;

use crate::{EgressCall, EgressCode, EgressFailure};

/// Sends the request to one of the approved addresses, over connections that this tenant's use of
/// this connection has to itself, and waits for the head of the response: no proxy, no redirect
/// (T5, T6).
///
/// # Errors
/// `timeout`, `upstream` or `denied`; `sent` is as certain as the network can be.
#[expect(
    clippy::too_many_arguments,
    reason = "each is what an earlier step has made"
)]
pub async fn send(
    network: &Network,
    tls: &TlsIdentity,
    call: &EgressCall,
    connection: &Connection,
    url: &Url,
    request: Request<RequestBody>,
    approved: &ApprovedAddresses,
    via: ConnectionReuse,
) -> Result<Response<ResponseBody>, EgressFailure> {
    let key = ClientKey::tenant(
        call.binding().tenant().as_str(),
        connection.name.as_str(),
        url,
    );
    let timeouts = Timeouts {
        first_byte: call.grant().limits.first_byte(),
        deadline: call.deadline(),
    };
    let sent = match network.client(key, tls) {
        Ok(client) => {
            let sent = client.send_via(via, request, approved, timeouts).await;
            call.spend(client.take_cpu());
            sent
        }
        Err(error) => Err(error),
    };
    sent.map_err(|error| failure(connection, call, &error))
}

/// What a guest learns of a failure on the way: no address, no host, nothing that came from
/// outside.
pub(super) fn failure(
    connection: &Connection,
    call: &EgressCall,
    error: &NetError,
) -> EgressFailure {
    tracing::debug!(connection = %connection.name, call = call.id(), %error, sent = error.sent, "a request failed");
    let name = &connection.name;
    let (code, message) = match error.kind {
        NetErrorKind::Host(_)
        | NetErrorKind::Address(_)
        | NetErrorKind::UserInfo
        | NetErrorKind::Scheme => (
            EgressCode::Denied,
            format!("connection {name} leads to a place that is not allowed"),
        ),
        NetErrorKind::Mismatch | NetErrorKind::Peer => (
            EgressCode::Denied,
            format!("connection {name} leads to another place than was approved"),
        ),
        NetErrorKind::ConnectTimeout => (
            EgressCode::Timeout,
            format!("connection {name} could not be reached in time"),
        ),
        NetErrorKind::Timeout => (
            EgressCode::Timeout,
            format!("connection {name} did not answer in time"),
        ),
        NetErrorKind::Sockets => (
            EgressCode::Timeout,
            format!(
                "connection {name} got no socket in time: too many are open to outside systems; try again"
            ),
        ),
        NetErrorKind::Tls(_) => (
            EgressCode::Upstream,
            format!("TLS with connection {name} failed"),
        ),
        NetErrorKind::Flood => (
            EgressCode::Upstream,
            format!("connection {name} sends more than its answers, and was closed"),
        ),
        NetErrorKind::Upgrade => (
            EgressCode::Upstream,
            format!("connection {name} tried to switch protocols"),
        ),
        NetErrorKind::Closed => (
            EgressCode::Upstream,
            format!("connection {name} closed before its answer was complete"),
        ),
        NetErrorKind::Protocol => (
            EgressCode::Upstream,
            format!("connection {name} did not answer in HTTP"),
        ),
        _ => (
            EgressCode::Upstream,
            format!("connection {name} could not be reached"),
        ),
    };
    EgressFailure {
        code,
        message,
        sent: error.sent,
        stale: error.stale,
    }
}
