use std::path::{Path, PathBuf};

use serde::Serialize;
use toolhost_admin::{AdminClient, BackUpStore, CheckStore, HOST, RestoreTenant, SpaceRow};
use toolhost_store::RestoreOutcome;

use crate::admin_access::AdminAccess;
use crate::args::{MigrateArgs, OutputFormat, StoreCommand, StoreKind};
use crate::exit::{CliError, Exit};
use crate::grants::hexadecimal;
use crate::output::{self, Show, bytes, head};
use crate::wiring::DataDirClaim;

/// Carries out `host store …`.
pub(super) fn run(command: &StoreCommand, format: OutputFormat) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        match command {
            StoreCommand::Backup(args) => {
                let directory = absolute(&args.directory)?;
                let operation = BackUpStore { directory };
                let rows = AdminAccess::find(&args.kept)?.ask(operation, None).await?;
                spaces(&rows, "written", format)
            }
            StoreCommand::Check(args) => {
                let tenant = args.tenant.clone();
                let rows = AdminAccess::find(&args.kept)?
                    .ask(CheckStore { tenant }, None)
                    .await?;
                spaces(&rows, "sound", format)
            }
            StoreCommand::Restore(args) => {
                let (reach, directory) =
                    (AdminAccess::find(&args.kept)?, absolute(&args.directory)?);
                match &args.tenant {
                    Some(tenant) => {
                        let tenant = tenant.clone();
                        let rows = reach.ask(RestoreTenant { directory, tenant }, None).await?;
                        spaces(&rows, "restored", format)
                    }
                    None => restore_all(&reach, &directory, format).await,
                }
            }
            StoreCommand::Migrate(args) => migrate(args, format).await,
        }
    })
}

/// The host's own space may be among what is brought back, so no host can run meanwhile.
async fn restore_all(
    reach: &AdminAccess,
    directory: &Path,
    format: OutputFormat,
) -> anyhow::Result<()> {
    if AdminClient::connect(&reach.data.dir).await.is_ok() {
        return Err(CliError::usage(
            "a host runs on this data directory: stop it first, or restore one tenant with --tenant NAME",
        )
        .into());
    }
    if !directory.is_dir() {
        let path = directory.display();
        return Err(CliError::usage(format!("{path} is not a directory with a backup")).into());
    }
    let chains = reach.config.chains;
    let (kept, restored) = DataDirClaim::take_for_backup(&reach.data, directory)?
        .restore(directory, chains)
        .await?;
    kept.audit.sync_all();
    let rows = restored
        .into_iter()
        .map(|one| RestoreRow {
            space: one
                .space
                .tenant()
                .map_or_else(|| HOST.to_owned(), ToString::to_string),
            outcome: match &one.outcome {
                RestoreOutcome::Placed { .. } => "restored",
                RestoreOutcome::Recorded => "recorded again",
                RestoreOutcome::Kept => "sound, kept",
            },
            quarantined: match one.outcome {
                RestoreOutcome::Placed { quarantined, .. } => quarantined,
                _ => None,
            },
        })
        .collect();
    output::show(format, &RestoreOutput(rows))
}

/// A host would go on with what is left behind, so none can run meanwhile. Of hosts elsewhere only
/// their changes are seen.
async fn migrate(args: &MigrateArgs, format: OutputFormat) -> anyhow::Result<()> {
    if args.from == args.to {
        return Err(CliError::usage(
            "--from and --to name the same store; one is embedded, the other postgres",
        )
        .into());
    }
    let reach = AdminAccess::find(&args.kept)?;
    if AdminClient::connect(&reach.data.dir).await.is_ok() {
        return Err(CliError::usage(
            "a host runs on this data directory: stop it first, and every other one",
        )
        .into());
    }
    let moved = DataDirClaim::migrate(&reach.data, args.to == StoreKind::Postgres).await?;
    let rows = moved.into_iter().map(|moved| MigrateRow {
        space: moved
            .space
            .tenant()
            .map_or_else(|| HOST.to_owned(), ToString::to_string),
        records: moved.records,
        bytes: moved.bytes,
        digest: hexadecimal(&moved.digest),
    });
    output::show(format, &MigrateOutput(rows.collect()))
}

/// The host has a working directory of its own.
fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    Ok(std::path::absolute(path)?)
}

fn spaces(rows: &[SpaceRow], done: &'static str, format: OutputFormat) -> anyhow::Result<()> {
    let damaged = rows.iter().filter(|row| row.problem.is_some()).count();
    output::show(format, &SpacesOutput { rows, done })?;
    if damaged == 0 {
        Ok(())
    } else {
        let message = format!("{damaged} of {} spaces cannot be used", rows.len());
        Err(CliError {
            exit: Exit::Failed,
            message,
        }
        .into())
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct SpacesOutput<'a> {
    rows: &'a [SpaceRow],
    #[serde(skip)]
    done: &'static str,
}

impl Show for SpacesOutput<'_> {
    fn text(&self) -> String {
        let line = |row: &SpaceRow| match &row.problem {
            Some(problem) => format!("{}: {problem}", row.space),
            None => format!(
                "{}: {}, {} records, {}",
                row.space,
                self.done,
                row.records,
                bytes(row.bytes)
            ),
        };
        self.rows.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let cells = |row: &SpaceRow| {
            let found = row.problem.clone().unwrap_or_else(|| self.done.to_owned());
            vec![
                row.space.clone(),
                row.records.to_string(),
                bytes(row.bytes),
                found,
            ]
        };
        (
            head(&["space", "records", "bytes", ""]),
            self.rows.iter().map(cells).collect(),
        )
    }
}

#[derive(Serialize)]
struct RestoreRow {
    space: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantined: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct RestoreOutput(Vec<RestoreRow>);

impl Show for RestoreOutput {
    fn text(&self) -> String {
        let line = |one: &RestoreRow| {
            let before = one
                .quarantined
                .as_ref()
                .map(|path| format!("; what was there is in {}", path.display()));
            format!(
                "{}: {}{}",
                one.space,
                one.outcome,
                before.unwrap_or_default()
            )
        };
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let cells = |one: &RestoreRow| {
            let before = one
                .quarantined
                .as_ref()
                .map(|path| path.display().to_string());
            vec![
                one.space.clone(),
                one.outcome.to_owned(),
                before.unwrap_or_default(),
            ]
        };
        (
            head(&["space", "", "what was there"]),
            self.0.iter().map(cells).collect(),
        )
    }
}

#[derive(Serialize)]
struct MigrateRow {
    space: String,
    records: u64,
    bytes: u64,
    /// Over every key, version and value; read back from both.
    digest: String,
}

#[derive(Serialize)]
#[serde(transparent)]
struct MigrateOutput(Vec<MigrateRow>);

impl Show for MigrateOutput {
    fn text(&self) -> String {
        let line = |one: &MigrateRow| {
            let size = bytes(one.bytes);
            let digest: String = one.digest.chars().take(16).collect();
            format!(
                "{}: {} records, {size}, verified: {digest}",
                one.space, one.records
            )
        };
        let records: u64 = self.0.iter().map(|one| one.records).sum();
        let mut lines: Vec<_> = self.0.iter().map(line).collect();
        lines.push(format!(
            "{} spaces with {records} records were moved and verified",
            self.0.len()
        ));
        lines.join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let cells = |one: &MigrateRow| {
            vec![
                one.space.clone(),
                one.records.to_string(),
                bytes(one.bytes),
                one.digest.clone(),
            ]
        };
        (
            head(&["space", "records", "bytes", "sha-256"]),
            self.0.iter().map(cells).collect(),
        )
    }
}
