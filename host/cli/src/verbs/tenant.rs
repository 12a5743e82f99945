use serde::Serialize;
use toolhost_admin::{
    AddTenant, ListTenants, MoveTenant, RemoveTenant, ResumeTenant, SetTenant, ShowTenant,
    SuspendTenant, TenantAnswer, TenantRemovalReport, TenantRow,
};

use crate::admin_access::AdminAccess;
use crate::args::{OutputFormat, TenantCommand};
use crate::exit::CliError;
use crate::output::{self, Show, bytes, head, printable};

/// Carries out `host tenant …`.
pub(super) fn run(command: &TenantCommand, format: OutputFormat) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let answer = match command {
            TenantCommand::Add(args) => {
                let operation = AddTenant {
                    tenant: args.tenant.clone(),
                    parent: args.parent.clone(),
                    name: args.name.clone(),
                    keys: args.keys.clone(),
                    restored: args.restored,
                };
                AdminAccess::find(&args.kept)?.ask(operation, None).await
            }
            TenantCommand::Set(args) => {
                let operation = SetTenant {
                    tenant: args.tenant.clone(),
                    name: args.name.clone(),
                    keys: (args.no_keys || !args.keys.is_empty()).then(|| args.keys.clone()),
                    mode: args.mode.map(Into::into),
                };
                AdminAccess::find(&args.kept)?.ask(operation, None).await
            }
            TenantCommand::Show(args) => {
                let tenant = args.tenant.clone();
                AdminAccess::find(&args.kept)?.ask(ShowTenant { tenant }, None).await
            }
            TenantCommand::Move(args) => {
                let (tenant, parent) = (args.tenant.clone(), args.parent.clone());
                let operation = MoveTenant { tenant, parent };
                AdminAccess::find(&args.kept)?.ask(operation, None).await
            }
            TenantCommand::Suspend(args) => {
                let tenant = args.tenant.clone();
                AdminAccess::find(&args.kept)?.ask(SuspendTenant { tenant }, None).await
            }
            TenantCommand::Resume(args) => {
                let tenant = args.tenant.clone();
                AdminAccess::find(&args.kept)?.ask(ResumeTenant { tenant }, None).await
            }
            TenantCommand::List(args) => {
                let tenants = AdminAccess::find(&args.kept)?.ask(ListTenants {}, None).await?;
                return output::show(format, &TenantListOutput(tenants));
            }
            TenantCommand::Remove(args) if !args.yes => {
                return Err(CliError::usage(format!(
                    "removing tenant {} destroys its key and everything that is kept for it, for good: say --yes, or suspend it",
                    args.tenant
                ))
                .into());
            }
            TenantCommand::Remove(args) => {
                let tenant = args.tenant.clone();
                let operation = RemoveTenant { tenant };
                let removed = AdminAccess::find(&args.kept)?.ask(operation, None).await?;
                return output::show(format, &TenantRemoveOutput(removed));
            }
        };
        output::show(format, &TenantOutput(answer?))
    })
}

fn state(row: &TenantRow) -> &'static str {
    match (row.suspended, row.served) {
        (true, _) => "suspended",
        (false, true) => "active",
        (false, false) => "not served, one above it is suspended",
    }
}

fn line(row: &TenantRow) -> String {
    let mut line = format!("{}: {}", row.tenant, state(row));
    if let Some(parent) = &row.parent {
        line.push_str(&format!(", below {parent}"));
    }
    if let Some(name) = &row.name {
        line.push_str(&format!(", {:?}", printable(name)));
    }
    if !row.keys.is_empty() {
        line.push_str(&format!(", keys {}", row.keys.join(" ")));
    }
    line
}

fn columns() -> Vec<String> {
    head(&["tenant", "below", "state", "name", "keys"])
}

fn cells(row: &TenantRow) -> Vec<String> {
    vec![
        row.tenant.clone(),
        row.parent.clone().unwrap_or_else(|| "-".to_owned()),
        state(row).to_owned(),
        row.name.as_deref().map(printable).unwrap_or_default(),
        row.keys.join(" "),
    ]
}

#[derive(Serialize)]
#[serde(transparent)]
struct TenantOutput(TenantAnswer);

impl Show for TenantOutput {
    fn text(&self) -> String {
        let mut line = line(&self.0.tenant);
        if let Some(mode) = self.0.mode {
            line.push_str(&format!(", mode {mode}"));
        }
        if self.0.below.is_empty() {
            line
        } else {
            format!("{line}\nright below it: {}", self.0.below.join(" "))
        }
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let (mut columns, mut cells) = (columns(), cells(&self.0.tenant));
        columns.extend(head(&["mode", "right below it"]));
        cells.push(
            self.0
                .mode
                .map_or_else(|| "-".to_owned(), |mode| mode.to_string()),
        );
        cells.push(self.0.below.join(" "));
        (columns, vec![cells])
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct TenantListOutput(Vec<TenantRow>);

impl Show for TenantListOutput {
    fn text(&self) -> String {
        if self.0.is_empty() {
            return "there are no tenants".to_owned();
        }
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        (columns(), self.0.iter().map(cells).collect())
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct TenantRemoveOutput(TenantRemovalReport);

impl TenantRemoveOutput {
    fn records(&self) -> String {
        match (self.0.records, self.0.bytes) {
            (Some(records), Some(size)) => format!("{records} records ({})", bytes(size)),
            _ => "records that could not be read".to_owned(),
        }
    }

    fn credentials(&self) -> String {
        match self.0.credentials {
            Some(count) => format!("{count} credentials"),
            None => "credentials that could not be read".to_owned(),
        }
    }
}

impl Show for TenantRemoveOutput {
    fn text(&self) -> String {
        let tenant = &self.0.tenant;
        if !self.0.key_and_space {
            return format!("tenant {tenant} is removed; nothing was kept for it");
        }
        format!(
            "tenant {tenant} is removed: its key is destroyed, and with it {}, {} among them",
            self.records(),
            self.credentials()
        )
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let cells = vec![self.0.tenant.clone(), self.records(), self.credentials()];
        (head(&["removed", "records", "credentials"]), vec![cells])
    }
}
