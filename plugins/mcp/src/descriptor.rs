//! What a call needs to know of its tool, and nothing else. Nothing of the version is in it: it is
//! the same when the server learns another one.

use serde::{Deserialize, Serialize};
use toolhost_sdk::Failure;

/// One tool, ready to be called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolDescriptor {
    /// The server's name of the tool.
    #[serde(rename = "n")]
    pub name: String,
    /// Arguments that are repeated in header fields: the argument, and the field's whole name.
    #[serde(rename = "h", default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// Arguments that the server has under another name: the argument, and the server's name for
    /// it.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub renamed: Vec<(String, String)>,
}

impl ToolDescriptor {
    /// The bytes that the host keeps.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // It holds nothing that has no JSON form; an empty one would be refused by `read`.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// `failed`: another version of the plugin wrote it.
    pub fn read(bytes: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(bytes).map_err(|_| {
            Failure::failed(
                "the tool was discovered by another version of this plugin: discover it again",
            )
        })
    }
}
