use std::collections::BTreeSet;

use toolhost_sandbox::contract;
use toolhost_tools::Refusal;

use crate::config::{AdapterSettings, Choice};
use crate::exit::Failure;

/// A name this far from what was written is no longer a likely slip of the pen.
const NEAR: f64 = 0.8;

/// The names that an operator may list a tool by: the operation's own id, and the tool's.
fn names(found: &contract::Discovered) -> impl Iterator<Item = &str> {
    let id = found
        .meta
        .iter()
        .find(|(key, _)| key == "id")
        .map(|(_, id)| id.as_str());
    id.into_iter().chain([found.tool.name.as_str()])
}

/// Every name that the operator listed is one of a tool.
///
/// # Errors
/// One is not: with why it gives no tool, or the nearest that does.
pub(super) fn check(
    settings: &AdapterSettings,
    discovery: &contract::Discovery,
    refused: &[Refusal],
) -> Result<(), Failure> {
    let listed = match &settings.choice {
        Choice::All => return Ok(()),
        Choice::Allow(listed) | Choice::Block(listed) => listed,
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
            return Err(Failure::usage(format!(
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
            return Err(Failure::usage(format!("{at}: {name:?} gives no tool: {why}")));
        }
        let distance = |candidate: &str| strsim::jaro_winkler(name, candidate);
        let nearest = known.iter().max_by(|a, b| distance(a).total_cmp(&distance(b)));
        let near = nearest.filter(|near| distance(near) >= NEAR);
        let hint = near.map_or_else(String::new, |near| {
            format!("; did you mean {}?", crate::output::printable(near))
        });
        return Err(Failure::usage(format!(
            "{at}: there is no operation {name:?}{hint}"
        )));
    }
    Ok(())
}

/// The tools that the operator lets be served.
pub(super) fn only(
    settings: &AdapterSettings,
    tools: Vec<contract::Discovered>,
) -> Vec<contract::Discovered> {
    let among = |listed: &BTreeSet<String>, found: &contract::Discovered| {
        names(found).any(|name| listed.contains(name))
    };
    match &settings.choice {
        Choice::All => tools,
        Choice::Allow(listed) => tools.into_iter().filter(|found| among(listed, found)).collect(),
        Choice::Block(listed) => tools.into_iter().filter(|found| !among(listed, found)).collect(),
    }
}
