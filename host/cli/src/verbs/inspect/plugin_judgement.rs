use std::path::Path;
use std::sync::Arc;

use toolhost_policy::{CheckedConnection, Connection, Grant, Limits, Manifest};
use toolhost_sandbox::{PluginComponent, contract};
use toolhost_tools::PreparedPlugin;

use super::document::any_connection;
use crate::args::InspectArgs;
use crate::plugins::Verdicts;
use crate::setup::{self, Setup};
use crate::spinner::Spinner;
use crate::wiring;

/// What the host says of a plugin's file.
pub(super) struct PluginJudgement {
    pub(super) tools: Vec<contract::Tool>,
    pub(super) why_not: Option<String>,
    pub(super) waits_for_yes: bool,
}

/// Compiles a file, asks it for its tools, and looks at them as a start of the host does. Where the
/// configuration names the file, the whole start is judged: what others of its plugins have and
/// what was granted counts too.
///
/// # Errors
/// The file does not compile or describe itself, or the configuration cannot be read.
pub(super) fn judge(args: &InspectArgs, file: &[u8]) -> anyhow::Result<PluginJudgement> {
    let config = setup::read_config(args.config.as_deref())?;
    let cache_dir = args.cache_dir.as_deref();
    let setup = Setup::of_config(config, &args.data, None, cache_dir)?;
    let named = setup
        .config
        .plugins
        .values()
        .any(|path| is_same(path, &args.file));
    let limits = setup.config.limits.clone();
    let setup = Arc::new(setup);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let audit = Arc::new(toolhost_audit::LogSink);
        let egress = wiring::egress(wiring::network()?, wiring::no_credentials(), audit)?;
        let cache = Some(setup.cache_dir.clone());
        let sandbox = wiring::sandbox(limits.clone(), 1, cache, egress, wiring::no_values())?;
        let progress = Spinner::start(format!("compiling {}", args.file.display()));
        let plugin = sandbox.load(file).await?;
        drop(progress);
        let tools = plugin.describe().await?;
        let mut judged = PluginJudgement {
            why_not: own_defect(plugin, tools.clone(), limits),
            tools,
            waits_for_yes: false,
        };
        if named {
            let verdicts = Verdicts::evaluate(setup, None).await?;
            let is_it = |path: &Option<std::path::PathBuf>| {
                path.as_deref()
                    .is_some_and(|path| is_same(path, &args.file))
            };
            if let Some(verdict) = verdicts.all.iter().find(|verdict| is_it(&verdict.path)) {
                judged.waits_for_yes = verdict.waits_for_yes();
                judged.why_not = verdict.fault().map(str::to_owned);
            }
        }
        Ok(judged)
    })
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// What speaks against it whatever an operator configures: its tools.
fn own_defect(
    plugin: PluginComponent,
    tools: Vec<contract::Tool>,
    limits: Limits,
) -> Option<String> {
    let manifest = plugin.manifest().cloned()?;
    let prepare = || -> anyhow::Result<()> {
        let grant = Grant::resolve(&manifest, &allow_all_connections(&manifest)?, &limits)?;
        PreparedPlugin::of_plugin(plugin, grant, tools)?;
        Ok(())
    };
    prepare().err().map(|why| format!("{why:#}"))
}

/// Connections that allow all that is asked for.
fn allow_all_connections(
    manifest: &Manifest,
) -> anyhow::Result<std::collections::BTreeMap<toolhost_policy::ConnectionName, CheckedConnection>>
{
    let named = manifest.connections.iter().map(|request| {
        let connection = Connection {
            name: request.name.clone(),
            principal: request.principal,
            ..any_connection()?
        };
        Ok::<_, anyhow::Error>((request.name.clone(), CheckedConnection::new(connection)?))
    });
    named.collect()
}
