//! What a system is told of a call that was dropped before it ended.
//!
//! Nobody waits for it, so it is small and short: one instance a dropped call, a few at once,
//! seconds. A tenant has its share of the places, as it has of the slots.

use std::sync::Arc;
use std::time::{Duration, Instant};

use toolhost_egress::EgressCall;
use toolhost_policy::{Limits, PluginName, TenantMeter};
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::bindings::exports::toolhost::plugin::adapter::GuestIndices;
use crate::component::Export;
use crate::contract::Failure;
use crate::slots::Slots;
use crate::state::HostState;
use crate::{AdapterComponent, CallContext, GuestOutcome, Sandbox, SandboxError};

/// From the drop to the end of the telling. A system that takes longer to hear that nobody waits
/// has ended by itself.
const DEADLINE: Duration = Duration::from_secs(2);

/// CPU of a telling, in milliseconds: it writes one request.
const CPU_MS: u64 = 200;

/// Requests of a telling, with one to spare.
const HTTP_CALLS: u64 = 2;

/// Tellings at once, for all tenants, shared as slots are: a caller that drops calls by the hundred
/// must not become a flood at the upstream.
const AT_ONCE: u32 = 16;

/// Tellings that wait for their turn or have it, shared likewise. Each keeps a note of at most 4
/// KiB for two seconds; of calls that are dropped faster than this the rest is only counted.
const WAITING: u32 = 512;

/// How long a telling waits for a slot before it looks again.
const PAUSE: Duration = Duration::from_millis(50);

/// The places of those that tell.
pub(crate) struct CancellationSlots {
    waiting: Arc<Slots>,
    telling: Arc<Slots>,
}

impl Default for CancellationSlots {
    fn default() -> Self {
        // They hold no thread of the guests; the call that each makes does.
        Self {
            waiting: Arc::new(Slots::new(WAITING, 1)),
            telling: Arc::new(Slots::new(AT_ONCE, 1)),
        }
    }
}

impl CancellationSlots {
    fn is_idle(&self) -> bool {
        self.waiting.free_count() == WAITING as usize
    }
}

impl Sandbox {
    /// Waits until no call runs and the systems behind dropped ones were told of them, for at most
    /// as long as a telling may take: before the process ends.
    pub async fn wait_until_drained(&self) {
        let slots = self.inner.settings.slots as usize;
        let idle = async {
            while self.free_slots() < slots || !self.inner.tellings.is_idle() {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let _late = tokio::time::timeout(DEADLINE, idle).await;
    }
}

/// Why a call of an adapter ended without an answer, as the metric names it.
#[derive(Debug, Clone, Copy)]
enum CancelReason {
    /// Its caller went away or cancelled it, or the host stops.
    Caller,
    Timeout,
    Limit,
    Failed,
}

impl CancelReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Timeout => "timeout",
            Self::Limit => "limit",
            Self::Failed => "failed",
        }
    }
}

/// Tells the system when it is dropped, if the call has left a note by then. A call that was
/// answered has left none.
pub(crate) struct CancelOnDrop {
    adapter: AdapterComponent,
    descriptor: Arc<[u8]>,
    plugin: PluginName,
    egress: Arc<EgressCall>,
    limits: Arc<Limits>,
    meter: Option<Arc<TenantMeter>>,
    /// `None` once the call was answered.
    reason: Option<CancelReason>,
}

impl AdapterComponent {
    pub(crate) fn cancel_on_drop(
        &self,
        context: &CallContext,
        descriptor: Arc<[u8]>,
    ) -> CancelOnDrop {
        CancelOnDrop {
            adapter: self.clone(),
            descriptor,
            plugin: context.plugin.clone(),
            egress: Arc::clone(&context.egress),
            limits: Arc::clone(&context.limits),
            meter: context.meter.clone(),
            reason: Some(CancelReason::Caller),
        }
    }

