use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use toolhost_audit::{OnFailure, Sink};
use toolhost_identity::Binding;
use toolhost_policy::{
    ConnectionName, Grant, Limits, Operation, OperationMode, OverBudget, PluginName, TenantMeter,
};

use crate::refusals::EgressRefusals;
use crate::scrub::{Needles, scrub_whole};
use crate::upstream_state::MAX_NOTE;
use crate::{HostWork, UpstreamStateError};

/// The longest wait that is passed on, in seconds: a day. Nobody waits longer on the word of an
/// outside system.
pub const MAX_RETRY_AFTER: u64 = 86_400;

/// A text of a guest that may not be handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialHit {
    /// Whose credential it holds.
    pub connection: ConnectionName,
    /// It was found. Otherwise the text is encoded so often within itself that nobody knows, which
    /// whoever has chosen a tool's arguments can cause: it counts for nothing.
    pub is_certain: bool,
}

/// What every request of one tool call shares: whose call it is, what the plugin was granted, until
/// when, and how many requests it has made. Stage five of a call: each request is planned from it.
#[derive(Debug)]
pub struct EgressCall {
    binding: Binding,
    grant: Arc<Grant>,
    call: u64,
    deadline: Instant,
    is_read_only: bool,
    mode: OperationMode,
    blocked: AtomicBool,
    meter: Option<Arc<TenantMeter>>,
    requests: AtomicU64,
    attached: Mutex<Vec<(ConnectionName, Arc<Needles>)>>,
    /// Connections that have sent their credential back.
    ended: Mutex<BTreeSet<ConnectionName>>,
    /// The first credential in what the guest wrote before its result.
    output_hit: Mutex<Option<CredentialHit>>,
    credential_wait: Mutex<Option<u64>>,
    adapter: Option<AdapterPin>,
    note: Mutex<Vec<u8>>,
    refusals: Arc<EgressRefusals>,
}

/// What a call of an adapter is held to.
#[derive(Debug, Clone)]
struct AdapterPin {
    connection: ConnectionName,
    operation: Option<Arc<Operation>>,
}

impl EgressCall {
    pub(crate) fn new(binding: Binding, grant: Arc<Grant>, call: u64, deadline: Instant) -> Self {
        Self {
            binding,
            grant,
            call,
            deadline,
            is_read_only: false,
            mode: OperationMode::Full,
            blocked: AtomicBool::new(false),
            meter: None,
            requests: AtomicU64::new(0),
            attached: Mutex::default(),
            ended: Mutex::default(),
            output_hit: Mutex::default(),
            credential_wait: Mutex::default(),
            adapter: None,
            note: Mutex::default(),
            refusals: Arc::default(),
        }
    }

    /// The requests of this call that were refused.
    pub(crate) fn refusals(&self) -> &Arc<EgressRefusals> {
        &self.refusals
    }

    /// What its tenant has used, where that is counted.
    pub(crate) fn meter(&self) -> Option<&Arc<TenantMeter>> {
        self.meter.as_ref()
    }

    /// Says that an adapter runs, which serves this connection and names none, and to which
    /// operation each of its requests is held. Without one it asks what there is: then only what
    /// the grant's endpoints have passes.
    #[must_use]
    pub fn of_adapter(
        mut self,
        connection: ConnectionName,
        operation: Option<Arc<Operation>>,
    ) -> Self {
        self.adapter = Some(AdapterPin {
            connection,
            operation,
        });
        self
    }

    /// The connection that an adapter serves; `None` for a plugin.
    #[must_use]
    pub fn adapter(&self) -> Option<&ConnectionName> {
        self.adapter.as_ref().map(|adapter| &adapter.connection)
    }

    pub(crate) fn operation(&self) -> Option<&Operation> {
        self.adapter.as_ref()?.operation.as_deref()
    }

    /// Whether a guest sets cookies of its own: an adapter, where the operation has some.
    pub(crate) fn may_set_cookies(&self) -> bool {
        self.operation()
            .is_some_and(|operation| !operation.cookies.is_empty())
    }

    /// Remembers what the upstream is to be told if this call is dropped; an empty note: nothing.
    /// The last one counts.
    ///
    /// # Errors
    /// No adapter calls, or the note is too long.
    pub fn on_cancel(&self, note: Vec<u8>) -> Result<(), UpstreamStateError> {
        if self.adapter.is_none() {
            return Err(UpstreamStateError::Denied);
        }
        if note.len() > MAX_NOTE {
            return Err(UpstreamStateError::NoteTooLong);
        }
        *self.note.lock().unwrap_or_else(PoisonError::into_inner) = note;
        Ok(())
    }

    /// A call of the same caller, grant, operation and mode, to say that this one was dropped: with
    /// a deadline and bounds of its own, and under its number, so that the record has both
    /// together.
    #[must_use]
    pub fn for_cancellation(&self, deadline: Instant, limits: Limits) -> Self {
        let grant = Grant {
            limits,
            ..(*self.grant).clone()
        };
        let mut call = Self::new(self.binding.clone(), Arc::new(grant), self.call, deadline)
            .of_read_only_tool(self.is_read_only)
            .with_mode(self.mode);
        call.meter = self.meter.clone();
        call.adapter = self.adapter.clone();
        call
    }

    /// Takes the note, if there is one to be told: whoever has it tells it, and nobody else.
    #[must_use]
    pub fn take_note(&self) -> Option<Vec<u8>> {
        let note = std::mem::take(&mut *self.note.lock().unwrap_or_else(PoisonError::into_inner));
        (!note.is_empty()).then_some(note)
    }

