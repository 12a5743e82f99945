use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use toolhost_identity::{Operator, TenantSpace};
use toolhost_store::{Space, Store};

use super::TenantSwitcher;

/// From one round to the next. What is idle is refused without it; it only makes room.
const ROUND: Duration = Duration::from_secs(600);
/// Up to this much more, so that hosts of one store do not sweep at once.
const JITTER_MS: u64 = 120_000;
/// Between two spaces, so that a round is nothing that calls could notice.
const PAUSE: Duration = Duration::from_millis(20);

impl TenantSwitcher {
    /// Sweeps what is idle out of every space of a store, one after the other, now and then, until
    /// `shutdown`.
    pub fn keep_swept(
        self: &Arc<Self>,
        store: Arc<dyn Store>,
        shutdown: CancellationToken,
    ) -> tokio::task::JoinHandle<()> {
        let switching = Arc::clone(self);
        tokio::spawn(async move {
            let rounds = async {
                loop {
                    tokio::time::sleep(ROUND + jitter()).await;
                    switching.sweep(store.as_ref()).await;
                }
            };
            let _stopped = shutdown.run_until_cancelled(rounds).await;
        })
    }

    /// One round; how many sessions and contexts were over. A space that cannot be swept is left to
    /// the next round.
    pub async fn sweep(&self, store: &dyn Store) -> u64 {
        let tenants = match store.tenants().await {
            Ok(tenants) => tenants,
            Err(error) => {
                tracing::warn!(%error, "idle sessions cannot be swept");
                return 0;
            }
        };
        let by = Operator::of_this_process();
        let spaces = tenants
            .into_iter()
            .map(|id| Space::Tenant(TenantSpace::of_operator(id, &by)));
        let mut swept = 0;
        for space in std::iter::once(Space::Host).chain(spaces) {
            for result in [
                self.sessions.sweep(&space).await,
                self.contexts.sweep(&space).await,
            ] {
                match result {
                    Ok(count) => swept += count,
                    Err(error) => {
                        tracing::warn!(%error, %space, "idle sessions of a space cannot be swept")
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        tracing::debug!(swept, "idle sessions were swept");
        swept
    }
}

/// Without randomness hosts sweep at once, which costs nothing but time.
fn jitter() -> Duration {
    let random = getrandom::u64().unwrap_or_default();
    Duration::from_millis(random % JITTER_MS)
}
