use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use toolhost_policy::PluginName;
use toolhost_tools::tool_name;

use super::{ConnectionApproval, PluginApproval};
use crate::digest_files::{read_at_most, write_atomically};
use crate::exit::CliError;

/// The layout that this host writes and reads.
const VERSION: u32 = 1;

/// The largest file, in bytes: a tool takes some hundreds.
const MAX_FILE: u64 = 64 << 20;

const HEAD: &str = "\
# What was granted to which plugin, by `host run`. A plugin whose file, tools or requests differ from this is asked about
# again; so is a connection with an adapter, whose system offers something else. Keep it with the configuration; to take a
# grant back, remove its [[plugin]] or [[connection]].
";

/// `host.lock`: the grants of before.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    plugins: Vec<PluginApproval>,
    connections: Vec<ConnectionApproval>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockFile {
    version: u32,
    #[serde(default, rename = "plugin")]
    plugins: Vec<PluginApproval>,
    #[serde(default, rename = "connection", skip_serializing_if = "Vec::is_empty")]
    connections: Vec<ConnectionApproval>,
}

impl Lock {
    /// Reads the file; none is an empty one.
    ///
    /// # Errors
    /// It is there and cannot be read, or is not what this host writes. Then nothing counts as
    /// granted.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let refuse = |why: String| {
            CliError::usage(format!(
                "{}: {why}; remove it to be asked again, or name another with --lock",
                path.display()
            ))
        };
        let text = match read_at_most(path, MAX_FILE) {
            Ok(text) => String::from_utf8(text).map_err(|_| refuse("is not UTF-8".to_owned()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self {
                    path: path.to_owned(),
                    plugins: Vec::new(),
                    connections: Vec::new(),
                });
            }
            Err(error) => return Err(refuse(format!("cannot be read: {error}")).into()),
        };
        let file: LockFile =
            toml::from_str(&text).map_err(|error| refuse(error.message().replace('\n', " ")))?;
        if file.version != VERSION {
            return Err(refuse(format!(
                "has version {}, and this host reads {VERSION}",
                file.version
            ))
            .into());
        }
        Ok(Self {
            path: path.to_owned(),
            plugins: file.plugins,
            connections: file.connections,
        })
    }

    /// The file's path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What was granted to the plugin of this name.
    pub(crate) fn plugin_approval(&self, name: &str) -> Option<&PluginApproval> {
        self.plugins.iter().find(|plugin| plugin.name == name)
    }

    /// The plugins that something was granted to, with the names of their tools.
    pub(crate) fn plugins(&self) -> BTreeMap<PluginName, BTreeSet<String>> {
        let named = |plugin: &PluginApproval| {
            let tools = plugin.tools.keys().cloned().collect();
            PluginName::parse(&plugin.name)
                .ok()
                .map(|name| (name, tools))
        };
        let described = |connection: &ConnectionApproval| {
            let names = connection.tools.keys();
            let tools = names
                .map(|tool| tool_name(&connection.name, tool))
                .collect();
            PluginName::parse(&connection.name)
                .ok()
                .map(|name| (name, tools))
        };
        let connections = self.connections.iter().filter_map(described);
        self.plugins
            .iter()
            .filter_map(named)
            .chain(connections)
            .collect()
    }

    /// What was granted of the connection of this name.
    pub(crate) fn connection_approval(&self, name: &str) -> Option<&ConnectionApproval> {
        self.connections
            .iter()
            .find(|connection| connection.name == name)
    }

    /// Whether some connection stands granted with this document or answer of its system.
    pub(crate) fn has_said(&self, digest: &str) -> bool {
        let of = |connection: &ConnectionApproval| connection.said() == Some(digest);
        self.connections.iter().any(of)
    }

    /// Puts a grant in the place of an earlier one of the same connection.
    pub(crate) fn grant_described(&mut self, described: ConnectionApproval) {
        self.connections
            .retain(|connection| connection.name != described.name);
        self.connections.push(described);
        self.connections.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Puts a grant in the place of an earlier one of the same name.
    pub(crate) fn grant(&mut self, asked: PluginApproval) {
        self.plugins.retain(|plugin| plugin.name != asked.name);
        self.plugins.push(asked);
        self.plugins.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Writes the file in one step: a crash leaves the old one or the new one.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        let body = toml::to_string(&LockFile {
            version: VERSION,
            plugins: self.plugins.clone(),
            connections: self.connections.clone(),
        })?;
        let result = write_atomically(&self.path, format!("{HEAD}{body}").as_bytes());
        result.with_context(|| {
            format!(
                "{}: cannot be written; name another place with --lock",
                self.path.display()
            )
        })
    }
}
