use serde::Serialize;
use toolhost_gateway::admin::{AdminRequest, AdminResponse, PluginRow};

use crate::admin_access::AdminAccess;
use crate::args::{OutputFormat, PluginCommand, PluginDataArgs};
use crate::output::{self, Show, head};
use crate::setup::lock_of;

/// Carries out `host plugin …`.
pub(super) fn run(command: &PluginCommand, format: OutputFormat) -> anyhow::Result<()> {
    let (request, PluginDataArgs { lock, kept }) = request(command);
    let mut reach = AdminAccess::find(kept)?;
    reach.lock = lock_of(&reach.config, lock.as_deref());
    let runtime = tokio::runtime::Runtime::new()?;
    match runtime.block_on(reach.ask(request, None))? {
        AdminResponse::Plugins(rows) => output::show(format, &PluginListOutput(rows)),
        other => super::unexpected_answer(&other),
    }
}

fn request(command: &PluginCommand) -> (AdminRequest, &PluginDataArgs) {
    match command {
        PluginCommand::Assign(args) => {
            let request = AdminRequest::PluginAssign {
                plugin: args.plugin.clone(),
                tenant: args.tenant.clone(),
                tools: (!args.tools.is_empty()).then(|| args.tools.clone()),
                mode: args.mode.map(Into::into),
            };
            (request, &args.kept)
        }
        PluginCommand::Unassign(args) => {
            let request = AdminRequest::PluginUnassign {
                plugin: args.plugin.clone(),
                tenant: args.tenant.clone(),
            };
            (request, &args.kept)
        }
        PluginCommand::List(args) => {
            let tenant = args.tenant.clone();
            (AdminRequest::PluginList { tenant }, &args.kept)
        }
    }
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
