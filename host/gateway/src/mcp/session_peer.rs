use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rmcp::RoleServer;
use rmcp::service::Peer;

/// After so long the next request of a session goes through the transport, whatever it is:
/// otherwise the transport would take a session that is used for an idle one. Short against the
/// time that this takes.
const SHOWN: Duration = Duration::from_secs(60);

/// The client of a handler's session, as the transport showed it with its last request.
#[derive(Default)]
pub(super) struct SessionPeer(Mutex<Option<(Peer<RoleServer>, Instant)>>);

impl SessionPeer {
    /// The transport has brought a request.
    pub(super) fn set_peer(&self, client: &Peer<RoleServer>, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((client.clone(), now));
    }

    /// The client, unless the transport has to bring the next request too.
    pub(super) fn get(&self, now: Instant) -> Option<Peer<RoleServer>> {
        let client = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (client, at) = client.as_ref()?;
        (now.saturating_duration_since(*at) < SHOWN).then(|| client.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio_util::sync::CancellationToken;

    use super::{SHOWN, SessionPeer};
    use crate::mcp::null_peer::null_peer;

    #[tokio::test]
    async fn a_client_that_the_transport_has_not_shown_of_late_is_shown_by_it_again() {
        let (client, now) = (SessionPeer::default(), Instant::now());
        assert!(client.get(now).is_none());
        client.set_peer(&null_peer(CancellationToken::new()), now);
        assert!(client.get(now).is_some());
        assert!(client.get(now + SHOWN).is_none());
    }
}
