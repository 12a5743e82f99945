use serde::Deserialize;

use crate::{Method, PathTemplate};

/// Operations of an outside system of which the operator says something: a method and a path below
/// the connection's base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRule {
    /// The method.
    pub method: Method,
    /// The path; its places stand for anything that fits there.
    pub path: PathTemplate,
}

impl OperationRule {
    /// Whether a request with this method and final path below the connection's base is one of
    /// them.
    #[must_use]
    pub fn covers(&self, method: Method, path: &str) -> bool {
        self.method == method && self.path.matches(path)
    }
}

/// A rule as it is written in `host.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationRuleEntry {
    method: Method,
    path: String,
}

impl<'de> Deserialize<'de> for OperationRule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let OperationRuleEntry { method, path } = OperationRuleEntry::deserialize(deserializer)?;
        let path = PathTemplate::parse(&path).map_err(serde::de::Error::custom)?;
        Ok(Self { method, path })
    }
}
