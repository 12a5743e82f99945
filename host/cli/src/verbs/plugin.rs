use serde::Serialize;
use toolhost_admin::{AssignPlugin, ListPlugins, PluginRow, UnassignPlugin};

use crate::admin_access::AdminAccess;
use crate::args::{OutputFormat, PluginCommand, PluginDataArgs};
use crate::output::{self, Show, head};
use crate::setup::lock_of;

/// Carries out `host plugin …`.
pub(super) fn run(command: &PluginCommand, format: OutputFormat) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let rows = runtime.block_on(async {
        match command {
            PluginCommand::Assign(args) => {
                let operation = AssignPlugin {
                    plugin: args.plugin.clone(),
                    tenant: args.tenant.clone(),
                    tools: (!args.tools.is_empty()).then(|| args.tools.clone()),
                    mode: args.mode.map(Into::into),
                };
                access(&args.kept)?.ask(operation, None).await
            }
            PluginCommand::Unassign(args) => {
                let operation = UnassignPlugin {
                    plugin: args.plugin.clone(),
                    tenant: args.tenant.clone(),
                };
                access(&args.kept)?.ask(operation, None).await
            }
            PluginCommand::List(args) => {
                let tenant = args.tenant.clone();
                access(&args.kept)?.ask(ListPlugins { tenant }, None).await
            }
        }
    })?;
    output::show(format, &PluginListOutput(rows))
}

fn access(args: &PluginDataArgs) -> anyhow::Result<AdminAccess> {
    let mut access = AdminAccess::find(&args.kept)?;
    access.lock = lock_of(&access.config, args.lock.as_deref());
    Ok(access)
}

#[derive(Serialize)]
#[serde(transparent)]
struct PluginListOutput(Vec<PluginRow>);

fn tools(row: &PluginRow) -> String {
    match row.tools.len() as u64 {
        0 => "none".to_owned(),
        some if some == row.of => format!("all ({some})"),
        _ => row.tools.join(" "),
    }
}

fn assigned_by(row: &PluginRow) -> &'static str {
    match (row.said, row.tools.is_empty()) {
        (true, false) => "assigned",
        (true, true) => "taken from it",
        (false, _) => "as every tenant",
    }
}

impl Show for PluginListOutput {
    fn text(&self) -> String {
        if self.0.is_empty() {
            return "there are no plugins".to_owned();
        }
        let line = |row: &PluginRow| {
            let who = row.tenant.as_ref().map_or_else(
                || "tenants of which nothing else is said".to_owned(),
                |tenant| format!("tenant {tenant}, {}", assigned_by(row)),
            );
            let state = match (row.state.as_deref(), &row.why) {
                (None | Some("served"), _) => String::new(),
                (Some("loading"), _) => "; it is still being loaded".to_owned(),
                (_, why) => format!("; it is left out: {}", why.as_deref().unwrap_or_default()),
            };
            format!(
                "{}: {who}: tools: {}, mode {}{state}",
                row.plugin,
                tools(row),
                row.mode
            )
        };
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let cells = |row: &PluginRow| {
            vec![
                row.plugin.clone(),
                row.tenant.clone().unwrap_or_else(|| "-".to_owned()),
                assigned_by(row).to_owned(),
                tools(row),
                row.mode.to_string(),
                row.state.clone().unwrap_or_else(|| "-".to_owned()),
                row.why.clone().unwrap_or_default(),
            ]
        };
        let columns = head(&["plugin", "tenant", "by", "tools", "mode", "state", "why"]);
        (columns, self.0.iter().map(cells).collect())
    }
}
