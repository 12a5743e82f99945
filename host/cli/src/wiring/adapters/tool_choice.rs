use std::collections::{BTreeMap, BTreeSet};

use toolhost_policy::{ConnectionName, Slashes};
use toolhost_sandbox::contract;
use toolhost_tools::ToolRefusal;

use crate::config::{AdapterSettings, ToolFilter};
use crate::exit::CliError;
use crate::grants;

/// A name this far from what was written is no longer a likely slip of the pen.
const NEAR: f64 = 0.8;

/// In `path_parameters`: each operation that has the parameter.
const EVERY_OPERATION: &str = "*";

/// The names that an operator may list a tool by: the operation's own id, and the tool's.
fn names(found: &contract::Discovered) -> impl Iterator<Item = &str> {
    let id = found
        .meta
        .iter()
        .find(|(key, _)| key == "id")
        .map(|(_, id)| id.as_str());
    id.into_iter().chain([found.tool.name.as_str()])
}

/// The operations that the operator lets be served, where they are a list; sorted.
pub(super) fn allowed_operations(settings: &AdapterSettings) -> Vec<String> {
    match &settings.choice {
        ToolFilter::Allow(listed) => listed.iter().cloned().collect(),
        ToolFilter::All | ToolFilter::Block(_) => Vec::new(),
    }
}

/// Whether each tool that the operator lists is one that a yes was given to.
pub(super) fn are_granted(
    settings: &AdapterSettings,
    discovery: &contract::Discovery,
    yes: &grants::ConnectionApproval,
) -> bool {
    let ToolFilter::Allow(listed) = &settings.choice else {
        return true;
    };
    let mut chosen = discovery
        .tools
        .iter()
        .filter(|found| names(found).any(|name| listed.contains(name)));
    chosen.all(|found| yes.tools.contains_key(&found.tool.name))
}

/// Every name that the operator listed is one of a tool.
///
/// # Errors
/// One is not: with why it gives no tool, or the nearest that does.
pub(super) fn check(
    settings: &AdapterSettings,
    discovery: &contract::Discovery,
    refused: &[ToolRefusal],
) -> Result<(), CliError> {
    let listed = match &settings.choice {
        ToolFilter::All => return Ok(()),
        ToolFilter::Allow(listed) | ToolFilter::Block(listed) => listed,
    };
    let known: BTreeSet<&str> = discovery.tools.iter().flat_map(names).collect();
    for name in listed {
        let at = &settings.at;
        let named = |found: &&contract::Discovered| names(found).any(|known| known == name);
        let unfit = discovery.tools.iter().find(named).and_then(|found| {
            let mut refused = refused.iter();
            refused.find(|refusal| refusal.tool == found.tool.name)
        });
        if let Some(refusal) = unfit {
            return Err(CliError::usage(format!(
                "{at}: {name:?} gives no tool: {}",
                refusal.why
            )));
        }
        if known.contains(name.as_str()) {
            continue;
        }
        let mut skipped = discovery.skipped.iter();
        if let Some(skipped) = skipped.find(|skipped| skipped.id.as_deref() == Some(name)) {
            let why = crate::output::printable(&skipped.message);
            return Err(CliError::usage(format!(
                "{at}: {name:?} gives no tool: {why}"
            )));
        }
        let distance = |candidate: &str| strsim::jaro_winkler(name, candidate);
        let nearest = known
            .iter()
            .max_by(|a, b| distance(a).total_cmp(&distance(b)));
        let near = nearest.filter(|near| distance(near) >= NEAR);
        let hint = near.map_or_else(String::new, |near| {
            format!("; did you mean {}?", crate::output::printable(near))
        });
        return Err(CliError::usage(format!(
            "{at}: there is no operation {name:?}{hint}"
        )));
    }
    Ok(())
}

/// The tools that the operator lets be served.
pub(super) fn chosen_tools(
    settings: &AdapterSettings,
    tools: Vec<contract::Discovered>,
) -> Vec<contract::Discovered> {
    let among = |listed: &BTreeSet<String>, found: &contract::Discovered| {
        names(found).any(|name| listed.contains(name))
    };
    match &settings.choice {
        ToolFilter::All => tools,
        ToolFilter::Allow(listed) => tools
            .into_iter()
            .filter(|found| among(listed, found))
            .collect(),
        ToolFilter::Block(listed) => tools
            .into_iter()
            .filter(|found| !among(listed, found))
            .collect(),
    }
}

/// Every operation and parameter of `path_parameters` is there.
///
/// # Errors
/// One is not.
pub(super) fn check_path_parameters(
    name: &ConnectionName,
    settings: &AdapterSettings,
    discovery: &contract::Discovery,
) -> Result<(), CliError> {
    for (operation, parameters) in &settings.path_parameters {
        let is_it = |found: &&contract::Discovered| {
            operation == EVERY_OPERATION || names(found).any(|known| known == operation)
        };
        let mut of_operation = discovery.tools.iter().filter(is_it).peekable();
        let at = format!("connections.{name}.path_parameters");
        let shown = crate::output::printable(operation);
        if of_operation.peek().is_none() {
            return Err(CliError::usage(format!(
                "{at}: there is no operation {shown:?}"
            )));
        }
        let all: Vec<&contract::Discovered> = of_operation.collect();
        for parameter in parameters.keys() {
            if !all
                .iter()
                .any(|found| path_parameter(found, parameter).is_some())
            {
                let parameter = crate::output::printable(parameter);
                return Err(CliError::usage(format!(
                    "{at}: operation {shown:?} has no path parameter {parameter:?}"
                )));
            }
        }
    }
    Ok(())
}

/// What the operator says of the path parameters of a tool, by their names in its path.
pub(crate) fn path_parameters(
    settings: &AdapterSettings,
    found: &contract::Discovered,
) -> BTreeMap<String, Slashes> {
    let of = |operation: &str| {
        settings
            .path_parameters
            .get(operation)
            .into_iter()
            .flatten()
    };
    // What is said of the operation itself stands before what is said of each.
    let all = of(EVERY_OPERATION).chain(names(found).flat_map(of));
    all.filter_map(|(parameter, slashes)| {
        Some((path_parameter(found, parameter)?.to_owned(), *slashes))
    })
    .collect()
}

/// The name in the path's template of a parameter by that name, or by the argument's.
fn path_parameter<'f>(found: &'f contract::Discovered, name: &str) -> Option<&'f str> {
    let mut of_path = found
        .arguments
        .iter()
        .filter(|argument| argument.location == "path");
    let argument = of_path.find(|argument| argument.key == name || argument.name == name)?;
    Some(&argument.key)
}
