use std::sync::Arc;

use toolhost_tools::PluginState;

use super::report::{CheckStatus, DoctorReport};
use crate::args::DoctorArgs;
use crate::config::Config;
use crate::grants::Lock;
use crate::plugins::Verdicts;
use crate::setup::Setup;

/// The plugins and the connections with adapters: what a start of the host would do with each.
/// Nothing is granted, and nothing is called.
pub(super) fn plugins(config: &Config, args: &DoctorArgs, report: &mut DoctorReport) {
    if config.plugins.is_empty() && config.adapters.is_empty() {
        return;
    }
    if let Err(error) = check_plugins(config, args, report) {
        report.add("plugins", CheckStatus::Failed, format!("{error:#}"));
    }
}

fn check_plugins(
    config: &Config,
    args: &DoctorArgs,
    report: &mut DoctorReport,
) -> anyhow::Result<()> {
    let setup = Setup::of_config(
        config.clone(),
        &args.kept.data,
        None,
        args.cache_dir.as_deref(),
    )?;
    let lock = Lock::read(&setup.lock)?;
    let at = lock.path().display();
    let runtime = tokio::runtime::Runtime::new()?;
    let verdicts = runtime.block_on(Verdicts::evaluate(Arc::new(setup), None))?;
    for verdict in &verdicts.all {
        let (name, is_adapter) = (&verdict.name, verdict.path.is_none());
        let what = if is_adapter { "adapter" } else { "plugin" };
        let (judgement, detail) = match (&verdict.state, verdict.fault()) {
            (_, Some(why)) => (CheckStatus::Failed, format!("{name}: {why}")),
            (PluginState::LeftOut { code, .. }, _) => {
                let detail = match (is_adapter, *code) {
                    (true, _) => {
                        "nothing that its system offers is granted with this adapter; host run will ask"
                    }
                    (false, "changed") => {
                        "it changed since it was granted; host run will ask, or pass --yes"
                    }
                    (false, _) => "not granted as it is; host run will ask, or pass --yes",
                };
                (CheckStatus::Warning, format!("{name}: {detail}"))
            }
            _ => {
                let granted = lock.connection_approval(name).filter(|_| is_adapter);
                let detail = match granted {
                    Some(known) => format!("{name}: tools granted in {at}: {}", known.tools.len()),
                    None => format!("{name}: granted in {at}"),
                };
                (CheckStatus::Ok, detail)
            }
        };
        report.add(what, judgement, detail);
    }
    if let Some(refused) = verdicts.refused {
        report.add("assignments", CheckStatus::Failed, refused.message);
    }
    Ok(())
}
