//! `[tenants.NAME]` and `[tenancy]`.

use toml::Spanned;
use toolhost_gateway::SwitchMode;
use toolhost_identity::{Tenant, TenantId};

use super::source::Source;
use super::{ConfigError, file};

/// That the parent is there, and that nobody is above itself, is asked of the whole tree.
pub(super) fn tenant(source: &Source<'_>, id: TenantId, raw: file::Tenant) -> Result<Tenant, ConfigError> {
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

pub(super) fn switch(source: &Source<'_>, raw: Option<Spanned<String>>) -> Result<SwitchMode, ConfigError> {
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