    /// Whether it has made a request.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        self.requests.load(Ordering::Relaxed) > 0
    }

    /// Whoever keeps a credential asked to wait, for so many seconds where it said: at most a day,
    /// whatever it said.
    pub(crate) fn wait_for_credential(&self, seconds: Option<u64>) {
        let seconds = seconds.map(|seconds| seconds.clamp(1, MAX_RETRY_AFTER));
        let mut wait = self
            .credential_wait
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *wait = (*wait).max(seconds);
    }

    /// For how many seconds whoever keeps a credential of this call asked to wait, where it did.
    #[must_use]
    pub fn credential_wait(&self) -> Option<u64> {
        *self
            .credential_wait
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether the tool changes nothing, by its own word. Until then it may.
    #[must_use]
    pub fn of_read_only_tool(mut self, is_read_only: bool) -> Self {
        self.is_read_only = is_read_only;
        self
    }

    /// Says what the call may do at most, whatever its tool says of itself. Until then it may do
    /// all that was granted.
    #[must_use]
    pub fn with_mode(mut self, mode: OperationMode) -> Self {
        self.mode = mode;
        self
    }

    /// What the call may do at most.
    #[must_use]
    pub fn mode(&self) -> OperationMode {
        self.mode
    }

    /// Remembers that the guest tried more than the mode lets.
    pub fn block(&self) {
        self.blocked.store(true, Ordering::Release);
    }

    /// Whether it did.
    #[must_use]
    pub fn was_blocked(&self) -> bool {
        self.blocked.load(Ordering::Acquire)
    }

    /// Says where the tenant's requests are counted. Until then they are not.
    #[must_use]
    pub fn with_meter(mut self, meter: Arc<TenantMeter>) -> Self {
        self.meter = Some(meter);
        self
    }

    /// Whether a request may go unrecorded where the operator serves reads without a record: it
    /// changes nothing, and neither does its tool.
    pub(crate) fn may_go_unrecorded(&self, sink: &dyn Sink, method: &str) -> bool {
        sink.on_failure() == OnFailure::ServeReads
            && self.is_read_only
            && toolhost_audit::is_safe(method)
    }

    /// The snapshot that the call runs under.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        &self.binding
    }

    /// What the plugin was granted.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// The call's number, unique in this process.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.call
    }

    /// The plugin's name.
    #[must_use]
    pub fn plugin(&self) -> &PluginName {
        &self.grant.plugin
    }

    /// Nothing that this call does outlasts it.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Where the host's own work for this call runs, within a request of its guest.
    #[must_use]
    pub fn host_work(&self) -> HostWork {
        HostWork::within_guest(self.meter.clone(), self.deadline)
            .on_bytes(self.grant.limits.response_bytes)
    }

    /// The connection whose credential a text holds, in any spelling, of those that this call has
    /// put on a request. Responses are scrubbed before the guest has them; this is for what the
    /// guest itself says.
    #[must_use]
    pub fn credential_in(&self, text: &[u8]) -> Option<CredentialHit> {
        let attached = self
            .attached
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut uncertain = None;
        for (connection, needles) in attached {
            let (scrubbed, reflections) =
                scrub_whole(&needles.secret, Bytes::copy_from_slice(text), false);
            let is_certain = reflections > 0;
            let hit = (scrubbed.is_err() || is_certain).then_some(CredentialHit {
                connection,
                is_certain,
            });
            if is_certain {
                return hit;
            }
            uncertain = uncertain.or(hit);
        }
        uncertain
    }

    /// The connection whose credential a text holds that the guest writes before its result: an
    /// artifact, progress, a log line. Once one held a credential every text counts as holding it,
    /// or one guess would follow the other.
    #[must_use]
    pub fn credential_in_output(&self, text: &[u8]) -> Option<CredentialHit> {
        let before = self.lock_output_hit().clone();
        before.or_else(|| self.credential_in(text))
    }

    /// Remembers a certain hit in what the guest writes before its result; whether it is the call's
    /// first.
    pub(crate) fn remember_output_hit(&self, hit: &CredentialHit) -> bool {
        let mut first = self.lock_output_hit();
        let is_first = hit.is_certain && first.is_none();
        if is_first {
            *first = Some(hit.clone());
        }
        is_first
    }

    fn lock_output_hit(&self) -> MutexGuard<'_, Option<CredentialHit>> {
        self.output_hit
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what to look for in the call's result.
    pub(crate) fn attach(&self, connection: &ConnectionName, needles: &Arc<Needles>) {
        let mut attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
        if !attached
            .iter()
            .any(|(_, known)| Arc::ptr_eq(known, needles))
        {
            attached.push((connection.clone(), Arc::clone(needles)));
        }
    }

    /// The call may not use the connection any more. Whether it might until now.
    pub(crate) fn end_connection(&self, connection: &ConnectionName) -> bool {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.insert(connection.clone())
    }

    /// Whether the connection has sent its credential back in this call.
    pub(crate) fn has_ended(&self, connection: &ConnectionName) -> bool {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.contains(connection)
    }

    /// Takes one request out of the budget. Two at once never take the same one.
    pub(crate) fn take_request(&self) -> Result<(), u64> {
        let most = self.grant.limits.http_calls;
        let take = |made: u64| (made < most).then_some(made + 1);
        match self
            .requests
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        {
            Ok(_) => Ok(()),
            Err(_) => Err(most),
        }
    }

    /// The host's connections have held a thread for so long on behalf of this call's tenant.
    pub(crate) fn spend(&self, time: Duration) {
        if let Some(meter) = &self.meter {
            meter.spend_cpu(time, Instant::now());
        }
    }

    /// Takes one request with a body of so many bytes out of the tenant's budget.
    pub(crate) fn take_of_tenant(&self, body_bytes: u64) -> Result<(), OverBudget> {
        match &self.meter {
            None => Ok(()),
            Some(meter) => meter.send(body_bytes, Instant::now()),
        }
    }
}
