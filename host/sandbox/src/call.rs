use std::sync::Arc;

use toolhost_egress::EgressCall;
use toolhost_identity::{Binding, TenantId};
use toolhost_policy::{Limit, Limits, PluginName, TenantMeter};
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::bindings::exports::toolhost::plugin::tools::GuestIndices;
use crate::component::{Export, LoadedComponent};
use crate::contract::{Failure, Invocation, Outcome, Output, Tool};
use crate::guests::SpinFlag;
use crate::log_lines::GuestLog;
use crate::run_in_turns::run_metered;
use crate::state::{CallScope, HostState};
use crate::{PluginComponent, SandboxError};

/// Where a guest's progress goes.
pub trait ProgressSink: Send + Sync {
    /// `done` of `total`, where the total is known. Called on the guests' runtime; it must not
    /// block.
    fn report(&self, done: f64, total: Option<f64>, message: Option<String>);
}

/// What one call may reach: the host's side of it. None of this enters the guest. Stage four of a
/// call: a guest is about to run.
pub struct CallContext {
    /// Unique in this process.
    pub call: u64,
    /// Who calls, for which tenant.
    pub binding: Binding,
    /// The plugin's name, by which its values are kept and its lines are logged.
    pub plugin: PluginName,
    /// The bounds of the call.
    pub limits: Arc<Limits>,
    /// Its way out.
    pub egress: Arc<EgressCall>,
    /// Where its CPU is counted; nowhere without one.
    pub meter: Option<Arc<TenantMeter>>,
    /// Who hears of its progress.
    pub progress: Option<Arc<dyn ProgressSink>>,
    /// Who hears of its log lines, beside the host's log.
    pub log: Option<Arc<dyn GuestLog>>,
}

/// What a call came to.
#[derive(Debug)]
pub struct GuestOutcome {
    /// The tool's result, or its own failure.
    pub outcome: Result<Outcome, Failure>,
    /// How much it returned.
    pub bytes: u64,
}

impl GuestOutcome {
    /// Whether its failure says that there was no answer in time.
    pub(crate) fn is_late(&self) -> bool {
        matches!(&self.outcome, Err(failure) if failure.code == TIMEOUT)
    }
}

impl std::fmt::Debug for CallContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallContext")
            .field("call", &self.call)
            .field("plugin", &self.plugin)
            .finish_non_exhaustive()
    }
}

/// The code of a failure that says that there was no answer in time.
const TIMEOUT: &str = "timeout";

impl PluginComponent {
    /// Asks the plugin for its tools. It runs as any call does, and reaches nothing.
    ///
    /// # Errors
    /// As [`PluginComponent::invoke`]; a failure that the plugin itself returns is
    /// [`SandboxError::NotAdmitted`].
    pub async fn describe(&self) -> Result<Vec<Tool>, SandboxError> {
        let limits = Arc::new(self.host_limits().clone());
        let describe = DescribeExport(self.tools.clone());
        let tools = self
            .loaded
            .run(self.loaded.name()?, 0, limits, None, describe)
            .await?;
        tools.map_err(|failure| {
            let why = crate::log_lines::clean(&failure.message, 400);
            SandboxError::NotAdmitted(format!("the plugin cannot describe its tools: {why}"))
        })
    }

    /// Calls a tool in a fresh instance, within the bounds of `context`.
    ///
    /// # Errors
    /// The call did not come to an end: busy, a limit, a timeout, a trap. Dropping the future ends
    /// the call.
    pub async fn invoke(
        &self,
        context: CallContext,
        invocation: Invocation,
    ) -> Result<GuestOutcome, SandboxError> {
        let invoke = ToolInvokeExport(self.tools.clone(), invocation);
        self.loaded.answer(context, invoke).await
    }
}

