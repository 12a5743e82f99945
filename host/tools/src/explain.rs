use std::time::Instant;

use toolhost_egress::{PlannedRequest, RefusedRequest};
use toolhost_identity::Binding;
use toolhost_policy::{ConnectionName, OperationMode, PublicError};

use crate::Tools;
use crate::catalogue_entry::{CatalogueEntry, PluginCode};
use crate::catalogue_snapshot::TenantView;

/// What would become of a request, if a plugin, or a tool of an adapter's connection, made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedRequest {
    /// The plugin, or the connection with the adapter.
    pub plugin: String,
    /// The tool, where it is held to one operation.
    pub tool: Option<String>,
    /// The plan, as far as nobody elsewhere is asked.
    pub outcome: Result<PlannedRequest, RefusedRequest>,
}

impl Tools {
    /// What would become of a request of this caller, for each plugin that has the connection and
    /// each tool that an adapter made of it: the assignment, the operation mode and the steps of a
    /// call, in their order. Nothing is called and nothing is sent. `path` is below the
    /// connection's base, with a query.
    ///
    /// # Errors
    /// What the tenant may call cannot be read.
    pub async fn explain(
        &self,
        binding: &Binding,
        connection: &ConnectionName,
        method: &str,
        path: &str,
    ) -> Result<Vec<ExplainedRequest>, PublicError> {
        let snapshot = self.catalogue_snapshot();
        let view = self.tenant_view(&snapshot, binding).await?;
        let (mut explained, mut operations) = (Vec::new(), 0);
        let entries: Vec<&CatalogueEntry> = snapshot.catalogue.entries().collect();
        for served in snapshot.catalogue.granted_plugins() {
            let has_it = served.grant.connections.contains_key(connection);
            if !has_it || !matches!(served.code, PluginCode::Plugin(_)) {
                continue;
            }
            let of_plugin = |tool: &&CatalogueEntry| tool.entry.plugin == served.grant.plugin;
            let own: Vec<_> = entries.iter().copied().filter(of_plugin).collect();
            explained.push(ExplainedRequest {
                plugin: served.grant.plugin.to_string(),
                tool: None,
                outcome: self
                    .explain_any(&view, binding, own, (connection, method, path))
                    .await,
            });
        }
        for &tool in &entries {
            if tool
                .pinned
                .as_ref()
                .is_none_or(|pinned| pinned.connection != *connection)
            {
                continue;
            }
            operations += 1;
            let outcome = self
                .explain_any(&view, binding, [tool], (connection, method, path))
                .await;
            // A connection may have thousands of operations; those of other endpoints say nothing.
            if outcome
                .as_ref()
                .err()
                .is_none_or(|refused| !refused.is_no_endpoint)
            {
                explained.push(ExplainedRequest {
                    plugin: tool.entry.plugin.to_string(),
                    tool: Some(tool.entry.name.clone()),
                    outcome,
                });
            }
        }
        if explained.is_empty() && operations > 0 {
            explained.push(ExplainedRequest {
                plugin: connection.to_string(),
                tool: None,
                outcome: Err(RefusedRequest {
                    nearest: None,
                    is_no_endpoint: true,
                    why: format!("none of its {operations} operations has this method and path")
                        .into(),
                }),
            });
        }
        Ok(explained)
    }

    /// The request, if a call of any of these tools makes it. All are of one grant.
    async fn explain_any<'t>(
        &self,
        view: &TenantView,
        binding: &Binding,
        tools: impl IntoIterator<Item = &'t CatalogueEntry>,
        (connection, method, path): (&ConnectionName, &str, &str),
    ) -> Result<PlannedRequest, RefusedRequest> {
        let mut not_callable = "it has no tools".to_owned();
        let mut planned = None;
        for tool in tools {
            let mode = view.mode(&tool.entry);
            let call = self.egress_call(
                binding,
                tool,
                mode.unwrap_or(OperationMode::Full),
                0,
                Instant::now(),
            );
            let outcome = self.egress().explain(&call, connection, method, path).await;
            let effects = &tool.entry.effects;
            match mode {
                // The other tools of the grant have the same endpoints and the same mode.
                _ if outcome
                    .as_ref()
                    .is_err_and(|refused| refused.is_no_endpoint) =>
                {
                    return outcome;
                }
                Some(mode) if mode.lets_tool(effects.read_only, effects.destructive) => {
                    return outcome;
                }
                Some(mode) => {
                    not_callable = format!(
                        "the operation mode of this tenant is {mode}, which lets none of its tools be called"
                    );
                }
                None => {
                    "none of its tools is assigned to this tenant".clone_into(&mut not_callable)
                }
            }
            planned = planned.or(outcome.ok());
        }
        Err(RefusedRequest {
            nearest: planned.map(|planned| planned.endpoint),
            is_no_endpoint: false,
            why: not_callable.into(),
        })
    }
}
