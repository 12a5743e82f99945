use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use toolhost_admin::{LiftQuarantine, ListQuarantines, QuarantineRow};

use crate::admin_access::AdminAccess;
use crate::args::{LiftArgs, OutputFormat, QuarantinesArgs};
use crate::exit::CliError;
use crate::output::{self, Show, head};

/// Shows of which plugins and connections answers have held the credential.
pub(super) fn list(args: &QuarantinesArgs, format: OutputFormat) -> anyhow::Result<()> {
    let tenant = args.tenant.clone();
    let runtime = tokio::runtime::Runtime::new()?;
    let rows =
        runtime.block_on(AdminAccess::find(&args.kept)?.ask(ListQuarantines { tenant }, None))?;
    output::show(format, &QuarantineListOutput(rows))
}

/// Lets plugins use a connection of a tenant again.
pub(super) fn lift(args: &LiftArgs, format: OutputFormat) -> anyhow::Result<()> {
    let operation = LiftQuarantine {
        connection: args.name.clone(),
        tenant: args.tenant.clone(),
        plugin: args.plugin.clone(),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    match runtime.block_on(AdminAccess::find(&args.kept)?.ask(operation, None))? {
        true => output::show(
            format,
            &QuarantineLiftOutput {
                lifted: &args.name,
                tenant: &args.tenant,
            },
        ),
        false => Err(CliError::usage(format!(
            "no answer of connection {} has held the credential of tenant {}",
            args.name, args.tenant
        ))
        .into()),
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct QuarantineListOutput(Vec<QuarantineRow>);

#[derive(Serialize)]
struct QuarantineLiftOutput<'a> {
    lifted: &'a str,
    tenant: &'a str,
}

fn time(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| seconds.to_string())
}

impl Show for QuarantineListOutput {
    fn text(&self) -> String {
        if self.0.is_empty() {
            return "no answer has held a credential".to_owned();
        }
        let line = |row: &QuarantineRow| {
            let since = row.quarantined.map_or_else(
                || "not quarantined yet".to_owned(),
                |since| format!("quarantined since {}", time(since)),
            );
            format!(
                "tenant {}, plugin {}, connection {}: {since}; calls whose answers held the credential: {}, the last at {}",
                row.tenant,
                row.plugin,
                row.connection,
                row.calls,
                time(row.last)
            )
        };
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let cells = |row: &QuarantineRow| {
            vec![
                row.tenant.clone(),
                row.plugin.clone(),
                row.connection.clone(),
                row.calls.to_string(),
                time(row.last),
                row.quarantined.map_or_else(|| "-".to_owned(), time),
            ]
        };
        let columns = head(&[
            "tenant",
            "plugin",
            "connection",
            "calls",
            "last",
            "quarantined",
        ]);
        (columns, self.0.iter().map(cells).collect())
    }
}

impl Show for QuarantineLiftOutput<'_> {
    fn text(&self) -> String {
        format!(
            "connection {} of tenant {} may be used again",
            self.lifted, self.tenant
        )
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let row = vec![self.lifted.to_owned(), self.tenant.to_owned()];
        (head(&["lifted", "tenant"]), vec![row])
    }
}
