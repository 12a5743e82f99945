use std::sync::Arc;

use toolhost_policy::{Limits, Manifest, PluginName};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Instance, InstancePre, Linker};
use wasmtime::{Engine, Store};

use crate::admission::AdmittedFile;
use crate::compile::one_line;
use crate::engine::SandboxInner;
use crate::explain::explain;
use crate::guests::SpinFlag;
use crate::state::{CallScope, HostState};
use crate::{SandboxError, imports, pool};

/// One export of the contract, with what it is called with.
pub(crate) trait Export: Send + 'static {
    type Answer: Send + 'static;

    fn call(
        self,
        instance: &Instance,
        store: &mut Store<HostState>,
    ) -> impl Future<Output = wasmtime::Result<Self::Answer>> + Send;
}

/// A component that was compiled, with its imports resolved for one engine. Each call is an
/// instance of its own.
#[derive(Clone)]
pub(crate) struct LinkedComponent {
    engine: Engine,
    pre: InstancePre<HostState>,
}

impl LinkedComponent {
    /// Loads an artefact that this process has just compiled, or that the cache has verified.
    ///
    /// # Errors
    /// It does not load, needs more than a slot has, or imports what this host does not offer.
    pub(crate) fn of_artefact(
        engine: &Engine,
        linker: &Linker<HostState>,
        limits: &Limits,
        artefact: &[u8],
    ) -> Result<Self, SandboxError> {
        let component = deserialize(engine, limits, artefact)?;
        check_imports(engine, &component)?;
        let pre = linker.instantiate_pre(&component).map_err(|error| {
            SandboxError::NotAdmitted(one_line(&format!(
                "an import does not fit this host: {error:#}"
            )))
        })?;
        // The cost of the memory image belongs to loading, not to the first call. Without one,
        // calls only get slower.
        if let Err(error) = component.initialize_copy_on_write_image() {
            tracing::debug!(%error, "no copy-on-write image");
        }
        Ok(Self {
            engine: engine.clone(),
            pre,
        })
    }

    pub(crate) fn pre(&self) -> &InstancePre<HostState> {
        &self.pre
    }

    /// Calls an export in a fresh instance, within the bounds of memory, CPU and what crosses to
    /// the host. Not of time: that is for whoever waits.
    pub(crate) async fn run<E: Export>(
        &self,
        plugin: PluginName,
        call: u64,
        limits: &Limits,
        scope: Option<CallScope>,
        spun: SpinFlag,
        export: E,
    ) -> Result<E::Answer, SandboxError> {
        let state = HostState::new(plugin, call, limits, scope, spun);
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| context.data_mut().cpu.tick());
        store.set_hostcall_fuel(hostcall_bytes(limits));
        store.set_max_component_handles(usize::try_from(limits.handles).unwrap_or(usize::MAX));
        let result = match self.pre.instantiate_async(&mut store).await {
            Ok(instance) => export.call(&instance, &mut store).await,
            Err(error) => Err(error),
        };
        result.map_err(|error| explain(&error, &store, limits, call))
    }
}

/// A component of which nothing is known yet but what it needs: what a plugin and an adapter have
/// in common.
#[derive(Clone)]
pub(crate) struct LoadedComponent {
    pub(crate) sandbox: Arc<SandboxInner>,
    pub(crate) ready: LinkedComponent,
    pub(crate) digest: crate::PluginDigest,
    pub(crate) manifest: Option<Arc<Manifest>>,
    pub(crate) pace: Arc<crate::guests::Pace>,
}

impl LoadedComponent {
    pub(crate) fn of_artefact(
        sandbox: Arc<SandboxInner>,
        artefact: &[u8],
        admitted: &AdmittedFile,
    ) -> Result<Self, SandboxError> {
        Ok(Self {
            ready: LinkedComponent::of_artefact(
                &sandbox.engine,
                &sandbox.linker,
                &sandbox.settings.limits,
                artefact,
            )?,
            sandbox,
            digest: admitted.digest,
            manifest: admitted.manifest.clone().map(Arc::new),
            pace: Arc::default(),
        })
    }

    /// The name under which it is logged.
    pub(crate) fn name(&self) -> Result<PluginName, SandboxError> {
        match &self.manifest {
            Some(manifest) => Ok(manifest.name.clone()),
            None => PluginName::parse(UNNAMED).map_err(|_| SandboxError::Internal),
        }
    }
}

/// The name under which a component without a manifest is logged.
const UNNAMED: &str = "unnamed";

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

#[expect(
    unsafe_code,
    reason = "an artefact is native code; both callers hold one that this host compiled and authenticated, read into memory once so that it cannot change"
)]
fn deserialize(
    engine: &Engine,
    limits: &Limits,
    artefact: &[u8],
) -> Result<Component, SandboxError> {
    // SAFETY: `Component::deserialize` asks that the bytes come from `precompile_component` of the
    // same wasmtime. They come from our own compiler over a pipe, or from `ArtefactCache::get`,
    // which verifies an HMAC under a key that only the host's user can read. wasmtime itself
    // refuses other versions and settings.
    unsafe { Component::deserialize(engine, artefact) }.map_err(|error| {
        let refusal = format!("{error:#}");
        pool::too_large(&refusal, limits).unwrap_or_else(|| {
            SandboxError::Compile(one_line(&format!("the artefact does not load: {refusal}")))
        })
    })
}

/// Names every import that this host does not offer, instead of failing at the first.
fn check_imports(engine: &Engine, component: &Component) -> Result<(), SandboxError> {
    let unknown: Vec<String> = component
        .component_type()
        .imports(engine)
        .filter(|(name, item)| {
            !matches!(item.ty, ComponentItem::Type(_)) && !imports::is_offered(name)
        })
        .map(|(name, _)| name.chars().take(120).collect())
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(SandboxError::NotAdmitted(format!(
        "the component imports what this host does not offer: {}",
        unknown.join(", ")
    )))
}
