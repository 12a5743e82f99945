use serde::{Deserialize, Serialize};
use toolhost_policy::{ConnectionName, PluginName};
use toolhost_store::{Key, Scan, StoreError, Table};

/// The only group of the table.
const GROUP: &[u8] = b"reflections";

/// What stands between the two names of a record; neither name has it.
const BETWEEN: char = '/';

/// How often answers of one connection to one plugin of a tenant have held the credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReflectionRecord {
    /// Calls with such an answer.
    pub calls: u32,
    /// Of the first, in Unix seconds.
    pub first: u64,
    /// Of the last, in Unix seconds.
    pub last: u64,
    /// Since when the connection is not used, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<u64>,
}

/// A record with whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reflections {
    /// Whose requests.
    pub plugin: PluginName,
    /// To which outside system.
    pub connection: ConnectionName,
    /// How often and since when.
    pub record: ReflectionRecord,
}

pub(super) fn key(plugin: &PluginName, connection: &ConnectionName) -> Result<Key, StoreError> {
    let name = format!("{plugin}{BETWEEN}{connection}");
    Ok(Key::new(Table::Reflection, &[GROUP], name.as_bytes())?)
}

pub(super) fn scan() -> Scan {
    Scan::group(Table::Reflection, &[GROUP])
}

/// `None` for what this host does not write.
pub(super) fn read(value: &[u8]) -> Option<ReflectionRecord> {
    serde_json::from_slice(value).ok()
}

pub(super) fn names(name: &[u8]) -> Option<(PluginName, ConnectionName)> {
    let (plugin, connection) = std::str::from_utf8(name).ok()?.split_once(BETWEEN)?;
    Some((
        PluginName::parse(plugin).ok()?,
        ConnectionName::parse(connection).ok()?,
    ))
}
