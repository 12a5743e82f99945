//! Who may call what: `[tools]`, `tenants` of `[plugins.NAME]`, `plugins` of `[tenancy]`, and what
//! `[tenants.NAME]` says.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use toolhost_identity::{Operator, TenantId, TenantSpace};
use toolhost_policy::{OperationMode, PluginName};
use toolhost_tools::{Assignment, Assignments, DefaultAssignment, ToolChoice};

use super::config_text::ConfigText;
use super::{ConfigError, file};
use crate::exit::CliError;

/// What the file says of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TenantToolRules {
    tenant: TenantId,
    mode: Option<OperationMode>,
    plugins: BTreeMap<PluginName, Assignment>,
}

impl TenantToolRules {
    /// Puts it where assignments are kept.
    ///
    /// # Errors
    /// It cannot be kept.
    pub(crate) async fn keep(
        &self,
        assignments: &Assignments,
        by: &Operator,
    ) -> anyhow::Result<()> {
        let space = TenantSpace::of_operator(self.tenant.clone(), by);
        if let Some(mode) = self.mode {
            assignments.set_mode(&space, mode).await?;
        }
        for (plugin, assignment) in &self.plugins {
            assignments.assign(&space, plugin, assignment).await?;
        }
        Ok(())
    }

    /// Whether there is what it names, once it is known what is served. Of plugins that are not
    /// served (yet) nobody knows what tools they have.
    ///
    /// # Errors
    /// There is no such plugin or tool.
    pub(crate) fn check(
        &self,
        assignments: &Assignments,
        not_served: &BTreeSet<String>,
    ) -> Result<(), CliError> {
        let known = self
            .plugins
            .iter()
            .filter(|(plugin, _)| !not_served.contains(plugin.as_str()));
        for (plugin, assignment) in known {
            let checked = assignments.check(plugin.as_str(), assignment);
            checked.map_err(|why| {
                CliError::usage(format!("[tenants.{}.plugins.{plugin}]: {why}", self.tenant))
            })?;
        }
        Ok(())
    }
}

/// What a table of `[tenants]` says of plugins. With a data directory it is kept there, and stands
/// in one place.
pub(super) fn read_assignments(
    source: &ConfigText<'_>,
    tenant: &TenantId,
    mode: Option<Spanned<String>>,
    raw: BTreeMap<PluginName, Spanned<file::AssignmentTable>>,
    lasts: bool,
) -> Result<Option<TenantToolRules>, ConfigError> {
    if lasts && let Some(mode) = &mode {
        let why =
            format!("is kept in the data directory: use host tenant set {tenant} --mode MODE");
        return Err(source.at(mode, format!("tenants.{tenant}.mode"), why));
    }
    let mode = self::mode(source, &format!("tenants.{tenant}.mode"), mode)?;
    let mut plugins = BTreeMap::new();
    for (plugin, said) in raw {
        let at = format!("tenants.{tenant}.plugins.{plugin}");
        if lasts {
            let why =
                format!("is kept in the data directory: use host plugin assign {plugin} {tenant}");
            return Err(source.at(&said, at, why));
        }
        let said = said.into_inner();
        let assignment = Assignment {
            tools: said.tools.map_or(ToolChoice::All, |tools| {
                ToolChoice::Only(tools.into_iter().collect())
            }),
            mode: self::mode(source, &format!("{at}.mode"), said.mode)?,
        };
        plugins.insert(plugin, assignment);
    }
    let says = mode.is_some() || !plugins.is_empty();
    Ok(says.then(|| TenantToolRules {
        tenant: tenant.clone(),
        mode,
        plugins,
    }))
}

pub(super) fn mode(
    source: &ConfigText<'_>,
    key: &str,
    raw: Option<Spanned<String>>,
) -> Result<Option<OperationMode>, ConfigError> {
    let parse = |raw: Spanned<String>| {
        OperationMode::parse(raw.get_ref()).ok_or_else(|| {
            let why = format!(
                "{:?} is not one of read-only, standard, full",
                raw.get_ref()
            );
            source.at(&raw, key, why)
        })
    };
    raw.map(parse).transpose()
}

pub(super) fn who_has(
    source: &ConfigText<'_>,
    key: &str,
    raw: Option<Spanned<String>>,
) -> Result<Option<DefaultAssignment>, ConfigError> {
    let parse = |raw: Spanned<String>| {
        DefaultAssignment::parse(raw.get_ref()).ok_or_else(|| {
            let why = format!("{:?} is not one of all, assigned", raw.get_ref());
            source.at(&raw, key, why)
        })
    };
    raw.map(parse).transpose()
}