    /// Tells, and tries again while no slot is free: that of the dropped call is about to be.
    async fn send_cancellation(
        &self,
        call: &DroppedCall,
    ) -> Result<Result<(), Failure>, SandboxError> {
        let tenant = call.egress.binding().tenant();
        let _place = loop {
            match self.loaded.sandbox.tellings.telling.take(Some(tenant)) {
                Ok(place) => break place,
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        };
        loop {
            let context = CallContext {
                call: call.egress.id(),
                binding: call.egress.binding().clone(),
                plugin: call.plugin.clone(),
                limits: Arc::clone(&call.limits),
                egress: Arc::clone(&call.egress),
                meter: call.meter.clone(),
                progress: None,
                log: None,
            };
            let (id, plugin, limits) = (
                context.call,
                context.plugin.clone(),
                Arc::clone(&context.limits),
            );
            let cancel = CancelExport(
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

impl CancelOnDrop {
    /// The call has come to an end of its own.
    pub(crate) fn mark_ended(&mut self, answered: &Result<GuestOutcome, SandboxError>) {
        self.reason = match answered {
            // The note of one that heard of its deadline in time is still there.
            Ok(answered) => answered.is_late().then_some(CancelReason::Timeout),
            Err(SandboxError::Timeout(_)) => Some(CancelReason::Timeout),
            Err(SandboxError::Limit { .. }) => Some(CancelReason::Limit),
            Err(_) => Some(CancelReason::Failed),
        };
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let Some(reason) = self.reason else { return };
        let Some(note) = self.egress.take_note() else {
            // Its requests are closed with it, which is all that such a system understands.
            if self.egress.has_sent() {
                count("closed", reason);
            }
            return;
        };
        let tellings = &self.adapter.loaded.sandbox.tellings;
        let Ok(place) = tellings.waiting.take(Some(self.egress.binding().tenant())) else {
            count("dropped", reason);
            return;
        };
        let limits = Limits {
            cpu_ms: CPU_MS.min(self.limits.cpu_ms),
            wall_ms: u64::try_from(DEADLINE.as_millis()).unwrap_or(u64::MAX),
            http_calls: HTTP_CALLS.min(self.limits.http_calls),
            ..(*self.limits).clone()
        };
        let until = Instant::now() + DEADLINE;
        let call = DroppedCall {
            egress: Arc::new(self.egress.for_cancellation(until, limits.clone())),
            descriptor: Arc::clone(&self.descriptor),
            plugin: self.plugin.clone(),
            limits: Arc::new(limits),
            meter: self.meter.clone(),
            note,
        };
        let adapter = self.adapter.clone();
        self.adapter.loaded.sandbox.guests.spawn(async move {
            let told = tokio::time::timeout(DEADLINE, adapter.send_cancellation(&call)).await;
            let id = call.egress.id();
            match told {
                Ok(Ok(Ok(()))) => count("told", reason),
                Ok(Ok(Err(failure))) => {
                    count("failed", reason);
                    tracing::debug!(
                        call = id,
                        code = failure.code,
                        "the system could not be told of a dropped call"
                    );
                }
                Ok(Err(error)) => {
                    count("failed", reason);
                    tracing::debug!(call = id, %error, "the system could not be told of a dropped call");
                }
                Err(_) => count("late", reason),
            }
            drop(place);
        });
    }
}

fn count(outcome: &'static str, reason: CancelReason) {
    metrics::counter!("toolhost_cancels_total", "outcome" => outcome, "reason" => reason.as_str())
        .increment(1);
}

/// A call that is no more, and what is to be said of it.
struct DroppedCall {
    egress: Arc<EgressCall>,
    descriptor: Arc<[u8]>,
    plugin: PluginName,
    limits: Arc<Limits>,
    meter: Option<Arc<TenantMeter>>,
    note: Vec<u8>,
}

struct CancelExport(GuestIndices, Arc<[u8]>, Vec<u8>);

impl Export for CancelExport {
    type Answer = Result<(), Failure>;

    async fn call(
        self,
        instance: &Instance,
        store: &mut Store<HostState>,
    ) -> wasmtime::Result<Self::Answer> {
        let adapter = self.0.load(&mut *store, instance)?;
        adapter.call_cancel(store, &self.1, &self.2).await
    }
}
