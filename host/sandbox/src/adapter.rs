use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use toolhost_policy::Manifest;
use wasmtime::Store;
use wasmtime::component::Instance;

use crate::bindings::exports::toolhost::plugin::adapter::GuestIndices;
use crate::compile::one_line;
use crate::component::{Export, LinkedComponent, LoadedComponent};
use crate::contract::{Discovery, Document, Failure, Invocation, Outcome};
use crate::discovery_engine::{self, MAX_DOCUMENT};
use crate::guests::{Pace, SpinFlag};
use crate::state::HostState;
use crate::{CallContext, GuestOutcome, PluginDigest, SandboxError, imports};

/// A component that turns a described system into tools. It was admitted and compiled, and grants
/// nothing: each call brings what was granted.
#[derive(Clone)]
pub struct AdapterComponent {
    pub(crate) loaded: LoadedComponent,
    pub(crate) indices: GuestIndices,
    /// For the engine of discoveries, which loads it anew each time: they are rare.
    artefact: Arc<[u8]>,
}

impl fmt::Debug for AdapterComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdapterComponent")
            .field("digest", &self.loaded.digest)
            .finish_non_exhaustive()
    }
}

impl AdapterComponent {
    pub(crate) fn new(loaded: LoadedComponent, artefact: Vec<u8>) -> Result<Self, SandboxError> {
        let component = loaded.ready.pre().component();
        let kept = component
            .component_type()
            .imports(component.engine())
            .map(|(name, _)| name.to_owned())
            .find(|name| imports::is_for_plugins_alone(name));
        if let Some(name) = kept {
            return Err(SandboxError::NotAdmitted(format!(
                "an adapter keeps things with toolhost:plugin/upstream-state alone, and this one imports {name}"
            )));
        }
        let indices = GuestIndices::new(loaded.ready.pre()).map_err(|error| {
            let interface = imports::ADAPTER_INTERFACE;
            SandboxError::NotAdmitted(one_line(&format!(
                "the component does not export {interface}: {error:#}"
            )))
        })?;
        Ok(Self {
            loaded,
            indices,
            artefact: artefact.into(),
        })
    }

    /// SHA-256 of the file.
    #[must_use]
    pub fn digest(&self) -> PluginDigest {
        self.loaded.digest
    }

    /// The manifest that the file carries.
    #[must_use]
    pub fn manifest(&self) -> Option<&Arc<Manifest>> {
        self.loaded.manifest.as_ref()
    }

    /// What a document describes; `chosen` are the operations that the operator named, sorted,
    /// where they are a list. The adapter reaches nothing meanwhile.
    ///
    /// # Errors
    /// The document is too large, or the adapter did not come to an end within the bounds of a
    /// discovery. What it says itself against the document is the inner error.
    pub async fn discover(
        &self,
        content: Vec<u8>,
        content_type: Option<String>,
        chosen: &[String],
    ) -> Result<Result<Discovery, Failure>, SandboxError> {
        if content.len() as u64 > MAX_DOCUMENT {
            return Err(SandboxError::NotAdmitted(format!(
                "the document has {} bytes, more than {MAX_DOCUMENT}",
                content.len()
            )));
        }
        let digest: [u8; 32] = Sha256::digest(&content).into();
        if let Some(known) = self.cached_discovery(&digest, chosen) {
            return Ok(Ok(known));
        }
        let document = Document {
            content,
            content_type,
            meta: chosen
                .iter()
                .map(|name| ("operation".to_owned(), name.clone()))
                .collect(),
        };
        let found = self.run_discovery(Some(document), None).await?;
        if let Ok(discovery) = &found {
            self.keep(&digest, chosen, discovery);
        }
        Ok(found)
    }

    /// What a system says of itself, asked for the caller of `context`.
    ///
    /// # Errors
    /// As [`AdapterComponent::discover`].
    pub async fn ask(
        &self,
        context: CallContext,
    ) -> Result<Result<Discovery, Failure>, SandboxError> {
        self.run_discovery(None, Some(context)).await
    }

