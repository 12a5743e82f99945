use std::path::PathBuf;
use std::sync::Arc;

use toolhost_audit::LogSink;
use toolhost_egress::Egress;
use toolhost_store::MemoryStore;
use toolhost_tools::{Assignments, Catalogue, PluginState, Tools};

use super::approval_mode::ApprovalMode;
use super::{Assembly, Loader, ServedConnections, StartupTimeouts, candidates};
use crate::exit::CliError;
use crate::grants::Lock;
use crate::setup::Setup;
use crate::wiring;

/// Slots for describing: adapters and plugins may be asked at the same time.
const SLOTS: u32 = 4;

/// What a start of the host would do with one plugin, or one connection with an adapter.
#[derive(Debug)]
pub(crate) struct StartVerdict {
    pub(crate) name: String,
    /// Where it has a file of its own.
    pub(crate) path: Option<PathBuf>,
    pub(crate) state: PluginState,
}

impl StartVerdict {
    /// Nobody has said yes to it yet, and nothing else speaks against it.
    pub(crate) fn waits_for_yes(&self) -> bool {
        matches!(&self.state, PluginState::LeftOut { code, .. } if matches!(*code, "not_granted" | "changed" | "not_approved"))
    }

    /// Why it would be left out, whatever an operator says yes to.
    pub(crate) fn fault(&self) -> Option<&str> {
        match &self.state {
            PluginState::LeftOut { why, .. } if !self.waits_for_yes() => Some(why),
            _ => None,
        }
    }
}

/// The parts of a host that say what its tenants may do.
#[derive(Debug)]
pub(crate) struct ServingParts {
    pub(crate) assignments: Arc<Assignments>,
    pub(crate) egress: Arc<Egress>,
}

/// What a start of the host would do with every plugin.
#[derive(Debug)]
pub(crate) struct Verdicts {
    pub(crate) all: Vec<StartVerdict>,
    /// The tools that would be served.
    pub(crate) tools: Arc<Tools>,
    pub(crate) connections: Arc<ServedConnections>,
    /// Why the host would not start, whatever becomes of single plugins.
    pub(crate) refused: Option<CliError>,
}

impl Verdicts {
    /// Does what a start does with plugins, and neither grants nor serves anything. Documents are
    /// fetched as at a start. With `serving` the tools are those of the tenants of the store;
    /// without it no tenant has any.
    ///
    /// # Errors
    /// `host.lock` cannot be read, or there is nothing to load with.
    pub(crate) async fn evaluate(
        setup: Arc<Setup>,
        serving: Option<ServingParts>,
    ) -> anyhow::Result<Self> {
        let candidates = candidates(&setup);
        let paths: Vec<_> = candidates
            .iter()
            .map(|candidate| candidate.path.clone())
            .collect();
        let audit = Arc::new(LogSink);
        let network = wiring::network()?;
        let egress = wiring::egress(
            Arc::clone(&network),
            wiring::no_credentials(),
            Arc::clone(&audit) as _,
        )?;
        let limits = setup.config.limits.clone();
        let cache = Some(setup.cache_dir.clone());
        let sandbox = wiring::sandbox(
            limits,
            SLOTS,
            cache,
            Arc::clone(&egress),
            wiring::no_values(),
        )?;
        let lock = Lock::read(&setup.lock)?;
        let ServingParts {
            assignments,
            egress,
        } = serving.unwrap_or_else(|| ServingParts {
            assignments: Arc::new(Assignments::new(Arc::new(MemoryStore::default()), None)),
            egress,
        });
        let tools = Tools::new(Catalogue::default(), egress, Arc::clone(&audit) as _)?;
        let tools = Arc::new(tools.with_assignments(Arc::clone(&assignments)));
        let (assembly, jobs) = Assembly::new(
            Arc::clone(&setup),
            lock,
            Arc::clone(&audit) as _,
            Arc::clone(&assignments),
            Arc::clone(&tools),
            candidates,
        );
        let connections = assembly.connections();
        let loader = Loader::new(Arc::clone(&setup), sandbox, network, audit);
        let said = setup.config.assigned.clone();
        let pending = assembly
            .start(loader, jobs, StartupTimeouts::WHOLE, &ApprovalMode::Nobody)
            .await?;
        let not_served = pending.assembly().not_served();
        let mut checked = said
            .iter()
            .map(|said| said.check(&assignments, &not_served));
        let statuses = tools.statuses().get();
        let all = statuses
            .iter()
            .zip(paths)
            .map(|(status, path)| StartVerdict {
                name: status.plugin.clone(),
                path,
                state: status.state.clone(),
            });
        Ok(Self {
            refused: checked.find_map(Result::err),
            all: all.collect(),
            tools,
            connections,
        })
    }
}
