use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use toolhost_audit::{JsonLinesSink, LogSink, Sink};
use toolhost_egress::Egress;
use toolhost_net::Network;
use toolhost_policy::{Grant, Limits};
use toolhost_sandbox::{Compiler, Plugin, Sandbox, SandboxError, SandboxSettings, contract};
use toolhost_store::Kv;
use toolhost_tools::{Budgets, Catalogue, Tools};

use super::credentials::Providers;
use super::{Ground, PluginFile, adapters};
use crate::exit::Failure;
use crate::grants::{Answerer, Asked, Lock, approve};
use crate::progress::Progress;
use crate::setup::Setup;
use crate::verbs::COMPILE_WORKER;

/// Where events go: the configured file, or the log.
///
/// # Errors
/// The file cannot be opened.
pub(super) fn audit(file: Option<&Path>) -> Result<Arc<dyn Sink>, Failure> {
    match file {
        None => Ok(Arc::new(LogSink)),
        Some(path) => JsonLinesSink::open(path)
            .map(|sink| Arc::new(sink) as Arc<dyn Sink>)
            .map_err(|error| Failure::usage(format!("[audit] file {}: {error}", path.display()))),
    }
}

/// Every connection outward of this process.
///
/// # Errors
/// TLS cannot be set up.
pub(crate) fn network() -> anyhow::Result<Arc<Network>> {
    Ok(Arc::new(Network::system()?))
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
    ground: &Ground,
) -> anyhow::Result<Arc<Egress>> {
    let egress = Egress::new(network, credentials, Arc::clone(&ground.audit))?;
    Ok(Arc::new(egress.with_quarantine(Arc::clone(&ground.quarantine))))
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
    kv: Arc<Kv>,
) -> anyhow::Result<Sandbox> {
    let program = std::env::current_exe()?;
    let compiler = Compiler::Worker {
        program,
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
        SandboxError::Cache(_) => Failure::usage(error.to_string()).into(),
        other => other.into(),
    })
}

/// A sandbox for looking: it has no credentials, and nothing that runs in it is given a connection.
///
/// # Errors
/// As [`sandbox`].
pub(crate) fn sandbox_for_looking(setup: &Setup) -> anyhow::Result<Sandbox> {
    let audit = Arc::new(toolhost_audit::LogSink);
    let egress = egress(super::network()?, super::no_credentials(), audit)?;
    let cache = Some(setup.cache_dir.clone());
    sandbox(Limits::default(), 1, cache, egress, super::no_values())
}

/// Loads the plugins, gets the yes for what they ask for, and builds the catalogue.
///
/// # Errors
/// A plugin does not load or describe itself, asks for what the configuration does not allow, or is not granted.
pub(crate) async fn serve_plugins(
    setup: &Setup,
    files: Vec<PluginFile>,
    sandbox: &Sandbox,
    egress: Arc<Egress>,
    ground: &Ground,
    network: &Network,
    mut answerer: Answerer<'_>,
) -> anyhow::Result<Arc<Tools>> {
    let mut lock = Lock::read(&setup.lock)?;
    // First, since a base that a document proposes is part of its connection.
    let room = adapters::Room {
        setup,
        sandbox,
        network,
        audit: ground.audit.as_ref(),
    };
    let (connections, described) = room.describe(&mut lock, &mut answerer).await?;
    let mut granted = Vec::with_capacity(files.len());
    let mut asked = Vec::with_capacity(files.len());
    for file in files {
        // Cheap, and said before anything is compiled.
        let grant = Grant::resolve(&file.manifest, &connections, &setup.config.limits)
            .map_err(|error| Failure::refused(error.to_string()))?;
        let (plugin, tools) = load(sandbox, &file).await?;
        let seen = tools
            .iter()
            .map(|tool| (tool.name.clone(), whole(tool)))
            .collect();
        asked.push(Asked::of(&file.manifest, plugin.digest().to_string(), &seen));
        granted.push((plugin, grant, tools));
    }
    approve(&asked, &mut lock, &mut answerer, ground.audit.as_ref())?;
    // Of the very tools that the yes was given to; nobody is asked again.
    let catalogue =
        Catalogue::of(granted, described, 1).map_err(|error| Failure::plugin(error.to_string()))?;
    let assignments = Arc::clone(&ground.assignments);
    assignments.serve(setup.config.assignment_rules(), catalogue.plugins());
    for said in &setup.config.assigned {
        said.check(&assignments)?;
    }
    let config = &setup.config;
    let budgets = Budgets::new(config.tenant_limits, config.limits_of.clone());
    let tools = Tools::new(catalogue, egress, Arc::clone(&ground.audit))?
        .with_assignments(assignments)
        .with_states(Arc::clone(&ground.states))
        .with_budgets(budgets)
        .with_cache(config.tools.cache);
    Ok(Arc::new(tools))
}

async fn load(sandbox: &Sandbox, file: &PluginFile) -> Result<(Plugin, Vec<contract::Tool>), Failure> {
    let refuse = |error: SandboxError| Failure::plugin(format!("{}: {error}", file.path.display()));
    let _progress = Progress::start(format!("compiling {}", file.path.display()));
    let plugin = sandbox.load(&file.bytes).await.map_err(refuse)?;
    let tools = plugin.describe().await.map_err(refuse)?;
    Ok((plugin, tools))
}

/// Everything of a tool that a model or a client sees, and so everything that a yes is given to.
pub(crate) fn whole(tool: &contract::Tool) -> Value {
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