    async fn run_discovery(
        &self,
        document: Option<Document>,
        context: Option<CallContext>,
    ) -> Result<Result<Discovery, Failure>, SandboxError> {
        let sandbox = &self.loaded.sandbox;
        let (made, permit) = sandbox.discovering.acquire_engine().await?;
        let limits = discovery_engine::limits(&sandbox.settings.limits);
        let ready =
            LinkedComponent::of_artefact(&made.engine, &made.linker, &limits, &self.artefact)?;
        let indices = GuestIndices::new(ready.pre()).map_err(|_| SandboxError::Internal)?;
        let call = context.as_ref().map_or(0, |context| context.call);
        let name = match &context {
            Some(context) => context.plugin.clone(),
            None => self.loaded.name()?,
        };
        let scope = context.map(|context| self.loaded.scope(context));
        let (spun, turns) = (SpinFlag::default(), Arc::new(Semaphore::new(1)));
        let inside = spun.clone();
        let discover = DiscoverExport(indices, document);
        // A pace of its own: it is not to be run on a transport's thread, however short the calls
        // have been.
        let pace = Pace::default();
        let ran = sandbox.guests.run(&pace, spun, turns, async move {
            let run = ready.run(name, call, &limits, scope, inside, discover);
            let result = tokio::time::timeout(limits.wall(), run).await;
            result.unwrap_or(Err(SandboxError::Timeout(limits.wall_ms)))
        });
        let ended = ran.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a discovery failed");
            Err(SandboxError::Internal)
        });
        drop(permit);
        ended.map_err(of_discovery)
    }

    /// Calls the tool that `descriptor` came with, in a fresh instance, within the bounds of
    /// `context`. A call that does not come to an end is told to the system behind the caller's
    /// back, where it has left a note.
    ///
    /// # Errors
    /// As [`crate::PluginComponent::invoke`].
    pub async fn invoke(
        &self,
        context: CallContext,
        descriptor: Arc<[u8]>,
        invocation: Invocation,
    ) -> Result<GuestOutcome, SandboxError> {
        // Before the call, so that it is dropped after it: by then nothing of it is under way.
        let mut told = self.cancel_on_drop(&context, Arc::clone(&descriptor));
        let invoke = AdapterInvokeExport(self.indices.clone(), descriptor, invocation);
        let answered = self.loaded.answer(context, invoke).await;
        told.mark_ended(&answered);
        answered
    }
}

/// The bounds are a discovery's own and no key sets them, so their messages name none.
fn of_discovery(error: SandboxError) -> SandboxError {
    match error {
        SandboxError::Limit { limit, value } => SandboxError::Discovery(format!(
            "it reached the limit of {value} {} ({limit})",
            limit.unit()
        )),
        SandboxError::Timeout(ms) => {
            SandboxError::Discovery(format!("it took longer than {ms} milliseconds"))
        }
        other => other,
    }
}

struct DiscoverExport(GuestIndices, Option<Document>);

impl Export for DiscoverExport {
    type Answer = Result<Discovery, Failure>;

    async fn call(
        self,
        instance: &Instance,
        store: &mut Store<HostState>,
    ) -> wasmtime::Result<Self::Answer> {
        let adapter = self.0.load(&mut *store, instance)?;
        adapter.call_discover(store, self.1.as_ref()).await
    }
}

struct AdapterInvokeExport(GuestIndices, Arc<[u8]>, Invocation);

impl Export for AdapterInvokeExport {
    type Answer = Result<Outcome, Failure>;

    async fn call(
        self,
        instance: &Instance,
        store: &mut Store<HostState>,
    ) -> wasmtime::Result<Self::Answer> {
        let adapter = self.0.load(&mut *store, instance)?;
        adapter.call_invoke(store, &self.1, &self.2).await
    }
}
