//! The tools of a server.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use toolhost_sdk::adapter::text::line;
use toolhost_sdk::adapter::{Discovery, Skipped};
use toolhost_sdk::{Code, Failure};

use crate::exchange::{RequestEnvelope, ask};
use crate::exchange_error::ExchangeError;
use crate::message::{ClientMessage, Meta};
use crate::open::{ServerHandshake, open};
use crate::protocol::METHOD_NOT_FOUND;
use crate::state::ServerState;
use crate::tool::{self, ListedTool, ToolProblem};

/// Pages of one list; each is a request.
const MAX_PAGES: usize = 100;

/// More tools than any model is shown.
const MAX_TOOLS: usize = 2_000;

/// What all tools together may come to.
const MAX_TEXT: usize = 16 << 20;

/// Where the next page begins.
const MAX_CURSOR: usize = 8 << 10;

/// How a tool is called in a list of what was skipped.
const MAX_LABEL: usize = 200;

#[derive(Debug, Serialize)]
struct List<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<Meta>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolListPage<'a> {
    /// Some servers have `null` for none.
    #[serde(borrow, default)]
    tools: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    next_cursor: Option<Cow<'a, str>>,
}

/// Asks the server for its tools.
///
/// # Errors
/// It does not answer as MCP has it, offers no tools, or too many.
pub(crate) fn discover() -> Result<Discovery, Failure> {
    let mut state = ServerState::read()?;
    // Always anew: only then does the server say what it is.
    let opened = open(&mut state)?;
    state.keep(&opened.session)?;
    if !opened.has_tools {
        return Err(no_tools());
    }
    let listed = list(&mut state, &opened)?;
    Ok(tools(&listed, &opened))
}

fn no_tools() -> Failure {
    Failure::new(Code::Unsupported, "the server offers no tools")
}

/// All tools, as JSON texts.
fn list(state: &mut ServerState, opened: &ServerHandshake) -> Result<Vec<Box<RawValue>>, Failure> {
    let method = "tools/list";
    let (mut all, mut text) = (Vec::new(), 0_usize);
    let (mut cursor, mut seen) = (None::<String>, HashSet::new());
    let mut seen_tools = HashSet::new();
    for _ in 0..MAX_PAGES {
        let id = state.next_id()?;
        let list = List {
            cursor: cursor.as_deref(),
            meta: Meta::from_version(opened.session.version, None),
        };
        let envelope = RequestEnvelope::new(Some(&opened.session), method);
        let (reply, _) = ask(&envelope, id, &ClientMessage::request(id, method, list))?;
        let result = reply.map_err(|error| match error.code {
            METHOD_NOT_FOUND => no_tools(),
            _ => Failure::new(Code::Upstream, error.message),
        })?;
        let page: ToolListPage<'_> = serde_json::from_str(result.get())
            .map_err(|_| ExchangeError::Malformed("it is not a list of tools"))?;
        for tool in page.tools.unwrap_or_default() {
            text += tool.get().len();
            if all.len() >= MAX_TOOLS || text > MAX_TEXT {
                return Err(ExchangeError::TooMuch("it lists too many tools").into());
            }
            // Pages may overlap.
            if seen_tools.insert(tool.get().to_owned()) {
                all.push(tool.to_owned());
            }
        }
        // Older servers end the list with an empty cursor.
        let Some(next) = page.next_cursor.filter(|next| !next.is_empty()) else {
            return Ok(all);
        };
        if next.len() > MAX_CURSOR || !seen.insert(next.clone().into_owned()) {
            return Err(ExchangeError::Malformed("its list of tools goes in a circle").into());
        }
        cursor = Some(next.into_owned());
    }
    Err(ExchangeError::TooMuch("its list of tools has too many pages").into())
}

fn tools(listed: &[Box<RawValue>], opened: &ServerHandshake) -> Discovery {
    let read: Vec<Option<ListedTool<'_>>> = listed
        .iter()
        .map(|tool| serde_json::from_str(tool.get()).ok())
        .collect();
    // Of two that could be taken for one another neither is offered: which one was approved could
    // not be told.
    let mut names: HashMap<String, usize> = HashMap::new();
    for tool in read.iter().flatten() {
        *names.entry(tool.name.to_ascii_lowercase()).or_default() += 1;
    }
    let mut found = Discovery {
        tools: Vec::new(),
        skipped: Vec::new(),
        base: None,
        alternatives: Vec::new(),
        meta: overview(opened),
    };
    for (at, (tool, text)) in read.iter().zip(listed).enumerate() {
        let made = match tool {
            None => Err(ToolProblem::Malformed),
            Some(tool) if names.get(&tool.name.to_ascii_lowercase()) != Some(&1) => {
                Err(ToolProblem::Twice)
            }
            Some(tool) => tool::build(tool),
        };
        match made {
            Ok(tool) => found.tools.push(tool),
            Err(problem) => {
                let name = name(text)
                    .map(|name| line(&name, MAX_LABEL))
                    .filter(|name| !name.is_empty());
                found.skipped.push(Skipped {
                    operation: name
                        .clone()
                        .unwrap_or_else(|| format!("tool {} of the list", at + 1)),
                    id: name,
                    reason: problem.code().to_owned(),
                    message: line(&problem.to_string(), 400),
                    meta: Vec::new(),
                });
            }
        }
    }
    found
}

/// What a tool is called, however malformed the rest of it is.
fn name(tool: &RawValue) -> Option<String> {
    let tool: serde_json::Value = serde_json::from_str(tool.get()).ok()?;
    Some(tool.get("name")?.as_str()?.to_owned())
}

fn overview(opened: &ServerHandshake) -> Vec<(String, String)> {
    let format = format!("MCP {}", opened.session.version.as_str());
    let mut meta = vec![("format".to_owned(), format)];
    for (key, value) in [("title", &opened.title), ("version", &opened.release)] {
        meta.extend(value.clone().map(|value| (key.to_owned(), value)));
    }
    meta
}
