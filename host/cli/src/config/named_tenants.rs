//! `tenants` of `[[issuers]]`: which tenants an issuer may name.

use toml::Spanned;
use toolhost_identity::{NamedTenants, TenantId};

use super::config_text::ConfigText;
use super::{ConfigError, file};

pub(super) fn read_named_tenants(
    source: &ConfigText<'_>,
    key: &str,
    written: &Spanned<file::NamedTenantsValue>,
) -> Result<NamedTenants, ConfigError> {
    let id = |text: &String| {
        TenantId::parse(text).map_err(|why| source.at(written, key, format!("{text:?}: {why}")))
    };
    let wrong = |why: &str| source.at(written, key, why);
    match written.get_ref() {
        file::NamedTenantsValue::All(text) if text == "all" => Ok(NamedTenants::All),
        file::NamedTenantsValue::All(_) => Err(wrong("is \"all\", a list of tenants, or a table")),
        file::NamedTenantsValue::Listed(listed) if listed.is_empty() => {
            Err(wrong("names no tenant"))
        }
        file::NamedTenantsValue::Listed(listed) => {
            let listed = listed.iter().map(id).collect::<Result<_, _>>()?;
            Ok(NamedTenants::Listed(listed))
        }
        file::NamedTenantsValue::Some(table) => match (&table.prefix, &table.below, &table.keys) {
            (Some(prefix), None, None) if prefix.is_empty() => {
                Err(wrong("prefix is empty; \"all\" is every tenant"))
            }
            (Some(prefix), None, None) => Ok(NamedTenants::Prefix(prefix.clone())),
            (None, Some(root), None) => Ok(NamedTenants::Below(id(root)?)),
            (None, None, Some(keys)) => {
                let pairs = keys
                    .iter()
                    .map(|(value, tenant)| Ok((value.clone(), id(tenant)?)));
                Ok(NamedTenants::Mapped(
                    pairs.collect::<Result<_, ConfigError>>()?,
                ))
            }
            _ => Err(wrong("needs exactly one of prefix, below and keys")),
        },
    }
}
