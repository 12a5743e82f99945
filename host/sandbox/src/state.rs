use std::sync::{Arc, Mutex};
use std::time::Instant;

use toolhost_egress::{Egress, EgressCall};
use toolhost_policy::{Limit, Limits, PluginName};
use toolhost_store::{ArtifactStore, PluginKv};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::call::{CallContext, ProgressSink};
use crate::clock::{CoarseMonotonicClock, CoarseWallClock};
use crate::cpu::CpuBudget;
use crate::guests::SpinFlag;
use crate::imports::EgressHooks;
use crate::limiter::{CallLimiter, LimitHit};
use crate::log_lines::{CallLog, GuestStream, LogStream};

/// The most random bytes a guest gets at once; more is only a way to make the host allocate.
const MAX_RANDOM: u64 = 64 << 10;

/// What a store holds: the world of one call. It is made for the call and dropped with it.
pub(crate) struct HostState {
    pub(crate) table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: EgressHooks,
    pub(crate) limiter: CallLimiter,
    pub(crate) cpu: CpuBudget,
    pub(crate) log: Arc<Mutex<CallLog>>,
    pub(crate) scope: Option<CallScope>,
}

/// What a call may reach. While a plugin describes itself there is none: it reaches nothing.
pub(crate) struct CallScope {
    pub(crate) context: CallContext,
    pub(crate) egress: Arc<Egress>,
    pub(crate) kv: Arc<PluginKv>,
    pub(crate) kv_calls_left: u64,
    pub(crate) artifacts: Arc<ArtifactStore>,
    pub(crate) artifact_calls_left: u64,
    pub(crate) requests_left: u64,
    pub(crate) upstream_calls_left: u64,
}

/// How often an adapter may ask for what it keeps of its upstream: each is a question to the
/// provider of credentials. Twice for each of a call's requests, and as often again where other
/// calls are first.
const UPSTREAM_CALLS: u64 = 1_000;

/// Requests that a guest may ask for beyond its budget before the call ends: enough to meet the
/// refusal and handle it, too few to fill the audit record with refusals.
const REFUSALS: u64 = 100;

impl CallScope {
    pub(crate) fn new(
        context: CallContext,
        egress: Arc<Egress>,
        kv: Arc<PluginKv>,
        artifacts: Arc<ArtifactStore>,
    ) -> Self {
        let (kv_calls_left, http_calls) = (context.limits.kv_calls, context.limits.http_calls);
        let artifact_calls_left = context.limits.artifact_calls;
        Self {
            context,
            egress,
            kv,
            kv_calls_left,
            artifacts,
            artifact_calls_left,
            requests_left: http_calls.saturating_add(REFUSALS),
            upstream_calls_left: UPSTREAM_CALLS,
        }
    }

    /// The way out for one more request.
    pub(crate) fn take_request(&mut self) -> Result<(Arc<Egress>, Arc<EgressCall>), LimitHit> {
        self.requests_left = self
            .requests_left
            .checked_sub(1)
            .ok_or(LimitHit(Limit::http_calls))?;
        Ok((Arc::clone(&self.egress), Arc::clone(&self.context.egress)))
    }

    pub(crate) fn egress_call(&self) -> &Arc<EgressCall> {
        &self.context.egress
    }

    pub(crate) fn progress(&self) -> Option<&dyn ProgressSink> {
        self.context.progress.as_deref()
    }
}

impl HostState {
    pub(crate) fn new(
        plugin: PluginName,
        call: u64,
        limits: &Limits,
        scope: Option<CallScope>,
        spun: SpinFlag,
    ) -> Self {
        let sink = scope.as_ref().and_then(|scope| scope.context.log.clone());
        let reach = scope
            .as_ref()
            .map(|scope| (Arc::clone(&scope.egress), Arc::clone(scope.egress_call())));
        let log = Arc::new(Mutex::new(CallLog::new(
            plugin,
            call,
            limits,
            sink,
            reach.clone(),
        )));
        let mut table = ResourceTable::new();
        table.set_max_capacity(usize::try_from(limits.handles).unwrap_or(usize::MAX));
        // Empty: no files, no environment, no arguments, no sockets, no standard input.
        let wasi = WasiCtx::builder()
            .stdout(LogStream::new(Arc::clone(&log), GuestStream::Out))
            .stderr(LogStream::new(Arc::clone(&log), GuestStream::Error))
            .max_random_size(MAX_RANDOM)
            .wall_clock(CoarseWallClock)
            .monotonic_clock(CoarseMonotonicClock(Instant::now()))
            .build();
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(
            usize::try_from(limits.header_bytes.saturating_mul(4)).unwrap_or(usize::MAX),
        );
        Self {
            table,
            wasi,
            http,
            hooks: EgressHooks::new(reach, limits),
            limiter: CallLimiter::new(limits),
            cpu: CpuBudget::new(limits.cpu_ms, spun),
            log,
            scope,
        }
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for HostState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.hooks,
        }
    }
}
