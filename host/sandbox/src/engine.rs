use std::hash::{Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use toolhost_egress::Egress;
use toolhost_policy::Limits;
use toolhost_store::{ArtifactStore, PluginKv};
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::admission::admit;
use crate::artefact::ArtefactCache;
use crate::cancel::CancellationSlots;
use crate::component::LoadedComponent;
use crate::discovery_engine::DiscoveryEngine;
use crate::engine_config::compile_config;
use crate::guests::Guests;
use crate::slots::Slots;
use crate::state::HostState;
use crate::{AdapterComponent, Compiler, PluginComponent, SandboxError, cpu, imports, pool};

/// How a [`Sandbox`] is set up.
#[derive(Debug, Clone)]
pub struct SandboxSettings {
    /// Calls at once. Each has at most [`Limits::memory_bytes`]; when all are taken, a call is
    /// refused as busy.
    pub slots: u32,
    /// The bounds of a call before a grant tightens them. Memory, tables and instances set the size
    /// of a slot.
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
    pub(crate) inner: Arc<SandboxInner>,
}

pub(crate) struct SandboxInner {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<HostState>,
    pub(crate) slots: Arc<Slots>,
    pub(crate) settings: SandboxSettings,
    pub(crate) egress: Arc<Egress>,
    pub(crate) kv: Arc<PluginKv>,
    pub(crate) artifacts: Arc<ArtifactStore>,
    pub(crate) guests: Guests,
    pub(crate) discovering: DiscoveryEngine,
    pub(crate) tellings: CancellationSlots,
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
    /// Sets up the engine, with a pool of slots where the machine has the address space, and one
    /// instance at a time on demand where it has not.
    ///
    /// # Errors
    /// The engine or a thread cannot be made, or the cache directory cannot be used.
    pub fn new(
        settings: SandboxSettings,
        egress: Arc<Egress>,
        kv: Arc<PluginKv>,
    ) -> Result<Self, SandboxError> {
        let fail = |error: String| SandboxError::Engine(error);
        let cache = settings
            .cache
            .as_deref()
            .map(ArtefactCache::open)
            .transpose()?;
        let (engine, pooling) = match Engine::new(&pool::config(settings.slots, &settings.limits)) {
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
        let artifacts = Arc::new(ArtifactStore::from_kv(&kv));
        Ok(Self {
            inner: Arc::new(SandboxInner {
                engine,
                linker,
                slots,
                settings,
                egress,
                kv,
                artifacts,
                guests,
                tellings: CancellationSlots::default(),
                discovering: DiscoveryEngine::default(),
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
        self.inner.slots.free_count()
    }

    /// What plugins keep for their callers to fetch.
    #[must_use]
    pub fn artifacts(&self) -> Arc<ArtifactStore> {
        Arc::clone(&self.inner.artifacts)
    }

    /// Admits and compiles a component, or takes the artefact that was compiled before.
    ///
    /// # Errors
    /// [`SandboxError::NotAdmitted`], [`SandboxError::Precompiled`], [`SandboxError::Compile`] or a
    /// limit; the text says what to change.
    pub async fn load(&self, bytes: &[u8]) -> Result<PluginComponent, SandboxError> {
        PluginComponent::new(self.load_component(bytes).await?.0)
    }

    /// Loads a component that exports `adapter`.
    ///
    /// # Errors
    /// As [`Sandbox::load`].
    pub async fn load_adapter(&self, bytes: &[u8]) -> Result<AdapterComponent, SandboxError> {
        let (loaded, artefact) = self.load_component(bytes).await?;
        AdapterComponent::new(loaded, artefact)
    }

    /// A component's code, and the artefact that it came from.
    async fn load_component(
        &self,
        bytes: &[u8],
    ) -> Result<(LoadedComponent, Vec<u8>), SandboxError> {
        let inner = &self.inner;
        let admitted = admit(bytes, &inner.settings.limits)?;
        let name = format!(
            "{}-{:016x}.cwasm",
            admitted.digest,
            settings_hash(&inner.engine)
        );
        if let Some(artefact) = inner.cache.as_ref().and_then(|cache| cache.get(&name)) {
            match LoadedComponent::of_artefact(Arc::clone(inner), &artefact, &admitted) {
                Err(SandboxError::Compile(why)) => {
                    tracing::warn!(
                        why,
                        "a kept artefact does not load; the component is compiled again"
                    );
                }
                loaded => return loaded.map(|loaded| (loaded, artefact)),
            }
        }
        let artefact = inner
            .settings
            .compiler
            .compile(&inner.engine, bytes)
            .await?;
        let loaded = LoadedComponent::of_artefact(Arc::clone(inner), &artefact, &admitted)?;
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
