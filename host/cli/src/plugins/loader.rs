use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OnceCell, Semaphore};
use toolhost_audit::Sink;
use toolhost_net::Network;
use toolhost_policy::{ConnectionName, Manifest, PluginName};
use toolhost_sandbox::{AdapterComponent, PluginComponent, Sandbox, SandboxError, contract};

use super::{CandidateKind, Omission, OmissionReason};
use crate::exit::CliError;
use crate::grants;
use crate::setup::Setup;
use crate::spinner::Spinner;
use crate::wiring::PluginFile;
use crate::wiring::adapters::{self, AdapterContext, DiscoveryOutcome};

/// Components that are compiled at the same time: a compiler may take 1.5 GiB.
const AT_ONCE: usize = 4;

/// How often a plugin is asked again for its tools where calls take every slot, and after how long
/// each time.
const TRIES: u32 = 120;
const BETWEEN_TRIES: Duration = Duration::from_millis(500);

/// What was loaded.
#[derive(Debug)]
pub(crate) enum LoadedCandidate {
    Plugin(Box<LoadedPlugin>),
    Connection(Box<LoadedConnection>),
}

/// A plugin, compiled and asked for its tools.
#[derive(Debug)]
pub(crate) struct LoadedPlugin {
    pub(crate) plugin: PluginComponent,
    pub(crate) manifest: Manifest,
    pub(crate) tools: Vec<contract::Tool>,
}

/// A connection, with what its adapter found.
#[derive(Debug)]
pub(crate) struct LoadedConnection {
    pub(crate) name: ConnectionName,
    pub(crate) adapter: AdapterComponent,
    pub(crate) look: DiscoveryOutcome,
}

type AdapterCell = Arc<OnceCell<Result<AdapterComponent, CliError>>>;

/// Compiles components and asks them what they have. Nothing of it grants or serves anything.
pub(crate) struct Loader {
    setup: Arc<Setup>,
    sandbox: Sandbox,
    network: Arc<Network>,
    audit: Arc<dyn Sink>,
    adapters: Mutex<BTreeMap<PluginName, AdapterCell>>,
    compiling: Semaphore,
    /// One at a time: each takes a slot.
    describing: Mutex<()>,
}

impl Loader {
    pub(crate) fn new(
        setup: Arc<Setup>,
        sandbox: Sandbox,
        network: Arc<Network>,
        audit: Arc<dyn Sink>,
    ) -> Self {
        Self {
            setup,
            sandbox,
            network,
            audit,
            adapters: Mutex::default(),
            compiling: Semaphore::new(AT_ONCE),
            describing: Mutex::default(),
        }
    }

    /// Loads one. `before` is what was granted of the connection.
    ///
    /// # Errors
    /// It cannot be loaded, and is left out.
    pub(crate) async fn load(
        &self,
        kind: CandidateKind,
        before: Option<grants::ConnectionApproval>,
    ) -> Result<LoadedCandidate, Omission> {
        let _place = self.compiling.acquire().await;
        match kind {
            CandidateKind::Plugin(file) => {
                Ok(LoadedCandidate::Plugin(Box::new(self.plugin(file).await?)))
            }
            CandidateKind::Connection(name) => Ok(LoadedCandidate::Connection(Box::new(
                self.connection(name, before).await?,
            ))),
        }
    }

    async fn plugin(&self, file: PluginFile) -> Result<LoadedPlugin, Omission> {
        let left_out = |reason, error: SandboxError| {
            let why = format!("{}: {error}", file.path.display());
            Omission::new(reason, CliError::plugin(why))
        };
        let progress = Spinner::start(format!("compiling {}", file.path.display()));
        let plugin = self.sandbox.load(&file.bytes).await;
        drop(progress);
        let plugin = plugin.map_err(|error| left_out(OmissionReason::Compile, error))?;
        let _alone = self.describing.lock().await;
        let mut tries = 0;
        let tools = loop {
            match plugin.describe().await {
                Err(SandboxError::Busy | SandboxError::Share) if tries < TRIES => tries += 1,
                described => break described,
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        };
        Ok(LoadedPlugin {
            tools: tools.map_err(|error| left_out(OmissionReason::Describe, error))?,
            plugin,
            manifest: file.manifest,
        })
    }

    async fn connection(
        &self,
        name: ConnectionName,
        before: Option<grants::ConnectionApproval>,
    ) -> Result<LoadedConnection, Omission> {
        let config = &self.setup.config;
        let (Some(connection), Some(settings)) =
            (config.connections.get(&name), config.adapters.get(&name))
        else {
            let why = format!("there is no [connections.{name}] with an adapter");
            return Err(Omission::new(
                OmissionReason::Document,
                CliError::usage(why),
            ));
        };
        let cell = Arc::clone(
            self.adapters
                .lock()
                .await
                .entry(settings.adapter.clone())
                .or_default(),
        );
        let load = || adapters::load(&self.setup, &self.sandbox, &settings.adapter);
        let adapter = cell.get_or_init(load).await.clone().map_err(|failure| {
            let message = format!("connection {name}: {}", failure.message);
            Omission::new(OmissionReason::Document, CliError { message, ..failure })
        })?;
        let room = AdapterContext {
            setup: &self.setup,
            sandbox: &self.sandbox,
            network: &self.network,
            audit: self.audit.as_ref(),
        };
        let look = room.examine(connection, settings, &adapter, before).await;
        Ok(LoadedConnection {
            name,
            adapter,
            look,
        })
    }
}
