//! Sessions that nobody uses leave the process. What is kept of them in the store brings them back
//! with their next request, as it does after a restart; a session in the process is two tasks with
//! their channels, and in the store some hundred bytes.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::state::McpState;

/// A session without a request for so long is not in a conversation: a model that thinks takes
/// seconds.
const PARK_AFTER: Duration = Duration::from_secs(60);

/// How often it is looked.
const ROUND: Duration = Duration::from_secs(15);

/// From so many sessions that left at once, some megabytes, their memory is given back to the
/// system.
const MANY: usize = 64;

/// How long the transport may take to clear a session away, and how often it is looked.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(1);

impl McpState {
    /// Evicts idle sessions every [`ROUND`], until `shutdown`.
    pub(crate) async fn run_idle_eviction(&self, shutdown: &CancellationToken) {
        let rounds = async {
            loop {
                tokio::time::sleep(ROUND).await;
                self.evict_idle(PARK_AFTER).await;
            }
        };
        let _stopped = shutdown.run_until_cancelled(rounds).await;
    }

    /// Parks every session that was not used for so long; how many there were.
    pub(crate) async fn evict_idle(&self, idle_for: Duration) -> usize {
        let mut parked = 0;
        for id in self.in_use.idle(idle_for) {
            let _turn = self.lock_turn(&id).await;
            parked += usize::from(self.evict_in_turn(&id, idle_for).await);
        }
        if parked >= MANY {
            // What the sessions had lies between allocations of others, and the allocator keeps it.
            let _trimmed = tokio::task::spawn_blocking(toolhost_store::allocator::trim).await;
        }
        parked
    }

    /// Whoever comes meanwhile waits for the session's turn, which this has, and takes the session
    /// up again.
    async fn evict_in_turn(&self, id: &str, idle_for: Duration) -> bool {
        let leaves = self
            .in_use
            .forget_if_idle(id, idle_for, || self.owners.forget(id));
        if leaves {
            self.evict_and_wait(id).await;
        }
        leaves
    }

    /// Takes a session out of the process that gives way to another one; whether it went. Not where
    /// it is in use again, and not where its turn is taken: whoever asks may have that turn.
    pub(super) async fn try_evict(&self, id: &str) -> bool {
        match self.free_turn_of(id) {
            Some(_turn) => self.evict_in_turn(id, Duration::ZERO).await,
            None => false,
        }
    }

    /// Ends a session here, and waits until the transport has cleared it away: what it clears away
    /// goes by its id, and must not be the session that is taken up again under the same one.
    async fn evict_and_wait(&self, id: &str) {
        let handle = self.sessions.sessions.read().await.get(id).cloned();
        if let Some(handle) = handle {
            let _over = handle.close().await;
        }
        let cleared = async {
            while self.sessions.sessions.read().await.contains_key(id) {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(PATIENCE, cleared).await.is_err() {
            tracing::warn!("a session that was parked is still in the process");
        }
    }
}
