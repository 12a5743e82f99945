use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use toolhost_gateway::admin::{Answer, QuarantineRow, Request};

use crate::args::{LiftArgs, OutputFormat, QuarantinesArgs};
use crate::exit::Failure;
use crate::output::{self, Show, head};
use crate::reach::Reach;

/// Shows of which plugins and connections answers have held the credential.
pub(super) fn list(args: &QuarantinesArgs, format: OutputFormat) -> anyhow::Result<()> {
    let request = Request::QuarantineList {
        tenant: args.tenant.clone(),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    match runtime.block_on(Reach::find(&args.kept)?.ask(request, None))? {
        Answer::Quarantines(rows) => output::show(format, &Rows(rows)),
        other => crate::verbs::unexpected(&other),
    }
}

/// Lets plugins use a connection of a tenant again.
pub(super) fn lift(args: &LiftArgs, format: OutputFormat) -> anyhow::Result<()> {
    let request = Request::QuarantineLift {
        connection: args.name.clone(),
        tenant: args.tenant.clone(),
        plugin: args.plugin.clone(),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    match runtime.block_on(Reach::find(&args.kept)?.ask(request, None))? {
        Answer::Removed(true) => output::show(
            format,
            &Lifted {
                lifted: &args.name,
                tenant: &args.tenant,
            },
        ),
        Answer::Removed(false) => Err(Failure::usage(format!(
            "no answer of connection {} has held the credential of tenant {}",
            args.name, args.tenant
        ))
        .into()),
        other => crate::verbs::unexpected(&other),
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Rows(Vec<QuarantineRow>);

#[derive(Serialize)]
struct Lifted<'a> {
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

impl Show for Rows {
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
        let columns = head(&["tenant", "plugin", "connection", "calls", "last", "quarantined"]);
        (columns, self.0.iter().map(cells).collect())
    }
}

impl Show for Lifted<'_> {
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
