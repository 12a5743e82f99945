mod configuration;
mod omitted_plugins;
mod shared_credentials;
mod tenant_arguments;

use serde::Serialize;

use crate::args::{LintArgs, OutputFormat};
use crate::config::DataConfig;
use crate::exit::{CliError, Exit};
use crate::output::{self, Show, head};
use crate::setup::{default_to_vault, read_config};
use crate::wiring;

/// Something that is allowed and should not be.
#[derive(Serialize)]
struct LintFinding {
    /// Stable, for whoever sorts findings.
    code: &'static str,
    /// The key of the configuration.
    key: String,
    message: String,
}

#[derive(Serialize)]
struct LintOutput {
    findings: Vec<LintFinding>,
}

/// Looks for what is allowed and should not be.
pub(super) fn run(args: &LintArgs, format: OutputFormat) -> anyhow::Result<()> {
    let mut config = read_config(args.kept.config.as_deref())?;
    config.data = crate::setup::data_config(&config, &args.kept.data)?;
    default_to_vault(&mut config)?;
    let mut findings = configuration::findings(&config);
    findings.extend(shared_credentials::shared_in_config(&config));
    let runtime = tokio::runtime::Runtime::new()?;
    findings.extend(runtime.block_on(omitted_plugins::findings(args, &config))?);
    // Before the first start there is nothing in it.
    let is_kept = |data: &DataConfig| data.postgres.is_some() || wiring::has_embedded(&data.dir);
    if config.data.as_ref().is_some_and(is_kept) {
        findings.extend(runtime.block_on(shared_credentials::shared_in_vault(&args.kept))?);
    }
    findings.extend(runtime.block_on(tenant_arguments::findings(args, config))?);
    let count = findings.len();
    output::show(format, &LintOutput { findings })?;
    if count == 0 {
        return Ok(());
    }
    Err(CliError {
        exit: Exit::Found,
        message: match count {
            1 => "one thing was found".to_owned(),
            many => format!("{many} things were found"),
        },
    }
    .into())
}

impl Show for LintOutput {
    fn text(&self) -> String {
        if self.findings.is_empty() {
            return "nothing was found".to_owned();
        }
        let line = |finding: &LintFinding| {
            format!("{}  {}: {}", finding.code, finding.key, finding.message)
        };
        self.findings
            .iter()
            .map(line)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let row = |finding: &LintFinding| {
            vec![
                finding.code.to_owned(),
                finding.key.clone(),
                finding.message.clone(),
            ]
        };
        (
            head(&["code", "key", "message"]),
            self.findings.iter().map(row).collect(),
        )
    }
}
