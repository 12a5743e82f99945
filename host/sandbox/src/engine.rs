use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;
use toolhost_egress::Egress;
use toolhost_policy::Limits;
use toolhost_store::{Artifacts, Kv};
use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmFeatures};

use crate::admission::admit;
use crate::artefact::ArtefactCache;
use crate::component::Loaded;
use crate::discovering::Discovering;
use crate::guests::Guests;
use crate::slots::Slots;
use crate::state::HostState;
use crate::{Adapter, Compiler, Plugin, SandboxError, cpu, imports};

/// Stack of a guest. Guests in Rust, C and Go stay far below; an engine inside a guest brings its own.
const WASM_STACK: usize = 512 << 10;

/// Stack of a guest and of the host functions it calls; the difference is the host's, whose overflow would abort the
/// process.
const ASYNC_STACK: usize = 1 << 20;

/// The beginning of a guest's memory that is cleared by hand when its call ends; what lies behind it is given back to the
/// system. A page that is given back costs a fault at the next call, and on a machine of several cores an interrupt of
/// those that run this process: together more than clearing it. A guest with a stack of 64 KiB has its stack, its data
/// and a small heap in this much; behind the stack of 1 MiB that Rust gives by default nothing is reached, and a larger
/// share would only clear that stack at every call.
const MEMORY_KEPT: usize = 128 << 10;

/// The same of the stack that a guest and its host functions run on. With this much a small call faults in no page of it; a
/// larger share saves nothing more.
const STACK_KEPT: usize = 16 << 10;

/// How a [`Sandbox`] is set up.
#[derive(Debug, Clone)]
pub struct SandboxSettings {
    /// Calls at once. Each has at most [`Limits::memory_bytes`]; when all are taken, a call is refused as busy.
    pub slots: u32,
    /// The bounds of a call before a grant tightens them. Memory and tables set the size of a slot.
    pub limits: Limits,
    /// Where compiled artefacts are kept; `None` compiles at every start.
    pub cache: Option<PathBuf>,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// Threads that run guests; `None` takes one a core.
    pub threads: Option<usize>,
}

impl Default for SandboxSettings {
    fn default() -> Self {
        Self {
            slots: 64,
            limits: Limits::default(),
            cache: None,
            compiler: Compiler::InProcess,
            threads: None,
        }
    }
}

/// The engine, its slots, and the runtime of the guests. One a process.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<HostState>,
    pub(crate) slots: Arc<Slots>,
    pub(crate) settings: SandboxSettings,
    pub(crate) egress: Arc<Egress>,
    pub(crate) kv: Arc<Kv>,
    pub(crate) artifacts: Arc<Artifacts>,
    pub(crate) guests: Guests,
    pub(crate) discovering: Discovering,
    /// Tellings of dropped calls that run now.
    pub(crate) cancels: Arc<Semaphore>,
    pub(crate) cache: Option<ArtefactCache>,
    pooling: bool,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Sets up the engine, with a pool of slots where the machine has the address space, and one instance at a time
    /// on demand where it has not.
    ///
    /// # Errors
    /// The engine or a thread cannot be made, or the cache directory cannot be used.
    pub fn new(settings: SandboxSettings, egress: Arc<Egress>, kv: Arc<Kv>) -> Result<Self, SandboxError> {
        let fail = |error: String| SandboxError::Engine(error);
        let cache = settings.cache.as_deref().map(ArtefactCache::open).transpose()?;
        let (engine, pooling) = match Engine::new(&pooled_config(&settings)) {
            Ok(engine) => (engine, true),
            Err(error) => {
                tracing::warn!(%error, "no pool of slots on this machine (address space?); calls are slower");
                (
                    Engine::new(&compile_config()).map_err(|error| fail(format!("{error:#}")))?,
                    false,
                )
            }
        };
        cpu::spawn_ticker(&engine).map_err(|error| fail(error.to_string()))?;
        let linker = imports::linker(&engine).map_err(|error| fail(format!("{error:#}")))?;
        let guests = Guests::start(settings.threads).map_err(|error| fail(error.to_string()))?;
        let slots = Arc::new(Slots::new(settings.slots, guests.threads()));
        let artifacts = Arc::new(Artifacts::beside(&kv));
        Ok(Self {
            inner: Arc::new(Inner {
                engine,
                linker,
                slots,
                settings,
                egress,
                kv,
                artifacts,
                guests,
                cancels: Arc::new(Semaphore::new(crate::cancel::AT_ONCE)),
                discovering: Discovering::default(),
                cache,
                pooling,
            }),
        })
    }

    /// Whether calls take their memory from a pool.
    #[must_use]
    pub fn is_pooling(&self) -> bool {
        self.inner.pooling
    }

    /// How many more calls could begin now.
    #[must_use]
    pub fn free_slots(&self) -> usize {
        self.inner.slots.free()
    }

    /// What plugins keep for their callers to fetch.
    #[must_use]
    pub fn artifacts(&self) -> Arc<Artifacts> {
        Arc::clone(&self.inner.artifacts)
    }

    /// Admits and compiles a component, or takes the artefact that was compiled before.
    ///
    /// # Errors
    /// [`SandboxError::NotAdmitted`], [`SandboxError::Precompiled`], [`SandboxError::Compile`] or a limit; the text
    /// says what to change.
    pub async fn load(&self, bytes: &[u8]) -> Result<Plugin, SandboxError> {
        Plugin::of(self.compiled(bytes).await?.0)
    }

    /// The same for a component that exports `adapter`.
    ///
    /// # Errors
    /// As [`Sandbox::load`].
    pub async fn load_adapter(&self, bytes: &[u8]) -> Result<Adapter, SandboxError> {
        let (loaded, artefact) = self.compiled(bytes).await?;
        Adapter::of(loaded, artefact)
    }

    /// A component's code, and the artefact that it came from.
    async fn compiled(&self, bytes: &[u8]) -> Result<(Loaded, Vec<u8>), SandboxError> {
        let inner = &self.inner;
        let admitted = admit(bytes, &inner.settings.limits)?;
        let name = format!("{}-{:016x}.cwasm", admitted.digest, settings_hash(&inner.engine));
        if let Some(artefact) = inner.cache.as_ref().and_then(|cache| cache.get(&name)) {
            match Loaded::of_artefact(Arc::clone(inner), &artefact, &admitted) {
                Err(SandboxError::Compile(why)) => {
                    tracing::warn!(
                        why,
                        "a kept artefact does not load; the component is compiled again"
                    );
                }
                loaded => return loaded.map(|loaded| (loaded, artefact)),
            }
        }
        let artefact = inner.settings.compiler.compile(&inner.engine, bytes).await?;
        let loaded = Loaded::of_artefact(Arc::clone(inner), &artefact, &admitted)?;
        if let Some(cache) = &inner.cache {
            cache.put(&name, &artefact);
        }
        Ok((loaded, artefact))
    }
}

