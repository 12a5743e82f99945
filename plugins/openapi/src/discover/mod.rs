//! From a document to tools.
//!
//! - `document`: what holds for all operations: version, servers, security schemes.
//! - `operation`: one operation; `path`, `parameter`, `body`, `response`: its parts; `arguments`:
//!   their names.
//! - `tool`: all of it put together.

mod arguments;
mod body;
mod operation;
mod overview;
mod parameter;
mod path;
mod response;
mod server;
mod tool;

use serde_json::Value;
use toolhost_sdk::adapter::{Discovered, Discovery, Skipped};

use crate::name::{OperationKey, assign};
use crate::problem::{DocumentError, Problem};
use crate::schema::Schemas;
use crate::text::line;
use operation::Draft;
use overview::Overview;

/// More tools than any host lists. GitHub has 1,223 operations; the largest public document some
/// 17,000.
const MAX_OPERATIONS: usize = 30_000;

/// What all tools together may come to, since the answer is built whole.
const MAX_TEXT: usize = 192 << 20;

/// How an operation is called in a list of what was skipped.
const MAX_LABEL: usize = 240;

/// Of a document with more operations than this, those alone are read that the operator has chosen
/// by name: no host lists more. The largest public documents have some 20,000, of which anybody
/// needs a few.
const MAX_UNCHOSEN: usize = 5_000;

/// Reads a document and turns each of its operations into a tool, or into a reason why not.
///
/// # Errors
/// The document cannot be read, is of no version that is supported, or is beyond a bound.
pub fn discover(bytes: &[u8]) -> Result<Discovery, DocumentError> {
    discover_chosen(bytes, &[])
}

/// Discovers the tools of a document whose operations the operator has named, by their ids or the
/// names of their tools: the bounds then count those alone of a document that has too many to list.
///
/// # Errors
/// As [`discover`].
pub fn discover_chosen(bytes: &[u8], chosen: &[&str]) -> Result<Discovery, DocumentError> {
    let root = crate::document::read(bytes)?;
    let overview = Overview::from_root(&root)?;
    let mut schemas = Schemas::new(&root, overview.modern);
    let operations = operation::list(&root)?;
    let names = assign(
        &operations
            .iter()
            .map(|operation| OperationKey {
                id: operation.id,
                method: &operation.method,
                path: operation.path,
            })
            .collect::<Vec<_>>(),
    );
    let mut taken = std::collections::HashSet::new();
    let mut found = Discovery {
        tools: Vec::new(),
        skipped: Vec::new(),
        base: overview.base.clone(),
        alternatives: overview.alternatives.clone(),
        meta: overview.meta.clone(),
    };
    let is_large = operations.len() > MAX_UNCHOSEN && !chosen.is_empty();
    let chosen: std::collections::HashSet<&str> = chosen.iter().copied().collect();
    let is_read = |operation: &operation::DocumentOperation<'_>, name: &str| {
        let is_chosen = chosen.contains(name) || operation.id.is_some_and(|id| chosen.contains(id));
        !is_large || is_chosen
    };
    let read: Vec<_> = operations
        .into_iter()
        .zip(names)
        .filter(|(operation, name)| is_read(operation, name))
        .collect();
    if read.len() > MAX_OPERATIONS {
        return Err(DocumentError::TooManyOperations(MAX_OPERATIONS));
    }
    let mut text = 0_usize;
    for (operation, name) in read {
        let made = match &operation.problem {
            Some(problem) => Err(problem.clone()),
            None if taken.contains(&name) => Err(Problem::Name(name)),
            None => Draft::read(&operation, &overview, &mut schemas)
                .and_then(|draft| tool::build(name, &operation, draft, &mut schemas)),
        };
        if schemas.is_exhausted() {
            return Err(DocumentError::TooMuchText(MAX_TEXT));
        }
        match made {
            Ok(tool) => {
                text += size(&tool);
                if text > MAX_TEXT {
                    return Err(DocumentError::TooMuchText(MAX_TEXT));
                }
                taken.insert(tool.tool.name.clone());
                found.tools.push(tool);
            }
            Err(problem) => found.skipped.push(Skipped {
                operation: line(
                    &format!("{} {}", operation.method, operation.path),
                    MAX_LABEL,
                ),
                id: operation.id.map(|id| line(id, MAX_LABEL)),
                reason: problem.code().to_owned(),
                message: line(&problem.to_string(), 400),
                meta: Vec::new(),
            }),
        }
    }
    Ok(found)
}

fn size(tool: &Discovered) -> usize {
    tool.tool.input_schema.len()
        + tool.tool.output_schema.as_ref().map_or(0, String::len)
        + tool.tool.description.len()
        + tool.descriptor.len()
}

/// A member that is text.
fn text_of<'d>(value: &'d Value, key: &str) -> Option<&'d str> {
    value.get(key).and_then(Value::as_str)
}

/// A member that is `true`.
fn is_true(value: &Value, key: &str) -> bool {
    value.get(key) == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests;
