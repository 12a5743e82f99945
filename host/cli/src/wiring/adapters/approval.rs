use std::sync::Arc;
use std::time::Instant;

use toolhost_egress::Egress;
use toolhost_identity::Binding;
use toolhost_policy::{CheckedConnection, Connection, ConnectionName, Endpoint, PluginName};
use toolhost_sandbox::{CallContext, answer_to_bytes};
use toolhost_tools::{discovery_grant, refusals};

use super::{
    AdapterContext, SkippedOperation, ToolNote, credential_notes, left_out, load, notes, pins,
    tool_choice, tool_notes, upstream_names,
};
use crate::config::AdapterSettings;
use crate::exit::CliError;
use crate::grants::{self, Approver, Lock, approve_described, sha256};
use crate::output::printable;

/// How long asking a system what it offers may take, as long as looking at a document may.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// What was approved of a connection.
pub(crate) struct Approval {
    /// How many tools.
    pub(crate) tools: usize,
    pub(crate) left_out: Vec<SkippedOperation>,
    pub(crate) notes: Vec<ToolNote>,
}

impl AdapterContext<'_> {
    /// The yes to what a document describes now.
    ///
    /// # Errors
    /// It cannot be had or read, or nobody said yes.
    pub(crate) async fn approve_document(
        &self,
        name: &ConnectionName,
        settings: &AdapterSettings,
        lock: &mut Lock,
        answerer: &mut Approver<'_>,
    ) -> anyhow::Result<Approval> {
        let connection = self.connection(name)?;
        let adapter = load(self.setup, self.sandbox, &settings.adapter).await?;
        let spec = settings.spec.as_ref();
        let spec =
            spec.ok_or_else(|| CliError::usage(format!("connections.{name}.spec is missing")))?;
        let found = self
            .discover_document(&connection, settings, spec, &adapter, None)
            .await?;
        require_approval(
            self,
            &found.asked,
            &found.document,
            &found.notes,
            lock,
            answerer,
        )?;
        Ok(Approval {
            tools: found.asked.tools.len(),
            left_out: left_out(&found.connection, &found.discovery),
            notes: tool_notes(&found.discovery),
        })
    }

    /// The yes to what a system answers when it is asked for this caller.
    ///
    /// # Errors
    /// It does not answer, or nobody said yes.
    pub(crate) async fn approve_answer(
        &self,
        name: &ConnectionName,
        settings: &AdapterSettings,
        egress: &Arc<Egress>,
        binding: Binding,
        lock: &mut Lock,
        answerer: &mut Approver<'_>,
    ) -> anyhow::Result<Approval> {
        let connection = self.connection(name)?;
        let adapter = load(self.setup, self.sandbox, &settings.adapter).await?;
        let plugin =
            PluginName::parse(name.as_str()).map_err(|why| CliError::usage(why.to_string()))?;
        let limits = self.setup.config.limits.clone();
        let endpoints = reachable(&connection);
        let grant = Arc::new(discovery_grant(
            plugin.clone(),
            &connection,
            limits.clone(),
            endpoints,
        ));
        let call = egress
            .call(binding.clone(), grant, 0, Instant::now() + PATIENCE)
            .of_read_only_tool(true)
            .of_adapter(name.clone(), None);
        let context = CallContext {
            call: 0,
            binding,
            plugin,
            limits: Arc::new(limits),
            egress: Arc::new(call),
            meter: None,
            progress: None,
            log: None,
        };
        let found = adapter
            .ask(context)
            .await
            .map_err(|error| CliError::plugin(format!("connection {name}: {error}")))?;
        let discovery = found.map_err(|failure| {
            CliError::refusal(format!(
                "connection {name}: {}",
                printable(&failure.message)
            ))
        })?;
        let refused = refusals(&connection, &discovery.tools);
        tool_choice::check(settings, &discovery, &refused)?;
        let answer = answer_to_bytes(&discovery).ok_or_else(|| {
            CliError::plugin(format!("connection {name}: its answer cannot be kept"))
        })?;
        let tools = pins(&discovery.tools, &refused);
        let asked = grants::ConnectionApproval {
            name: name.to_string(),
            adapter: settings.adapter.to_string(),
            digest: adapter.digest().to_string(),
            document: None,
            answer: Some(sha256(&answer)),
            base: None,
            upstream_names: upstream_names(&discovery.tools, &tools),
            tools,
        };
        let left_out = left_out(&connection, &discovery);
        let mut notes = notes(settings, &discovery, &left_out);
        notes.extend(credential_notes(
            &connection,
            &discovery.tools,
            &asked.tools,
        ));
        require_approval(self, &asked, &answer, &notes, lock, answerer)?;
        Ok(Approval {
            tools: asked.tools.len(),
            left_out,
            notes: tool_notes(&discovery),
        })
    }

    fn connection(&self, name: &ConnectionName) -> Result<CheckedConnection, CliError> {
        let known = self.setup.config.connections.get(name);
        known
            .cloned()
            .ok_or_else(|| CliError::usage(format!("there is no [connections.{name}]")))
    }
}

/// What an adapter may ask before anything is known: the base itself, or else what the operator
/// allows.
fn reachable(connection: &Connection) -> Vec<Endpoint> {
    let asking = || vec![Endpoint::of_asking_adapter()];
    connection.allow.clone().unwrap_or_else(asking)
}

fn require_approval(
    room: &AdapterContext<'_>,
    asked: &grants::ConnectionApproval,
    said: &[u8],
    notes: &[String],
    lock: &mut Lock,
    answerer: &mut Approver<'_>,
) -> anyhow::Result<()> {
    approve_described(asked, said, notes, lock, answerer, room.audit)?.map_err(|text| {
        CliError::refusal(format!(
            "{text}this is not approved: answer the question on a terminal, or pass --yes"
        ))
    })?;
    Ok(())
}
