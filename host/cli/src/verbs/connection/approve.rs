use std::io::IsTerminal;
use std::sync::Arc;

use serde::Serialize;
use toolhost_audit::LogSink;
use toolhost_egress::Egress;
use toolhost_identity::TenantId;
use toolhost_policy::ConnectionName;

use crate::args::{ApproveArgs, OutputFormat};
use crate::config::AdapterSettings;
use crate::exit::CliError;
use crate::grants::{Approver, Lock};
use crate::output::{self, Show};
use crate::plugins::ask;
use crate::setup::Setup;
use crate::wiring::adapters::{AdapterContext, Approval, SkippedOperation, ToolNote};
use crate::wiring::{self, HostBuilder};

/// One discovery at a time.
const SLOTS: u32 = 1;

#[derive(Serialize)]
struct ConnectionApproveOutput {
    connection: String,
    tools: usize,
    /// Operations that give no tool.
    without_tool: Vec<SkippedOperation>,
    /// What of its tools is not as the system describes it.
    tool_notes: Vec<ToolNote>,
}

impl Show for ConnectionApproveOutput {
    fn text(&self) -> String {
        let head = format!(
            "connection {}, approved tools: {}",
            self.connection, self.tools
        );
        let without = self
            .without_tool
            .iter()
            .map(|left| format!("without tool: {}", left.line()));
        let notes = self
            .tool_notes
            .iter()
            .map(|note| format!("tool {}", note.line()));
        std::iter::once(head)
            .chain(without)
            .chain(notes)
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let row = vec![
            self.connection.clone(),
            self.tools.to_string(),
            String::new(),
        ];
        let without = self
            .without_tool
            .iter()
            .map(|left| vec![self.connection.clone(), String::new(), left.line()]);
        let notes = self
            .tool_notes
            .iter()
            .map(|note| vec![self.connection.clone(), note.line(), String::new()]);
        let rows = std::iter::once(row).chain(notes).chain(without).collect();
        (output::head(&["connection", "tools", "without tool"]), rows)
    }
}

/// Looks at what a connection's system offers, and asks for a yes.
pub(super) fn run(args: &ApproveArgs, format: OutputFormat) -> anyhow::Result<()> {
    let mut setup = Setup::gather(&args.wiring)?;
    let name = ConnectionName::parse(&args.connection)
        .map_err(|why| CliError::usage(format!("{}: {why}", args.connection.escape_default())))?;
    let Some(settings) = setup.config.adapters.remove(&name) else {
        return Err(CliError::usage(format!(
            "connection {name} has no adapter, so there is nothing to approve: set connections.{name}.adapter"
        ))
        .into());
    };
    if let Some(tenant) = &args.as_tenant {
        let tenant = TenantId::parse(tenant)
            .map_err(|why| CliError::usage(format!("--as-tenant: {why}")))?;
        setup.dev_tenant = Some(tenant);
    }
    let mut person = |text: &str| ask(text);
    let answerer = if setup.yes {
        Approver::Yes
    } else if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        Approver::Person(&mut person)
    } else {
        Approver::Nobody
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let Approval {
        tools,
        left_out,
        notes,
    } = runtime.block_on(approve(args, &setup, &name, &settings, answerer))?;
    output::show(
        format,
        &ConnectionApproveOutput {
            connection: name.to_string(),
            tools,
            without_tool: left_out,
            tool_notes: notes,
        },
    )
}

async fn approve(
    args: &ApproveArgs,
    setup: &Setup,
    name: &ConnectionName,
    settings: &AdapterSettings,
    mut answerer: Approver<'_>,
) -> anyhow::Result<Approval> {
    let mut lock = Lock::read(&setup.lock)?;
    let of = |egress: Arc<Egress>, kv| {
        let cache = Some(setup.cache_dir.clone());
        wiring::sandbox(setup.config.limits.clone(), SLOTS, cache, egress, kv)
    };
    if settings.spec.is_some() {
        // Nothing of any tenant is needed, so that a host that runs is not in the way.
        let (network, audit) = (wiring::network()?, Arc::new(LogSink));
        let egress = wiring::egress(
            Arc::clone(&network),
            wiring::no_credentials(),
            audit.clone(),
        )?;
        let sandbox = of(egress, wiring::no_values())?;
        let room = AdapterContext {
            setup,
            sandbox: &sandbox,
            network: &network,
            audit: audit.as_ref(),
        };
        return room
            .approve_document(name, settings, &mut lock, &mut answerer)
            .await;
    }
    if setup.dev_tenant.is_none() && args.token.is_none() {
        return Err(CliError::usage(format!(
            "connection {name} has no document, so its system is asked for somebody: --as-tenant NAME or --token @FILE|env:VAR"
        ))
        .into());
    }
    let builder = HostBuilder::open(setup, &[]).await?;
    let admitted = wiring::token_or_development(&builder.tenancy, args.token.as_deref()).await?;
    let binding = admitted.caller.clone().binding();
    let binding = binding.map_err(|error| toolhost_tenancy::AuthError::from(error).public())?;
    builder
        .authority
        .register_bearer(&binding, &admitted.presented);
    let (providers, _) = builder.providers(setup)?;
    let egress = builder.egress(providers)?;
    let sandbox = of(Arc::clone(&egress), Arc::clone(&builder.storage.kv))?;
    let room = AdapterContext {
        setup,
        sandbox: &sandbox,
        network: &builder.network,
        audit: builder.storage.audit.as_ref(),
    };
    room.approve_answer(name, settings, &egress, binding, &mut lock, &mut answerer)
        .await
}