/// A number that changes with every setting that an artefact depends on.
fn settings_hash(engine: &Engine) -> u64 {
    // Its keys are fixed, so the number is the same in every process.
    let mut hasher = std::hash::DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// Everything that an artefact depends on. The compiler process and the host share it.
pub(crate) fn compile_config() -> Config {
    let mut config = Config::new();
    config
        // Off: we offer WASI 0.2, and each store is cheaper without the tasks of 0.3.
        .concurrency_support(false)
        .epoch_interruption(true)
        // Features that no toolchain of ours needs and most advisories of 2026 were about. Threads have no security
        // support at all.
        .wasm_features(
            WasmFeatures::THREADS
                | WasmFeatures::SHARED_EVERYTHING_THREADS
                | WasmFeatures::GC
                | WasmFeatures::FUNCTION_REFERENCES
                | WasmFeatures::EXCEPTIONS
                | WasmFeatures::MEMORY64
                | WasmFeatures::STACK_SWITCHING
                | WasmFeatures::CM_ASYNC,
            false,
        )
        // The same results on every processor.
        .relaxed_simd_deterministic(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        // A stack that another tenant's call has used holds nothing of it (GHSA-6wgr-89rj-399p was of that class).
        .async_stack_zeroing(true);
    config
}

fn pooled_config(settings: &SandboxSettings) -> Config {
    let slots = settings.slots;
    let limits = &settings.limits;
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        // A component of wit-bindgen has three or four core instances; a Python guest about ten.
        .total_core_instances(slots.saturating_mul(8))
        .total_memories(slots.saturating_mul(2))
        .total_tables(slots.saturating_mul(4))
        .total_stacks(slots)
        .max_memory_size(size(limits.memory_bytes))
        .max_component_instance_size(1 << 20)
        .max_core_instance_size(1 << 20)
        .max_core_instances_per_component(u32::try_from(limits.instances).unwrap_or(u32::MAX))
        .max_memories_per_component(4)
        .max_tables_per_component(8)
        .table_elements(size(limits.table_elements))
        .max_unused_warm_slots(slots)
        .linear_memory_keep_resident(MEMORY_KEPT)
        .async_stack_keep_resident(STACK_KEPT)
        .table_keep_resident(16 << 10)
        .decommit_batch_size(1)
        // On wasmtime 48 a page that was swapped out is not reset (fixed in 50).
        .pagemap_scan(Enabled::No);
    let mut config = compile_config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
