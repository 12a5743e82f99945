use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use toolhost_admin::{ChainReport, ExportChain, HOST, VerifyChains};
use toolhost_audit::{Chain, Tail};
use toolhost_identity::TenantId;

use crate::admin_access::AdminAccess;
use crate::args::{AuditCommand, OutputFormat};
use crate::exit::{CliError, Exit};
use crate::output::{self, Show, head};
use crate::screen;
use crate::wiring::{read_capped, stop_signal};

/// How often a chain that is followed is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// The largest export whose last line is looked for.
const MAX_EXPORT: u64 = 4 << 30;

/// Carries out `host audit …`.
pub(super) fn run(command: &AuditCommand, format: OutputFormat) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match command {
            AuditCommand::Tail(args) => {
                let reach = AdminAccess::find(&args.kept)?;
                let chain = match &args.tenant {
                    None => Chain::Host,
                    Some(tenant) => Chain::Tenant(
                        TenantId::parse(tenant).map_err(|why| CliError::usage(why.to_string()))?,
                    ),
                };
                tail(&reach, &chain, args.lines, args.follow).await
            }
            AuditCommand::Verify(args) => {
                let reach = AdminAccess::find(&args.kept)?;
                let head = args.head.as_deref().map(last_line).transpose()?;
                let chain = match (&args.tenant, &head) {
                    (Some(tenant), _) => Some(tenant.clone()),
                    (None, Some(_)) => Some(HOST.to_owned()),
                    (None, None) => None,
                };
                let reports = reach.ask(VerifyChains { chain, head }, None).await?;
                show_and_check(&reports, format)
            }
            AuditCommand::Export(args) => {
                let operation = ExportChain {
                    chain: args.tenant.clone().unwrap_or_else(|| HOST.to_owned()),
                    from: args.from,
                    to: args.to,
                };
                AdminAccess::find(&args.kept)?
                    .ask(operation, None)
                    .await
                    .map(drop)
            }
        }
    })
}

/// The records are JSON lines, whatever format is asked for.
async fn tail(
    reach: &AdminAccess,
    chain: &Chain,
    lines: usize,
    follow: bool,
) -> anyhow::Result<()> {
    let mut tail = Tail::open(&reach.audit_root(), chain, lines)?;
    let stop = stop_signal();
    tokio::pin!(stop);
    loop {
        for line in tail.next_lines()? {
            screen::write_bytes(format!("{line}\n").as_bytes())?;
        }
        if !follow {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = &mut stop => return Ok(()),
        }
    }
}

fn last_line(path: &Path) -> anyhow::Result<String> {
    let text = read_capped(path, MAX_EXPORT)?;
    let text = String::from_utf8_lossy(&text);
    let last = text.trim_end().lines().next_back();
    let last =
        last.ok_or_else(|| CliError::usage(format!("--head {}: it is empty", path.display())))?;
    Ok(last.to_owned())
}

fn show_and_check(reports: &[ChainReport], format: OutputFormat) -> anyhow::Result<()> {
    output::show(format, &AuditVerifyOutput(reports))?;
    let damaged = reports
        .iter()
        .filter(|report| !report.problems.is_empty())
        .count();
    if damaged == 0 {
        return Ok(());
    }
    let message = format!("{damaged} of {} chains are not whole", reports.len());
    Err(CliError {
        exit: Exit::Failed,
        message,
    }
    .into())
}

#[derive(Serialize)]
#[serde(transparent)]
struct AuditVerifyOutput<'a>(&'a [ChainReport]);

impl Show for AuditVerifyOutput<'_> {
    fn text(&self) -> String {
        let lines = self.0.iter().flat_map(|report| {
            let whole = report.problems.is_empty();
            let first = format!(
                "{}: {}, {} records in {} segments",
                report.chain,
                if whole { "whole" } else { "NOT WHOLE" },
                report.records,
                report.segments
            );
            let problems = report.problems.iter().map(|problem| format!("  {problem}"));
            std::iter::once(first).chain(problems).collect::<Vec<_>>()
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let cells = |report: &ChainReport| {
            vec![
                report.chain.clone(),
                report.records.to_string(),
                report.segments.to_string(),
                if report.problems.is_empty() {
                    "whole".to_owned()
                } else {
                    report.problems.join("; ")
                },
            ]
        };
        (
            head(&["chain", "records", "segments", ""]),
            self.0.iter().map(cells).collect(),
        )
    }
}
