use serde::Serialize;
use toolhost_policy::CheckedConnection;
use toolhost_sandbox::contract;
use toolhost_tools::refusals;

use crate::output::printable;

/// An operation of a system that gives no tool, and why.
#[derive(Debug, Serialize)]
pub(crate) struct SkippedOperation {
    /// The operation as an operator finds it: `GET /pets/{id}`, or the name of an MCP server's
    /// tool.
    pub(crate) operation: String,
    /// The operation's own id, where it has one.
    pub(crate) id: Option<String>,
    /// The adapter's stable code, or `host`.
    pub(crate) reason: String,
    /// One sentence.
    pub(crate) message: String,
}

impl SkippedOperation {
    /// On one line of a terminal.
    pub(crate) fn line(&self) -> String {
        format!(
            "{}: {}",
            printable(&self.operation),
            printable(&self.message)
        )
    }
}

/// All that a discovery gives no tool for: what the adapter could not make one of, and what the
/// host would not serve.
pub(crate) fn left_out(
    connection: &CheckedConnection,
    discovery: &contract::Discovery,
) -> Vec<SkippedOperation> {
    let skipped = discovery.skipped.iter().map(|skipped| SkippedOperation {
        operation: skipped.operation.clone(),
        id: skipped.id.clone(),
        reason: skipped.reason.clone(),
        message: skipped.message.clone(),
    });
    let refused = refusals(connection, &discovery.tools);
    let refused = refused.into_iter().map(|refusal| {
        let found = discovery
            .tools
            .iter()
            .find(|found| found.tool.name == refusal.tool);
        let id = found.and_then(|found| found.meta.iter().find(|(key, _)| key == "id"));
        let id = id.map(|(_, id)| id.clone());
        let operation = match found.map(|found| &found.operation) {
            Some(operation) if !operation.path.is_empty() => {
                format!("{} {}", operation.method, operation.path)
            }
            // All tools of an MCP server are one operation of HTTP.
            _ => id.clone().unwrap_or(refusal.tool),
        };
        SkippedOperation {
            operation,
            id,
            reason: "host".to_owned(),
            message: refusal.why,
        }
    });
    skipped.chain(refused).collect()
}

/// What an adapter says of a tool that is not as its system describes it: a part that is left out,
/// a schema that is not checked, another name.
#[derive(Debug, Serialize)]
pub(crate) struct ToolNote {
    /// The tool's name as the adapter gave it.
    pub(crate) tool: String,
    /// One sentence.
    pub(crate) note: String,
}

impl ToolNote {
    /// On one line of a terminal.
    pub(crate) fn line(&self) -> String {
        format!("{}: {}", printable(&self.tool), printable(&self.note))
    }
}

/// The notes of all tools of a discovery.
pub(crate) fn tool_notes(discovery: &contract::Discovery) -> Vec<ToolNote> {
    let of_tool = |found: &contract::Discovered| {
        let notes = found.meta.iter().filter(|(key, _)| key == "note");
        let note = |(_, note): &(String, String)| ToolNote {
            tool: found.tool.name.clone(),
            note: note.clone(),
        };
        notes.map(note).collect::<Vec<_>>()
    };
    discovery.tools.iter().flat_map(of_tool).collect()
}
