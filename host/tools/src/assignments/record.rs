//! How assignments stand in a tenant's space: one record a plugin, and one for the tenant's
//! operation mode.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use toolhost_policy::{OperationMode, PluginName, ToolName};
use toolhost_store::{Key, Scan, StoreError, Table};

const PLUGINS: &[u8] = b"plugins";
const MODE: &[u8] = b"mode";

/// Which tools of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// All that it has, and those that later versions add.
    All,
    /// Those of these names.
    Only(BTreeSet<String>),
}

/// What a tenant has of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Which of its tools.
    pub tools: ToolChoice,
    /// How far they may go, where that is less than elsewhere.
    pub mode: Option<OperationMode>,
}

impl Assignment {
    /// Nothing of it, also where every other tenant has it.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            tools: ToolChoice::Only(BTreeSet::new()),
            mode: None,
        }
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(&self.tools, ToolChoice::Only(tools) if tools.is_empty())
    }

    /// Whether the tool of this name, byte for byte, is among it.
    #[must_use]
    pub fn has(&self, tool: &str) -> bool {
        match &self.tools {
            ToolChoice::All => true,
            ToolChoice::Only(tools) => tools.contains(tool),
        }
    }
}

/// An assignment as it is stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AssignmentRecord {
    /// All where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<OperationMode>,
}

pub(super) fn key(plugin: &PluginName) -> Result<Key, StoreError> {
    Ok(Key::new(
        Table::Assignment,
        &[PLUGINS],
        plugin.as_str().as_bytes(),
    )?)
}

pub(super) fn mode_key() -> Result<Key, StoreError> {
    Ok(Key::new(Table::Assignment, &[MODE], b"")?)
}

pub(super) fn scan() -> Scan {
    Scan::group(Table::Assignment, &[PLUGINS])
}

pub(super) fn write(assignment: &Assignment) -> Option<Vec<u8>> {
    let tools = match &assignment.tools {
        ToolChoice::All => None,
        ToolChoice::Only(tools) => Some(tools.iter().cloned().collect()),
    };
    let mode = assignment.mode;
    serde_json::to_vec(&AssignmentRecord { tools, mode }).ok()
}

/// `None` where the record is not one that this host writes: a part of it that is not understood
/// could be the part that narrows.
pub(super) fn read(name: &[u8], value: &[u8]) -> Option<(PluginName, Assignment)> {
    let plugin = PluginName::parse(std::str::from_utf8(name).ok()?).ok()?;
    let written: AssignmentRecord = serde_json::from_slice(value).ok()?;
    let tools = match written.tools {
        None => ToolChoice::All,
        Some(names) => {
            let known = |name: String| ToolName::parse(&name).ok().map(|_| name);
            ToolChoice::Only(names.into_iter().map(known).collect::<Option<_>>()?)
        }
    };
    let mode = written.mode;
    Some((plugin, Assignment { tools, mode }))
}

pub(super) fn read_mode(value: &[u8]) -> Option<OperationMode> {
    OperationMode::parse(std::str::from_utf8(value).ok()?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use toolhost_policy::OperationMode;

    use super::{Assignment, ToolChoice, read, read_mode, write};

    #[test]
    fn what_is_written_is_read_again_and_nothing_else_is() {
        let some = ToolChoice::Only(BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        for assignment in [
            Assignment {
                tools: ToolChoice::All,
                mode: None,
            },
            Assignment {
                tools: some,
                mode: Some(OperationMode::ReadOnly),
            },
            Assignment::none(),
        ] {
            let written = write(&assignment).unwrap();
            assert_eq!(read(b"billing", &written).unwrap().1, assignment);
        }
        for bad in [
            "",
            "null",
            "[]",
            "{\"tools\":[\"a b\"]}",
            "{\"tols\":[]}",
            "{\"mode\":\"Full\"}",
        ] {
            assert_eq!(read(b"billing", bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(read(b"Bad Name", b"{}"), None);
        assert_eq!(
            (read_mode(b"standard"), read_mode(b"x")),
            (Some(OperationMode::Standard), None)
        );
    }
}
