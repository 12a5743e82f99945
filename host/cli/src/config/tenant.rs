//! `[tenants.NAME]` and `[tenancy]`.

use std::collections::BTreeMap;

use http::HeaderName;
use toml::Spanned;
use toolhost_gateway::SwitchMode;
use toolhost_identity::{Tenant, TenantId};
use toolhost_tenancy::MachineHeaders;

use super::config_text::ConfigText;
use super::{ConfigError, file};

/// That the parent is there, and that nobody is above itself, is asked of the whole tree.
pub(super) fn tenant(
    source: &ConfigText<'_>,
    id: TenantId,
    raw: file::TenantTable,
) -> Result<Tenant, ConfigError> {
    let parent = raw.parent.map(|parent| {
        TenantId::parse(parent.get_ref())
            .map_err(|why| source.at(&parent, format!("tenants.{id}.parent"), why))
    });
    Ok(Tenant {
        parent: parent.transpose()?,
        keys: raw.keys,
        display_name: raw.display_name,
        ..Tenant::root(id)
    })
}

pub(super) fn switch(
    source: &ConfigText<'_>,
    raw: Option<Spanned<String>>,
) -> Result<SwitchMode, ConfigError> {
    let Some(raw) = raw else {
        return Ok(SwitchMode::default());
    };
    match raw.get_ref().as_str() {
        "free" => Ok(SwitchMode::Free),
        "confirm" => Ok(SwitchMode::Confirm),
        "off" => Ok(SwitchMode::Off),
        other => Err(source.at(
            &raw,
            "tenancy.switch",
            format!("{other:?} is not one of free, confirm, off"),
        )),
    }
}

/// The one tenant, which is there whether it is listed or not.
pub(super) fn read_single_tenant(
    source: &ConfigText<'_>,
    raw: Option<Spanned<String>>,
    tenants: &mut BTreeMap<TenantId, Tenant>,
) -> Result<Option<TenantId>, ConfigError> {
    let Some(raw) = raw else { return Ok(None) };
    let id =
        TenantId::parse(raw.get_ref()).map_err(|why| source.at(&raw, "tenancy.single", why))?;
    if let Some(other) = tenants.keys().find(|other| **other != id) {
        let why =
            format!("serves {id} alone, and there is a [tenants.{other}]; take one of the two out");
        return Err(source.at(&raw, "tenancy.single", why));
    }
    tenants
        .entry(id.clone())
        .or_insert_with(|| Tenant::root(id.clone()));
    Ok(Some(id))
}

pub(super) fn machine_headers(
    source: &ConfigText<'_>,
    raw: Option<file::MachineHeadersTable>,
) -> Result<MachineHeaders, ConfigError> {
    let mut headers = MachineHeaders::default();
    let Some(raw) = raw else { return Ok(headers) };
    let name = |key: &str, text: &Spanned<String>| {
        let name = HeaderName::from_bytes(text.get_ref().as_bytes())
            .map_err(|_| source.at(text, key, "is not a header name (RFC 9110 section 5.1)"))?;
        // It would be read as something else by the transport.
        if name == http::header::AUTHORIZATION
            || name == http::header::COOKIE
            || name == http::header::HOST
        {
            return Err(source.at(text, key, format!("{name} has a meaning of its own")));
        }
        Ok(name)
    };
    if let Some(text) = &raw.tenant_header {
        headers.tenant = name("tenancy.machine.tenant_header", text)?;
    }
    if let Some(text) = &raw.user_header {
        let key = "tenancy.machine.user_header";
        headers.user = name(key, text)?;
        if headers.user == headers.tenant {
            return Err(source.at(
                text,
                key,
                "is the tenant header too; two headers are needed",
            ));
        }
    }
    if headers.user == headers.tenant
        && let Some(text) = &raw.tenant_header
    {
        let why = "is the user header too; two headers are needed";
        return Err(source.at(text, "tenancy.machine.tenant_header", why));
    }
    Ok(headers)
}
