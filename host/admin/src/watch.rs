use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use toolhost_audit::{Event, SpaceQuarantined};
use toolhost_store::Space;

use crate::Admin;

/// How often the store is asked which spaces it refuses. The refusal itself does not wait for this;
/// the record does.
const LOOK: Duration = Duration::from_secs(1);

impl Admin {
    /// Logs and records each space that the store begins to refuse, until `shutdown`.
    pub fn watch_quarantines(
        self: &Arc<Self>,
        shutdown: CancellationToken,
    ) -> tokio::task::JoinHandle<()> {
        let admin = Arc::clone(self);
        tokio::spawn(async move {
            let mut known: HashSet<Space> = HashSet::new();
            while shutdown
                .run_until_cancelled(tokio::time::sleep(LOOK))
                .await
                .is_some()
            {
                let refused = admin.parts.store.quarantined_spaces();
                // One that was restored and is damaged again is told again.
                known.retain(|space| refused.iter().any(|(other, _)| other == space));
                for (space, found) in refused {
                    if known.contains(&space) {
                        continue;
                    }
                    tracing::error!(%space, found, "a space is damaged and not served; host store check says more");
                    let event = SpaceQuarantined {
                        tenant: space.tenant().map(ToString::to_string),
                        found,
                    };
                    match admin.audit.record(&Event::SpaceQuarantined(event)).await {
                        Ok(()) => drop(known.insert(space)),
                        Err(error) => tracing::error!(%error, "a damaged space cannot be recorded"),
                    }
                }
            }
        })
    }
}
