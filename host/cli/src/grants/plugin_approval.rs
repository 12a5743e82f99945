use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toolhost_policy::{Endpoint, Limit, LimitsPatch, Manifest, PrincipalRule};

/// All that a yes is given to. Two that are equal need one yes; any difference needs another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PluginApproval {
    pub(crate) name: String,
    pub(crate) version: String,
    /// SHA-256 of the component, in hexadecimal.
    pub(crate) digest: String,
    /// SHA-256 of everything that the manifest says.
    pub(crate) manifest: String,
    /// SHA-256 of all that a model sees of each tool, by the tool's name.
    pub(crate) tools: BTreeMap<String, String>,
    /// Bounds tighter than the host's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) limits: BTreeMap<String, u64>,
    /// The connections, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) connections: BTreeMap<String, RequestedConnection>,
}

/// One connection that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestedConnection {
    pub(crate) principal: String,
    /// Endpoints in one line each, sorted.
    pub(crate) allow: Vec<String>,
    /// What a standard HTTP client in the guest writes its URLs against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<String>,
}

impl PluginApproval {
    /// What a plugin asks for. `tools` has each tool's name with all that a model sees of it.
    pub(crate) fn new(
        manifest: &Manifest,
        digest: String,
        tools: &BTreeMap<String, serde_json::Value>,
    ) -> Self {
        let connections: BTreeMap<_, _> = manifest
            .connections
            .iter()
            .map(|request| {
                let mut allow: Vec<String> = request.allow.iter().map(line).collect();
                allow.sort();
                let base = request.base.as_ref().map(ToString::to_string);
                let asked = RequestedConnection {
                    principal: principal(request.principal).to_owned(),
                    allow,
                    base,
                };
                (request.name.to_string(), asked)
            })
            .collect();
        let limits = limits(&manifest.limits);
        let whole = serde_json::json!({
            "name": manifest.name, "version": manifest.version, "description": manifest.description,
            "connections": connections, "limits": limits,
        });
        Self {
            name: manifest.name.to_string(),
            version: manifest.version.clone(),
            digest,
            manifest: sha256(whole.to_string().as_bytes()),
            // A `Value`'s objects are sorted by key, so equal tools give equal texts.
            tools: tools
                .iter()
                .map(|(name, tool)| (name.clone(), sha256(tool.to_string().as_bytes())))
                .collect(),
            limits,
            connections,
        }
    }
}

fn principal(rule: PrincipalRule) -> &'static str {
    match rule {
        PrincipalRule::User => "user",
        PrincipalRule::Machine => "machine",
        PrincipalRule::Any => "any",
    }
}

/// One endpoint, whole: what is not on this line is not granted.
fn line(endpoint: &Endpoint) -> String {
    let mut text = endpoint.to_string();
    for (mark, names) in [
        (" query:", &endpoint.query),
        (" headers:", &endpoint.headers),
    ] {
        if !names.is_empty() {
            let mut names = names.clone();
            names.sort();
            text.push_str(mark);
            text.push_str(&names.join(","));
        }
    }
    text
}

fn limits(patch: &LimitsPatch) -> BTreeMap<String, u64> {
    let given = serde_json::to_value(patch).unwrap_or_default();
    let value = |limit: &Limit| given.get(limit.key()).and_then(serde_json::Value::as_u64);
    Limit::ALL
        .iter()
        .filter_map(|limit| Some((limit.key().to_owned(), value(limit)?)))
        .collect()
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
