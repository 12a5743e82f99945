use std::sync::Arc;

use toolhost_egress::EgressCall;
use toolhost_identity::{Binding, TenantId};
use toolhost_policy::{Limit, Limits, PluginName, TenantMeter};
use wasmtime::component::ResourceTableError;
use wasmtime::{Store, Trap};

use crate::bindings::Tool as ToolWorld;
use crate::contract::{Failure, Invocation, Outcome, Output, Tool};
use crate::guests::Spun;
use crate::limiter::LimitHit;
use crate::state::{CallScope, HostState};
use crate::turns::metered;
use crate::{Plugin, SandboxError};

/// Where a guest's progress goes.
pub trait ProgressSink: Send + Sync {
    /// `done` of `total`, where the total is known. Called on the guests' runtime; it must not block.
    fn report(&self, done: f64, total: Option<f64>, message: Option<String>);
}

/// What one call may reach: the host's side of it. None of this enters the guest.
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
}

/// What a call came to.
#[derive(Debug)]
pub struct Answered {
    /// The tool's result, or its own failure.
    pub outcome: Result<Outcome, Failure>,
    /// How much it returned.
    pub bytes: u64,
}

impl std::fmt::Debug for CallContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallContext")
            .field("call", &self.call)
            .field("plugin", &self.plugin)
            .finish_non_exhaustive()
    }
}

/// The name under which a plugin without a manifest is logged.
const UNNAMED: &str = "unnamed";

impl Plugin {
    /// Asks the plugin for its tools. It runs as any call does, and reaches nothing.
    ///
    /// # Errors
    /// As [`Plugin::invoke`]; a failure that the plugin itself returns is [`SandboxError::NotAdmitted`].
    pub async fn describe(&self) -> Result<Vec<Tool>, SandboxError> {
        let limits = Arc::new(self.host_limits().clone());
        let name = match self.manifest() {
            Some(manifest) => manifest.name.clone(),
            None => PluginName::parse(UNNAMED).map_err(|_| SandboxError::Internal)?,
        };
        let tools = self.run(name, 0, limits, None, Describe).await?;
        tools.map_err(|failure| {
            let why = crate::log_lines::clean(&failure.message, 400);
            SandboxError::NotAdmitted(format!("the plugin cannot describe its tools: {why}"))
        })
    }

    /// Calls a tool in a fresh instance, within the bounds of `context`.
    ///
    /// # Errors
    /// The call did not come to an end: busy, a limit, a timeout, a trap. Dropping the future ends the call.
    pub async fn invoke(
        &self,
        context: CallContext,
        invocation: Invocation,
    ) -> Result<Answered, SandboxError> {
        let (limits, call, plugin) = (Arc::clone(&context.limits), context.call, context.plugin.clone());
        let scope = CallScope::new(
            context,
            Arc::clone(&self.sandbox.egress),
            Arc::clone(&self.sandbox.kv),
            Arc::clone(&self.sandbox.artifacts),
        );
        let result_bytes = limits.result_bytes;
        let outcome = self
            .run(plugin, call, limits, Some(scope), Invoke(invocation))
            .await?;
        let bytes = size_of_outcome(&outcome);
        if bytes > result_bytes {
            return Err(SandboxError::Limit {
                limit: Limit::result_bytes,
                value: result_bytes,
            });
        }
        Ok(Answered { outcome, bytes })
    }

    async fn run<E: Export>(
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
        let this = self.clone();
        let spun = Spun::default();
        let inside = spun.clone();
        let turns = slot.turns();
        let ran = self.sandbox.guests.run(&self.pace, spun, turns, async move {
            let wall = limits.wall();
            let run = this.run_in_store(plugin, call, &limits, scope, inside, export);
            let result = tokio::time::timeout(wall, metered(meter, run)).await;
            drop(slot);
            result.unwrap_or(Err(SandboxError::Timeout(limits.wall_ms)))
        });
        ran.await.unwrap_or_else(|error| {
            tracing::error!(call, %error, "a call failed");
            Err(SandboxError::Internal)
        })
    }

    async fn run_in_store<E: Export>(
        &self,
        plugin: PluginName,
        call: u64,
        limits: &Limits,
        scope: Option<CallScope>,
        spun: Spun,
        export: E,
    ) -> Result<E::Answer, SandboxError> {
        let state = HostState::new(plugin, call, limits, scope, spun);
        let mut store = Store::new(&self.sandbox.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| context.data_mut().cpu.tick());
        store.set_hostcall_fuel(hostcall_bytes(limits));
        store.set_max_component_handles(usize::try_from(limits.handles).unwrap_or(usize::MAX));
        let result = match self.pre.instantiate_async(&mut store).await {
            Ok(tool) => export.call(&tool, &mut store).await,
            Err(error) => Err(error),
        };
        result.map_err(|error| explain(&error, &store, limits, call))
    }
}

/// One export of the contract, with what it is called with.
trait Export: Send + 'static {
    type Answer: Send + 'static;

    fn call(
        self,
        tool: &ToolWorld,
        store: &mut Store<HostState>,
    ) -> impl Future<Output = wasmtime::Result<Self::Answer>> + Send;
}

struct Describe;

impl Export for Describe {
    type Answer = Result<Vec<Tool>, Failure>;

    async fn call(self, tool: &ToolWorld, store: &mut Store<HostState>) -> wasmtime::Result<Self::Answer> {
        tool.toolhost_plugin_tools().call_describe(store).await
    }
}

struct Invoke(Invocation);

impl Export for Invoke {
    type Answer = Result<Outcome, Failure>;

    async fn call(self, tool: &ToolWorld, store: &mut Store<HostState>) -> wasmtime::Result<Self::Answer> {
        tool.toolhost_plugin_tools().call_invoke(store, &self.0).await
    }
}

/// A guest gives back at most a result and the frame around it, and sends at most a request.
fn hostcall_bytes(limits: &Limits) -> usize {
    const FRAME: u64 = 256 << 10;
    let most = limits.hostcall_bytes.max(
        limits
            .result_bytes
            .max(limits.request_bytes)
            .saturating_add(FRAME),
    );
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// What a caller hears of wasmtime's error. A limit that was hit explains a trap better than the trap.
fn explain(error: &wasmtime::Error, store: &Store<HostState>, limits: &Limits, call: u64) -> SandboxError {
    let limit = |limit: Limit| SandboxError::Limit {
        limit,
        value: limits.get(limit),
    };
    if let Some(LimitHit(which)) = error.downcast_ref::<LimitHit>() {
        return limit(*which);
    }
    if let Some(which) = store.data().limiter.hit() {
        return limit(which);
    }
    tracing::debug!(call, error = %format_args!("{error:#}"), "a guest trapped");
    let text = format!("{error:#}");
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return limit(Limit::handles);
    }
    // wasmtime gives these no type of their own.
    if text.contains("store handle limit exceeded") {
        return limit(Limit::handles);
    }
    if text.contains("fuel allocated for hostcalls") {
        return limit(Limit::hostcall_bytes);
    }
    if text.contains("maximum concurrent") && text.contains("limit") {
        return SandboxError::Busy;
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => SandboxError::Trap("its call stack is exhausted".into()),
        Some(trap) => SandboxError::Trap(trap.to_string()),
        None => SandboxError::Trap("it broke the contract of a call".into()),
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
                    request.id.len() + request.kind.len() + request.parameters.len() + pairs(&request.meta)
                })
                .sum();
            requests + asked.state.len() + pairs(&asked.meta)
        }
        Err(failure) => {
            failure.code.len() + failure.message.len() + text(&failure.detail) + pairs(&failure.meta)
        }
    };
    size as u64
}
