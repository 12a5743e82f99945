use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use toolhost_audit::{AssignmentChanged, ChangeAction, Event};
use toolhost_identity::{Directory as _, TenantId, TenantSpace};
use toolhost_policy::{ErrorCode, OperationMode};
use toolhost_store::StoreError;
use toolhost_tenancy::ChangeError;
use toolhost_tools::{
    Assignment, AssignmentError, DefaultAssignment, PluginState, TenantAssignments, ToolChoice,
};

use crate::{Admin, AdminError};

/// A plugin, as every tenant or one of them has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRow {
    /// Its name.
    pub plugin: String,
    /// Of which tenant the row is; of every one that nothing is said of where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Whether it was assigned to the tenant, or taken from it; otherwise the rule of every tenant
    /// counts.
    pub said: bool,
    /// The tools that it has of it, in order.
    pub tools: Vec<String>,
    /// How many tools the plugin has.
    pub of: u64,
    /// How far they may go.
    pub mode: OperationMode,
    /// `served`, `loading` or `left_out`; absent where no host runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub state: Option<String>,
    /// Why it is left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
}

impl Admin {
    pub(crate) async fn assign_plugin(
        &self,
        plugin: &str,
        tenant: &str,
        assignment: Assignment,
        by: &str,
    ) -> Result<Vec<PluginRow>, AdminError> {
        let _alone = self.tenant_changes.lock().await;
        let space = self.known_tenant(tenant)?;
        let assignments = &self.parts.assignments;
        let plugin = assignments.check(plugin, &assignment)?;
        let tools = match &assignment.tools {
            ToolChoice::All => None,
            ToolChoice::Only(tools) => Some(tools.iter().cloned().collect()),
        };
        let action = if assignment.is_none() {
            ChangeAction::Remove
        } else {
            ChangeAction::Set
        };
        let change = AssignmentChanged {
            tenant: tenant.to_owned(),
            plugin: Some(plugin.to_string()),
            action,
            tools: tools.filter(|_| action == ChangeAction::Set),
            mode: assignment.mode.map(OperationMode::as_str),
            by: by.to_owned(),
            done: false,
        };
        self.announce_assignment(&change).await?;
        assignments.assign(&space, &plugin, &assignment).await?;
        self.assignment_done(change).await?;
        let rows = self.plugin_rows(&space).await?;
        let row = rows.into_iter().filter(|row| row.plugin == plugin.as_str());
        Ok(row.collect())
    }

    pub(crate) async fn set_tenant_mode(
        &self,
        space: &TenantSpace,
        mode: OperationMode,
        by: &str,
    ) -> Result<(), AdminError> {
        let change = AssignmentChanged {
            tenant: space.tenant().to_string(),
            plugin: None,
            action: ChangeAction::Set,
            tools: None,
            mode: Some(mode.as_str()),
            by: by.to_owned(),
            done: false,
        };
        self.announce_assignment(&change).await?;
        self.parts.assignments.set_mode(space, mode).await?;
        self.assignment_done(change).await
    }

    /// What one tenant has of each plugin.
    pub(crate) async fn plugin_rows(
        &self,
        space: &TenantSpace,
    ) -> Result<Vec<PluginRow>, AdminError> {
        let of_tenant = self.parts.assignments.load(space).await?;
        Ok(self.all_plugin_rows(Some(space.tenant()), &of_tenant))
    }

    pub(crate) fn all_plugin_rows(
        &self,
        tenant: Option<&TenantId>,
        of_tenant: &TenantAssignments,
    ) -> Vec<PluginRow> {
        let assignments = &self.parts.assignments;
        let rules = assignments.rules();
        let row = |(plugin, tools): (toolhost_policy::PluginName, BTreeSet<String>)| {
            let own = of_tenant.plugins.get(&plugin);
            let has = |tool: &String| match own {
                Some(own) => own.has(tool),
                None => rules.default_for(&plugin) == DefaultAssignment::All,
            };
            let said = [of_tenant.mode, own.and_then(|own| own.mode)];
            PluginRow {
                tenant: tenant.map(ToString::to_string),
                said: own.is_some(),
                of: tools.len() as u64,
                tools: tools.into_iter().filter(has).collect(),
                mode: said
                    .into_iter()
                    .flatten()
                    .fold(rules.mode, OperationMode::narrowest),
                plugin: plugin.to_string(),
                state: None,
                why: None,
            }
        };
        let mut rows: Vec<PluginRow> = assignments.plugins().into_iter().map(row).collect();
        let statuses = self
            .serving
            .get()
            .map(|serving| serving.plugins())
            .unwrap_or_default();
        for status in statuses.iter() {
            let why = match &status.state {
                PluginState::LeftOut { why, .. } => Some(why.clone()),
                _ => None,
            };
            let state = Some(status.state.as_str().to_owned());
            match rows.iter_mut().find(|row| row.plugin == status.plugin) {
                Some(row) => (row.state, row.why) = (state, why),
                // Nobody knows what tools it has.
                None => rows.push(PluginRow {
                    plugin: status.plugin.clone(),
                    tenant: tenant.map(ToString::to_string),
                    said: false,
                    tools: Vec::new(),
                    of: 0,
                    mode: rules.mode,
                    state,
                    why,
                }),
            }
        }
        rows
    }

    /// The space of a tenant that the directory has: one that it does not have is a slip of the
    /// hand.
    pub(crate) fn known_tenant(&self, tenant: &str) -> Result<TenantSpace, AdminError> {
        let space = self.space(tenant)?;
        match self.parts.directory.tree().get(space.tenant()) {
            Some(_) => Ok(space),
            None => Err(ChangeError::Unknown(space.tenant().clone()).into()),
        }
    }

    /// Before the change: one that the chain does not know must not be there.
    async fn announce_assignment(&self, change: &AssignmentChanged) -> Result<(), AdminError> {
        let event = Event::AssignmentChanged(change.clone());
        Ok(self.audit.record(&event).await?)
    }

    async fn assignment_done(&self, change: AssignmentChanged) -> Result<(), AdminError> {
        let done = AssignmentChanged {
            done: true,
            ..change
        };
        Ok(self.audit.record(&Event::AssignmentChanged(done)).await?)
    }
}

impl From<AssignmentError> for AdminError {
    fn from(error: AssignmentError) -> Self {
        let code = match &error {
            AssignmentError::Plugin { .. } | AssignmentError::Tool { .. } => ErrorCode::NotFound,
            AssignmentError::Store(StoreError::UnknownSpace { .. }) => ErrorCode::NotFound,
            AssignmentError::Store(error) => return error.clone().into(),
            AssignmentError::Damaged(_) => ErrorCode::Internal,
        };
        Self {
            code,
            message: error.to_string(),
        }
    }
}
