//! From the text of `host.toml` to a [`Config`]: everything is checked here, at load, and nothing
//! is read and ignored.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use sha2::{Digest, Sha256};
use toml::Spanned;
use toolhost_identity::TenantId;
use toolhost_policy::{Limits, TenantLimits, TenantLimitsPatch};

use super::config_text::ConfigText;
use super::{
    Config, ConfigError, ToolSettings, adapter, authority, connection, credential, data, file,
    issuer, membership, provider, server, store, tenant, tenant_tool_rules,
};
use crate::digest_files::read_at_most;
use crate::grants::hexadecimal;

/// Ten thousand tenants with two connections each come to about this.
const MAX_FILE: u64 = 1 << 20;

/// Reads and checks a configuration file.
///
/// # Errors
/// The file cannot be read, or the first thing in it that is wrong, with line and key.
pub(crate) fn load(path: &Path) -> Result<Config, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let bytes = read_at_most(path, MAX_FILE).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText {
        path: path.to_owned(),
    })?;
    parse(path, &text)
}

/// Checks a configuration's text; `path` is where relative paths begin and what errors name.
///
/// # Errors
/// The first thing that is wrong, with line and key.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let source = ConfigText { path, text };
    let raw: file::ConfigFile = toml::from_str(text).map_err(|error| source.toml(&error))?;
    let lasts = raw.data.is_some();
    let mut authority = authority::authority(&source, raw.tenancy.authority)?;
    let providers = provider::providers(&source, &raw.providers)?;
    let mut connections = BTreeMap::new();
    let mut adapters = BTreeMap::new();
    for (name, raw) in raw.connections {
        if let Some(settings) = adapter::settings(&source, &name, &raw)? {
            adapters.insert(name.clone(), settings);
        }
        let connection = connection::connection(&source, &name, raw, &authority, &providers)?;
        connections.insert(name, connection);
    }
    let defaults = TenantLimits::default();
    let tenant_limits = tenant_limits(&source, "tenant_limits", defaults, raw.tenant_limits)?;
    let (mut tenants, mut assigned) = (BTreeMap::new(), Vec::new());
    let mut limits_of = HashMap::new();
    for (name, mut raw) in raw.tenants {
        let id = tenant_id(&source, "tenants", &name)?;
        if let Some(patch) = raw.limits.take() {
            let table = format!("tenants.{id}.limits");
            let limits = self::tenant_limits(&source, &table, tenant_limits, Some(patch))?;
            limits_of.insert(id.clone(), limits);
        }
        let (mode, plugins) = (raw.mode.take(), std::mem::take(&mut raw.plugins));
        assigned.extend(tenant_tool_rules::read_assignments(
            &source, &id, mode, plugins, lasts,
        )?);
        tenants.insert(id.clone(), tenant::tenant(&source, id, raw)?);
    }
    let single = tenant::read_single_tenant(&source, raw.tenancy.single, &mut tenants)?;
    let mut credentials = Vec::new();
    for (name, by_connection) in raw.credentials {
        let id = tenant_id(&source, "credentials", &name)?;
        if !tenants.contains_key(&id) {
            return Err(source.at(
                &name,
                format!("credentials.{id}"),
                format!("there is no [tenants.{id}]"),
            ));
        }
        for (connection, raw) in by_connection {
            let Some(known) = connections.get(&connection) else {
                let why = format!("there is no [connections.{connection}]");
                return Err(source.at(&raw, format!("credentials.{id}.{connection}"), why));
            };
            credentials.extend(credential::credentials(&source, &id, known, raw)?);
        }
    }
    let limits = match raw.limits {
        None => Limits::default(),
        Some(patch) => Limits::default().set(patch.get_ref()).map_err(|limit| {
            let why = format!("is not from 1 to {} {}", limit.ceiling(), limit.unit());
            source.at(&patch, format!("limits.{limit}"), why)
        })?,
    };
    let mut issuers = Vec::with_capacity(raw.issuers.len());
    let mut extras = issuer::IssuerOptions::default();
    for mut issuer in raw.issuers {
        let at = format!("issuers[{}]", issuers.len());
        extras.take(&source, &at, &mut issuer, single.as_ref())?;
        let name = issuer.issuer.clone();
        issuers.push((
            name,
            issuer::issuer(&source, &at, issuer, single.is_some())?,
        ));
    }
    issuer::divide(
        &source,
        &mut issuers,
        &tenants,
        &mut authority,
        single.is_some(),
    )?;
    let issuers = issuers.into_iter().map(|(_, issuer)| issuer).collect();
    let membership = raw.tenancy.membership;
    if let (Some(raw), Some(single)) = (&membership, &single) {
        let why = format!("has no meaning beside tenancy.single = \"{single}\"; keep one");
        return Err(source.at(raw, "tenancy.membership", why));
    }
    let membership = membership
        .map(|raw| membership::membership(&source, raw))
        .transpose()?;
    let data = raw.data.map(|raw| data::data(&source, raw)).transpose()?;
    let (audit, chains) = data::audit(&source, raw.audit, data.is_some())?;
    let (mut plugins, mut plugin_tenants) = (BTreeMap::new(), BTreeMap::new());
    for (name, plugin) in raw.plugins {
        let key = format!("plugins.{name}.tenants");
        if let Some(who) = tenant_tool_rules::who_has(&source, &key, plugin.tenants)? {
            plugin_tenants.insert(name.clone(), who);
        }
        plugins.insert(name, source.resolve_path(&plugin.file));
    }
    Ok(Config {
        path: Some(path.to_owned()),
        digest: Some(hexadecimal(&Sha256::digest(text.as_bytes()))),
        server: server::server(&source, raw.server)?,
        limits,
        tenant_limits,
        limits_of,
        tools: ToolSettings {
            cache: raw.tools.cache.unwrap_or(ToolSettings::default().cache),
        },
        plugins,
        plugin_tenants,
        who_has: tenant_tool_rules::who_has(&source, "tenancy.plugins", raw.tenancy.plugins)?,
        mode: tenant_tool_rules::mode(&source, "tools.mode", raw.tools.mode)?,
        assigned,
        connections,
        adapters,
        adapter_files: raw
            .adapters
            .into_iter()
            .map(|(name, adapter)| (name, source.resolve_path(&adapter.file)))
            .collect(),
        providers,
        issuers,
        tenants,
        switch: tenant::switch(&source, raw.tenancy.switch)?,
        single,
        authority,
        membership,
        machine_headers: tenant::machine_headers(&source, raw.tenancy.machine)?,
        introspection: extras.introspection,
        may_provision: extras.may_provision,
        credentials,
        audit,
        chains,
        cache_dir: raw.cache.map(|cache| source.resolve_path(&cache.dir)),
        data,
        postgres: store::store(&source, raw.store)?,
    })
}

fn tenant_id(
    source: &ConfigText<'_>,
    table: &str,
    name: &Spanned<String>,
) -> Result<TenantId, ConfigError> {
    TenantId::parse(name.get_ref()).map_err(|why| {
        source.at(
            name,
            format!("{table}.{}", name.get_ref().escape_default()),
            why,
        )
    })
}

fn tenant_limits(
    source: &ConfigText<'_>,
    table: &str,
    over: TenantLimits,
    patch: Option<Spanned<TenantLimitsPatch>>,
) -> Result<TenantLimits, ConfigError> {
    let Some(patch) = patch else { return Ok(over) };
    over.set(patch.get_ref()).map_err(|limit| {
        let why = format!("is not from 1 to {} {}", limit.ceiling(), limit.unit());
        source.at(&patch, format!("{table}.{limit}"), why)
    })
}
