use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;
use toolhost_tenancy::Tenancy;

use crate::dispatcher::Dispatcher;
use crate::{CallPath, GatewayConfig, TenantSwitcher};

/// What every HTTP route shares. What one transport alone needs, it keeps itself.
pub(crate) struct SharedState {
    pub(crate) calls: Arc<dyn CallPath>,
    pub(crate) switching: Arc<TenantSwitcher>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) tenancy: Arc<Tenancy>,
    pub(crate) config: GatewayConfig,
    pub(crate) metadata_url: String,
    pub(crate) readiness: Readiness,
    /// Streams that wait for nothing in particular end; calls go on.
    pub(crate) draining: CancellationToken,
    /// Everything ends.
    pub(crate) stop: CancellationToken,
}

impl SharedState {
    pub(crate) fn new(
        calls: Arc<dyn CallPath>,
        tenancy: Arc<Tenancy>,
        switching: Arc<TenantSwitcher>,
        config: GatewayConfig,
    ) -> Self {
        let stop = CancellationToken::new();
        Self {
            dispatcher: Dispatcher::new(Arc::clone(&calls), Arc::clone(&switching)),
            metadata_url: config.metadata_url(),
            readiness: Readiness::default(),
            draining: stop.child_token(),
            calls,
            switching,
            tenancy,
            config,
            stop,
        }
    }
}

/// Whether `/ready` says yes: while the host serves, which [`crate::Gateway::serve`] begins and its
/// shutdown ends, and as long as the store and the audit record can be written.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<ReadinessState>);

#[derive(Debug, Default)]
struct ReadinessState {
    serves: AtomicBool,
    cannot_write: AtomicBool,
}

impl Readiness {
    /// What `/ready` says from now on.
    pub fn set(&self, ready: bool) {
        self.0.serves.store(ready, Ordering::Release);
    }

    /// Whether the store and the audit record can be written.
    pub fn set_writable(&self, writable: bool) {
        self.0.cannot_write.store(!writable, Ordering::Release);
    }

    /// What it says.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.serves.load(Ordering::Acquire) && !self.0.cannot_write.load(Ordering::Acquire)
    }
}
