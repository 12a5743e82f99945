use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use toolhost_audit::{JsonLinesSink, LogSink, Sink};
use toolhost_egress::Egress;
use toolhost_net::Network;
use toolhost_policy::Limits;
use toolhost_sandbox::{Compiler, Sandbox, SandboxError, SandboxSettings, contract};
use toolhost_store::PluginKv;
use toolhost_tools::{Budgets, Catalogue, Tools};

use super::HostStorage;
use super::credentials::Providers;
use crate::exit::CliError;
use crate::grants::Lock;
use crate::open_files;
use crate::plugins::{
    ApprovalMode, Assembly, Candidate, Loader, PendingPlugins, ServedConnections, StartupTimeouts,
    nothing_to_serve,
};
use crate::setup::Setup;
use crate::verbs::COMPILE_WORKER;

/// Where events go: the configured file, or the log.
///
/// # Errors
/// The file cannot be opened.
pub(super) fn audit(file: Option<&Path>) -> Result<Arc<dyn Sink>, CliError> {
    match file {
        None => Ok(Arc::new(LogSink)),
        Some(path) => JsonLinesSink::open(path)
            .map(|sink| Arc::new(sink) as Arc<dyn Sink>)
            .map_err(|error| CliError::usage(format!("[audit] file {}: {error}", path.display()))),
    }
}

/// Every connection outward of this process.
///
/// # Errors
/// TLS cannot be set up.
pub(crate) fn network() -> anyhow::Result<Arc<Network>> {
    Ok(Arc::new(
        Network::system()?.with_sockets(open_files::sockets()),
    ))
}

/// The way out of a guest.
///
/// # Errors
/// TLS cannot be set up.
pub(crate) fn egress(
    network: Arc<Network>,
    credentials: Providers,
    audit: Arc<dyn Sink>,
) -> anyhow::Result<Arc<Egress>> {
    Ok(Arc::new(Egress::new(network, credentials, audit)?))
}

/// The way out of a guest that is called for tenants: what answers have held is kept.
///
/// # Errors
/// TLS cannot be set up.
pub(crate) fn serving_egress(
    network: Arc<Network>,
    credentials: Providers,
    storage: &HostStorage,
) -> anyhow::Result<Arc<Egress>> {
    let egress = Egress::new(network, credentials, Arc::clone(&storage.audit))?;
    Ok(Arc::new(
        egress.with_quarantine(Arc::clone(&storage.quarantine)),
    ))
}

/// The sandbox, which compiles in a child process of this very program.
///
/// # Errors
/// The cache directory cannot be used, or the engine cannot be set up.
pub(crate) fn sandbox(
    limits: Limits,
    slots: u32,
    cache: Option<PathBuf>,
    egress: Arc<Egress>,
    kv: Arc<PluginKv>,
) -> anyhow::Result<Sandbox> {
    let compiler = Compiler::Worker {
        // The file that runs, also where an upgrade has put another in its place: that one compiles
        // for another engine.
        program: "/proc/self/exe".into(),
        arguments: vec![COMPILE_WORKER.into()],
    };
    let settings = SandboxSettings {
        slots,
        limits,
        cache,
        compiler,
        threads: None,
    };
    Sandbox::new(settings, egress, kv).map_err(|error| match error {
        SandboxError::Cache(_) => CliError::usage(error.to_string()).into(),
        other => other.into(),
    })
}

/// A sandbox for looking: it has no credentials, and nothing that runs in it is given a connection.
///
/// # Errors
/// As [`sandbox`].
pub(crate) fn inspection_sandbox(setup: &Setup) -> anyhow::Result<Sandbox> {
    let audit = Arc::new(toolhost_audit::LogSink);
    let egress = egress(super::network()?, super::no_credentials(), audit)?;
    let cache = Some(setup.cache_dir.clone());
    sandbox(Limits::default(), 1, cache, egress, super::no_values())
}

/// What is served, and what is still being loaded.
pub(crate) struct Plugins {
    pub(crate) tools: Arc<Tools>,
    pub(crate) connections: Arc<ServedConnections>,
    pub(crate) pending: PendingPlugins,
}

/// Loads the plugins, gets the yes for what they ask for, and serves those that can be served. The
/// others are left out, each with its reason.
///
/// # Errors
/// Nothing can be served, and nothing is to be expected; a grant cannot be recorded; a tenant is
/// assigned what is not there.
pub(crate) async fn serve_plugins(
    setup: &Arc<Setup>,
    candidates: Vec<Candidate>,
    sandbox: &Sandbox,
    egress: Arc<Egress>,
    storage: &HostStorage,
    network: &Arc<Network>,
    (answers, patience): (&ApprovalMode, StartupTimeouts),
) -> anyhow::Result<Plugins> {
    let lock = Lock::read(&setup.lock)?;
    let (assignments, config) = (Arc::clone(&storage.assignments), &setup.config);
    let budgets = Budgets::new(config.tenant_limits, config.limits_of.clone());
    let tools = Tools::new(Catalogue::default(), egress, Arc::clone(&storage.audit))?
        .with_assignments(Arc::clone(&assignments))
        .with_states(Arc::clone(&storage.states))
        .with_budgets(budgets)
        .with_cache(config.tools.cache);
    let tools = Arc::new(tools);
    let audit = Arc::clone(&storage.audit);
    let loader = Loader::new(
        Arc::clone(setup),
        sandbox.clone(),
        Arc::clone(network),
        Arc::clone(&audit),
    );
    let parts = (Arc::clone(&assignments), Arc::clone(&tools));
    let (assembly, jobs) =
        Assembly::new(Arc::clone(setup), lock, audit, parts.0, parts.1, candidates);
    let connections = assembly.connections();
    let pending = assembly.start(loader, jobs, patience, answers).await?;
    let assembly = pending.assembly();
    if assembly.is_empty()
        && let Some(failure) = nothing_to_serve(assembly.left_out())
    {
        return Err(failure.into());
    }
    let not_served = assembly.not_served();
    for said in &config.assigned {
        said.check(&assignments, &not_served)?;
    }
    pending.log();
    Ok(Plugins {
        tools,
        connections,
        pending,
    })
}

/// Everything of a tool that a model or a client sees, and so everything that a yes is given to.
pub(crate) fn approval_json(tool: &contract::Tool) -> Value {
    let mut seen = json!({
        "title": tool.title, "description": tool.description,
        "input_schema": tool.input_schema, "output_schema": tool.output_schema,
        "read_only": tool.effects.read_only, "destructive": tool.effects.destructive,
        "idempotent": tool.effects.idempotent, "open_world": tool.effects.open_world,
        "requires": tool.requires, "meta": tool.meta,
    });
    // Only where there is one, so that what was granted before this was asked stays granted.
    if let (Some(cache), Some(seen)) = (&tool.cache, seen.as_object_mut()) {
        let rule = json!({ "ttl_ms": cache.ttl_ms, "scope": cache.scope });
        seen.insert("cache".into(), rule);
    }
    seen
}
