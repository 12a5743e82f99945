mod data;
mod machine;
mod plugins;
mod report;

use std::path::PathBuf;
use std::sync::Arc;

use toolhost_audit::LogSink;
use toolhost_vault::StaticProvider;

use crate::admin_access::AdminAccess;
use crate::args::{DoctorArgs, OutputFormat};
use crate::config::Config;
use crate::exit::CliError;
use crate::output;
use crate::setup::{Setup, data_config, default_cache_dir, read_config};
use crate::wiring;
use machine::machine;
use report::{CheckStatus, DoctorReport};

/// Checks everything that can be checked without serving. It changes nothing but the cache
/// directory, which it makes.
pub(super) fn run(args: &DoctorArgs, format: OutputFormat) -> anyhow::Result<()> {
    let mut report = DoctorReport { checks: Vec::new() };
    let mut config = match read_config(args.kept.config.as_deref()) {
        Ok(config) => {
            let from = config
                .path
                .as_ref()
                .map_or("none; flags alone".to_owned(), |path| {
                    path.display().to_string()
                });
            report.add("configuration", CheckStatus::Ok, from);
            config
        }
        Err(error) => {
            report.add("configuration", CheckStatus::Failed, format!("{error:#}"));
            Config::default()
        }
    };
    credentials(&config, &mut report);
    match data_config(&config, &args.kept.data) {
        Ok(data) => config.data = data,
        Err(error) => report.add("data directory", CheckStatus::Failed, error.message),
    }
    let kept = AdminAccess::find(&args.kept);
    let cache = args
        .cache_dir
        .clone()
        .or_else(|| config.cache_dir.clone())
        .map_or_else(default_cache_dir, Ok);
    let slots = config.server.slots;
    machine(slots, &config.limits, &mut report);
    // Without one there is nothing to check; what is wrong was said above.
    if let Ok(reach) = kept {
        tokio::runtime::Runtime::new()?.block_on(data::data(&reach, &mut report));
    }
    match cache {
        Ok(cache) => {
            plugins::plugins(&config, args, &mut report);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(check_engine(config, cache, &mut report));
        }
        Err(error) => report.add("cache", CheckStatus::Failed, error.to_string()),
    }
    output::show(format, &report)?;
    let failed = report
        .checks
        .iter()
        .filter(|check| check.verdict == CheckStatus::Failed)
        .count();
    if failed == 0 {
        Ok(())
    } else {
        Err(CliError::usage(format!("{failed} of {} checks failed", report.checks.len())).into())
    }
}

fn credentials(config: &Config, report: &mut DoctorReport) {
    match StaticProvider::new(config.credentials.iter().cloned()) {
        Err(error) => report.add("credentials", CheckStatus::Failed, error.to_string()),
        Ok(provider) => {
            let problems = provider.problems();
            if problems.is_empty() {
                report.add(
                    "credentials",
                    CheckStatus::Ok,
                    format!("{} declared, all can be read", config.credentials.len()),
                );
            }
            for problem in problems {
                let detail = format!(
                    "{} from {}: {}",
                    problem.key, problem.source, problem.reason
                );
                report.add("credentials", CheckStatus::Failed, detail);
            }
        }
    }
}

/// Without scopes the metadata names none, and MCP clients ask the authorization server for none.
fn scopes(config: &Config, report: &mut DoctorReport) {
    for issuer in config
        .issuers
        .iter()
        .filter(|issuer| issuer.scopes.is_empty())
    {
        let detail = format!(
            "{}: `scopes` of [[issuers]] is empty, so clients ask for none when they log in; some authorization servers say access_denied then",
            issuer.issuer
        );
        report.add("login", CheckStatus::Warning, detail);
    }
}

/// What needs the network or the engine.
async fn check_engine(config: Config, cache: PathBuf, report: &mut DoctorReport) {
    let network = match wiring::network() {
        Ok(network) => network,
        Err(error) => return report.add("TLS", CheckStatus::Failed, format!("{error:#}")),
    };
    let egress = match wiring::egress(
        Arc::clone(&network),
        wiring::no_credentials(),
        Arc::new(LogSink),
    ) {
        Ok(egress) => egress,
        Err(error) => return report.add("TLS", CheckStatus::Failed, format!("{error:#}")),
    };
    report.add("TLS", CheckStatus::Ok, "roots are loaded");
    match wiring::sandbox(
        config.limits.clone(),
        config.server.slots,
        Some(cache.clone()),
        egress,
        wiring::no_values(),
    ) {
        Err(error) => report.add("sandbox", CheckStatus::Failed, format!("{error:#}")),
        Ok(sandbox) => {
            report.add("cache", CheckStatus::Ok, cache.display().to_string());
            if sandbox.is_pooling() {
                report.add(
                    "sandbox",
                    CheckStatus::Ok,
                    format!("a pool of {} slots", config.server.slots),
                );
            } else {
                let detail = "no pool of slots (address space: ulimit -v, or fewer [server] slots); calls are slower";
                report.add("sandbox", CheckStatus::Warning, detail);
            }
        }
    }
    let issuers: Vec<String> = config
        .issuers
        .iter()
        .map(|issuer| issuer.issuer.clone())
        .collect();
    scopes(&config, report);
    let setup = Setup {
        config,
        dev_tenant: None,
        plugins: Vec::new(),
        yes: false,
        lock: PathBuf::new(),
        cache_dir: cache,
    };
    if let Err(error) = wiring::check_server(&setup) {
        report.add("server", CheckStatus::Failed, error.to_string());
    }
    match wiring::directory(&setup, None, &network)
        .and_then(|directory| wiring::tenancy(&setup, &[], &network, directory, None))
    {
        Err(error) => report.add("issuers", CheckStatus::Failed, format!("{error:#}")),
        Ok(tenancy) => {
            tenancy.start().await;
            let without = tenancy.issuers_without_keys();
            for issuer in &issuers {
                if without.contains(&issuer.as_str()) {
                    report.add(
                        "issuer",
                        CheckStatus::Failed,
                        format!("{issuer}: its keys cannot be had; see the log above"),
                    );
                } else {
                    report.add(
                        "issuer",
                        CheckStatus::Ok,
                        format!("{issuer}: its keys are there"),
                    );
                }
            }
        }
    }
}
