//! `tenants` of `[[issuers]]`: which tenants an issuer may name.

use toml::Spanned;
use toolhost_identity::{NamedTenants, TenantId};

use super::source::Source;
use super::{ConfigError, file};

pub(super) fn named(
    source: &Source<'_>,
    key: &str,
    written: &Spanned<file::NamedTenants>,
) -> Result<NamedTenants, ConfigError> {
    let id = |text: &String| {
        TenantId::parse(text).map_err(|why| source.at(written, key, format!("{text:?}: {why}")))
    };
    let wrong = |why: &str| source.at(written, key, why);
    match written.get_ref() {
        file::NamedTenants::All(text) if text == "all" => Ok(NamedTenants::All),
        file::NamedTenants::All(_) => Err(wrong("is \"all\", a list of tenants, or a table")),
        file::NamedTenants::Listed(listed) if listed.is_empty() => Err(wrong("names no tenant")),
        file::NamedTenants::Listed(listed) => {
            let listed = listed.iter().map(id).collect::<Result<_, _>>()?;
            Ok(NamedTenants::Listed(listed))
        }
        file::NamedTenants::Some(table) => match (&table.prefix, &table.below, &table.keys) {
            (Some(prefix), None, None) if prefix.is_empty() => {
                Err(wrong("prefix is empty; \"all\" is every tenant"))
            }
            (Some(prefix), None, None) => Ok(NamedTenants::Prefix(prefix.clone())),
            (None, Some(root), None) => Ok(NamedTenants::Below(id(root)?)),
            (None, None, Some(keys)) => {
                let pairs = keys
                    .iter()
                    .map(|(value, tenant)| Ok((value.clone(), id(tenant)?)));
                Ok(NamedTenants::Mapped(pairs.collect::<Result<_, ConfigError>>()?))
            }
            _ => Err(wrong("needs exactly one of prefix, below and keys")),
        },
    }
}