impl LoadedComponent {
    /// A call of a tool, whatever the export that answers it.
    ///
    /// # Errors
    /// The call did not come to an end, or returned more than it may.
    pub(crate) async fn answer<E>(
        &self,
        context: CallContext,
        export: E,
    ) -> Result<GuestOutcome, SandboxError>
    where
        E: Export<Answer = Result<Outcome, Failure>>,
    {
        let (limits, call, plugin) = (
            Arc::clone(&context.limits),
            context.call,
            context.plugin.clone(),
        );
        let egress = Arc::clone(&context.egress);
        let scope = self.scope(context);
        let result_bytes = limits.result_bytes;
        let outcome = self.run(plugin, call, limits, Some(scope), export).await?;
        // It has come to an end of its own, so there is nothing to be told of it. But who waits for
        // an answer hears of the deadline a moment before the call is dropped for it, and may still
        // return: then the system works on all the same.
        let bytes = size_of_outcome(&outcome);
        let answered = GuestOutcome { outcome, bytes };
        if !answered.is_late() {
            drop(egress.take_note());
        }
        if bytes > result_bytes {
            return Err(SandboxError::Limit {
                limit: Limit::result_bytes,
                value: result_bytes,
            });
        }
        Ok(answered)
    }

    pub(crate) fn scope(&self, context: CallContext) -> CallScope {
        CallScope::new(
            context,
            Arc::clone(&self.sandbox.egress),
            Arc::clone(&self.sandbox.kv),
            Arc::clone(&self.sandbox.artifacts),
        )
    }

    pub(crate) async fn run<E: Export>(
        &self,
        plugin: PluginName,
        call: u64,
        limits: Arc<Limits>,
        scope: Option<CallScope>,
        export: E,
    ) -> Result<E::Answer, SandboxError> {
        let tenant: Option<&TenantId> = scope.as_ref().map(|scope| scope.context.binding.tenant());
        let meter = scope.as_ref().and_then(|scope| scope.context.meter.clone());
        // Full means busy: a queue without end only moves the memory.
        let slot = self.sandbox.slots.take(tenant)?;
        let ready = self.ready.clone();
        let spun = SpinFlag::default();
        let inside = spun.clone();
        let turns = slot.turns();
        let ran = self
            .sandbox
            .guests
            .run(&self.pace, spun, turns, async move {
                let wall = limits.wall();
                let run = ready.run(plugin, call, &limits, scope, inside, export);
                let result = tokio::time::timeout(wall, run_metered(meter, run)).await;
                drop(slot);
                result.unwrap_or(Err(SandboxError::Timeout(limits.wall_ms)))
            });
        ran.await.unwrap_or_else(|error| {
            tracing::error!(call, %error, "a call failed");
            Err(SandboxError::Internal)
        })
    }
}

struct DescribeExport(GuestIndices);

impl Export for DescribeExport {
    type Answer = Result<Vec<Tool>, Failure>;

    async fn call(
        self,
        instance: &Instance,
        store: &mut Store<HostState>,
    ) -> wasmtime::Result<Self::Answer> {
        let tools = self.0.load(&mut *store, instance)?;
        tools.call_describe(store).await
    }
}

struct ToolInvokeExport(GuestIndices, Invocation);

impl Export for ToolInvokeExport {
    type Answer = Result<Outcome, Failure>;

    async fn call(
        self,
        instance: &Instance,
        store: &mut Store<HostState>,
    ) -> wasmtime::Result<Self::Answer> {
        let tools = self.0.load(&mut *store, instance)?;
        tools.call_invoke(store, &self.1).await
    }
}

fn size_of_outcome(outcome: &Result<Outcome, Failure>) -> u64 {
    let pairs = |meta: &[(String, String)]| {
        meta.iter()
            .map(|(key, value)| key.len() + value.len())
            .sum::<usize>()
    };
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let output = |output: &Output| {
        let blocks: usize = output
            .content
            .iter()
            .map(|block| {
                block.kind.len()
                    + text(&block.text)
                    + block.data.as_ref().map_or(0, Vec::len)
                    + text(&block.mime_type)
                    + text(&block.uri)
                    + text(&block.name)
                    + pairs(&block.meta)
            })
            .sum();
        blocks + text(&output.structured) + pairs(&output.meta)
    };
    let size = match outcome {
        Ok(Outcome::Complete(complete)) => output(complete),
        Ok(Outcome::InputRequired(asked)) => {
            let requests: usize = asked
                .requests
                .iter()
                .map(|request| {
                    request.id.len()
                        + request.kind.len()
                        + request.parameters.len()
                        + pairs(&request.meta)
                })
                .sum();
            requests + asked.state.len() + pairs(&asked.meta)
        }
        Err(failure) => {
            failure.code.len()
                + failure.message.len()
                + text(&failure.detail)
                + pairs(&failure.meta)
        }
    };
    size as u64
}
