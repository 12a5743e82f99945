//! What a system is told of a call that was dropped before it ended.
//!
//! Nobody waits for it, so it is small, short and rare: one instance a dropped call, a few at once, seconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use toolhost_egress::EgressCall;
use toolhost_policy::{Limits, PluginName, TenantMeter};
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::bindings::exports::toolhost::plugin::adapter::GuestIndices;
use crate::component::Export;
use crate::contract::Failure;
use crate::state::HostState;
use crate::{Adapter, CallContext, SandboxError};

/// From the drop to the end of the telling. A system that takes longer to hear that nobody waits has ended by itself.
const DEADLINE: Duration = Duration::from_secs(2);

/// CPU of a telling, in milliseconds: it writes one request.
const CPU_MS: u64 = 200;

/// Requests of a telling, with one to spare.
const HTTP_CALLS: u64 = 2;

/// Tellings at once, for all tenants: a caller that drops calls by the hundred must not become a flood at the upstream.
pub(crate) const AT_ONCE: usize = 16;

/// How long a telling waits for a slot before it looks again.
const PAUSE: Duration = Duration::from_millis(50);

/// Tells the system when it is dropped, if the call has left a note by then. A call that ended has left none.
pub(crate) struct Told {
    adapter: Adapter,
    descriptor: Arc<[u8]>,
    plugin: PluginName,
    egress: Arc<EgressCall>,
    limits: Arc<Limits>,
    meter: Option<Arc<TenantMeter>>,
}

impl Adapter {
    pub(crate) fn told_if_dropped(&self, context: &CallContext, descriptor: Arc<[u8]>) -> Told {
        Told {
            adapter: self.clone(),
            descriptor,
            plugin: context.plugin.clone(),
            egress: Arc::clone(&context.egress),
            limits: Arc::clone(&context.limits),
            meter: context.meter.clone(),
        }
    }

    /// Tells, and tries again while no slot is free: that of the dropped call is about to be.
    async fn tell(&self, call: &Dropped) -> Result<Result<(), Failure>, SandboxError> {
        loop {
            let context = CallContext {
                call: call.egress.id(),
                binding: call.egress.binding().clone(),
                plugin: call.plugin.clone(),
                limits: Arc::clone(&call.limits),
                egress: Arc::clone(&call.egress),
                meter: call.meter.clone(),
                progress: None,
            };
            let (id, plugin, limits) = (context.call, context.plugin.clone(), Arc::clone(&context.limits));
            let cancel = Cancel(
                self.indices.clone(),
                Arc::clone(&call.descriptor),
                call.note.clone(),
            );
            let scope = Some(self.loaded.scope(context));
            match self.loaded.run(plugin, id, limits, scope, cancel).await {
                Err(SandboxError::Busy | SandboxError::Share) => tokio::time::sleep(PAUSE).await,
                ended => return ended,
            }
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let Some(note) = self.egress.take_note() else {
            return;
        };
        let sandbox = &self.adapter.loaded.sandbox;
        let Ok(permit) = Arc::clone(&sandbox.cancels).try_acquire_owned() else {
            count("dropped");
            return;
        };
        let limits = Limits {
            cpu_ms: CPU_MS.min(self.limits.cpu_ms),
            wall_ms: u64::try_from(DEADLINE.as_millis()).unwrap_or(u64::MAX),
            http_calls: HTTP_CALLS.min(self.limits.http_calls),
            ..(*self.limits).clone()
        };
        let until = Instant::now() + DEADLINE;
        let call = Dropped {
            egress: Arc::new(self.egress.to_tell(until, limits.clone())),
            descriptor: Arc::clone(&self.descriptor),
            plugin: self.plugin.clone(),
            limits: Arc::new(limits),
            meter: self.meter.clone(),
            note,
        };
        let adapter = self.adapter.clone();
        sandbox.guests.spawn(async move {
            let told = tokio::time::timeout(DEADLINE, adapter.tell(&call)).await;
            drop(permit);
            let id = call.egress.id();
            match told {
                Ok(Ok(Ok(()))) => count("told"),
                Ok(Ok(Err(failure))) => {
                    count("failed");
                    tracing::debug!(
                        call = id,
                        code = failure.code,
                        "the system could not be told of a dropped call"
                    );
                }
                Ok(Err(error)) => {
                    count("failed");
                    tracing::debug!(call = id, %error, "the system could not be told of a dropped call");
                }
                Err(_) => count("late"),
            }
        });
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("toolhost_cancels_total", "outcome" => outcome).increment(1);
}

/// A call that is no more, and what is to be said of it.
struct Dropped {
    egress: Arc<EgressCall>,
    descriptor: Arc<[u8]>,
    plugin: PluginName,
    limits: Arc<Limits>,
    meter: Option<Arc<TenantMeter>>,
    note: Vec<u8>,
}

struct Cancel(GuestIndices, Arc<[u8]>, Vec<u8>);

impl Export for Cancel {
    type Answer = Result<(), Failure>;

    async fn call(self, instance: &Instance, store: &mut Store<HostState>) -> wasmtime::Result<Self::Answer> {
        let adapter = self.0.load(&mut *store, instance)?;
        adapter.call_cancel(store, &self.1, &self.2).await
    }
}
