mod described;
mod served;
mod shared;
mod written;

use serde::Serialize;

use crate::args::{LintArgs, OutputFormat};
use crate::config::Data;
use crate::exit::{Exit, Failure};
use crate::output::{self, Show, head};
use crate::setup::{read_config, what_lasts};
use crate::wiring;

/// Something that is allowed and should not be.
#[derive(Serialize)]
struct Finding {
    /// Stable, for whoever sorts findings.
    code: &'static str,
    /// The key of the configuration.
    key: String,
    message: String,
}

#[derive(Serialize)]
struct Findings {
    findings: Vec<Finding>,
}

/// Looks for what is allowed and should not be.
pub(super) fn run(args: &LintArgs, format: OutputFormat) -> anyhow::Result<()> {
    let mut config = read_config(args.kept.config.as_deref())?;
    config.data = crate::setup::data_of(&config, &args.kept.data)?;
    what_lasts(&mut config)?;
    let mut findings = written::findings(&config);
    findings.extend(shared::declared(&config));
    let runtime = tokio::runtime::Runtime::new()?;
    findings.extend(runtime.block_on(served::findings(args, &config))?);
    // Before the first start there is nothing in it.
    let is_kept = |data: &Data| data.postgres.is_some() || wiring::has_embedded(&data.dir);
    if config.data.as_ref().is_some_and(is_kept) {
        findings.extend(runtime.block_on(shared::stored(&args.kept))?);
    }
    findings.extend(runtime.block_on(described::findings(args, config))?);
    let count = findings.len();
    output::show(format, &Findings { findings })?;
    if count == 0 {
        return Ok(());
    }
    Err(Failure {
        exit: Exit::Found,
        message: match count {
            1 => "one thing was found".to_owned(),
            many => format!("{many} things were found"),
        },
    }
    .into())
}

impl Show for Findings {
    fn text(&self) -> String {
        if self.findings.is_empty() {
            return "nothing was found".to_owned();
        }
        let line = |finding: &Finding| format!("{}  {}: {}", finding.code, finding.key, finding.message);
        self.findings.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let row = |finding: &Finding| {
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
