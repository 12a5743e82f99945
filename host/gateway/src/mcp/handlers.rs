use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rmcp::RoleServer;
use rmcp::service::Peer;

use super::handler::Handler;

/// Entries before the first sweep.
const FEW: usize = 64;

/// The handlers of the sessions that are in this process, as long as the transport keeps them.
#[derive(Default)]
pub(super) struct Handlers(Mutex<HandlerTable>);

#[derive(Default)]
struct HandlerTable {
    of: HashMap<Box<str>, Weak<Handler>>,
    /// At how many entries those of ended sessions are looked for: twice as many as lived at the last look.
    sweep_at: usize,
}

impl Handlers {
    /// A session begins, or is taken up again.
    pub(super) fn put(&self, session: &str, handler: &Arc<Handler>) {
        let mut known = self.lock();
        if known.of.len() >= known.sweep_at.max(FEW) {
            known.of.retain(|_, handler| handler.strong_count() > 0);
            known.sweep_at = 2 * known.of.len();
        }
        known.of.insert(session.into(), Arc::downgrade(handler));
    }

    /// A session's handler. Whose session it is was asked before.
    pub(super) fn get(&self, session: &str) -> Option<Arc<Handler>> {
        self.lock().of.get(session)?.upgrade()
    }

    /// Each change is one step, so a panic elsewhere leaves the map whole.
    fn lock(&self) -> std::sync::MutexGuard<'_, HandlerTable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// After so long the next request of a session goes through the transport, whatever it is: otherwise the transport would
/// take a session that is used for an idle one. Short against the time that this takes.
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
    use crate::mcp::direct_request::null_peer;

    #[tokio::test]
    async fn a_client_that_the_transport_has_not_shown_of_late_is_shown_by_it_again() {
        let (client, now) = (SessionPeer::default(), Instant::now());
        assert!(client.get(now).is_none());
        client.set_peer(&null_peer(CancellationToken::new()), now);
        assert!(client.get(now).is_some());
        assert!(client.get(now + SHOWN).is_none());
    }
}
