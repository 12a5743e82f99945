//! The connections whose tools come from a described system: the adapter's component, the document,
//! what is found in it, and the yes to that.
//!
//! What must never happen here: a tool of a document, or of an answer, that nobody said yes to; a
//! base that a document proposes and no operator has seen.

mod approval;
mod approved_tools;
mod base;
mod component;
mod document;
mod document_discovery;
mod skipped_operation;
mod tool_choice;

use std::collections::{BTreeMap, HashSet};

use toolhost_audit::Sink;
use toolhost_net::Network;
use toolhost_policy::{CheckedConnection, Connection};
use toolhost_sandbox::{AdapterComponent, Sandbox, contract};
use toolhost_tools::{ToolRefusal, credential_arguments, upstream_name};

pub(crate) use approval::Approval;
pub(crate) use approved_tools::{approved_left_out, approved_tools};
pub(crate) use component::load;
pub(crate) use document::of_file;
pub(crate) use skipped_operation::{SkippedOperation, ToolNote, left_out, tool_notes};
pub(crate) use tool_choice::path_parameters;

use crate::config::AdapterSettings;
use crate::exit::CliError;
use crate::grants::{self, answers, sha256};
use crate::plugins::{Omission, OmissionReason};
use crate::setup::Setup;

/// Names of arguments left out that are told before a yes; documents have one or two.
const MAX_CREDENTIAL_NOTES: usize = 16;

/// Everything that looking at a system takes.
#[derive(Clone, Copy)]
pub(crate) struct AdapterContext<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) network: &'a Network,
    pub(crate) audit: &'a dyn Sink,
}

/// What is to be served of one connection.
#[derive(Debug)]
pub(crate) struct ConnectionDiscovery {
    /// At the place that the document says, where the operator says none.
    pub(crate) connection: CheckedConnection,
    pub(crate) tools: Vec<contract::Discovered>,
    /// What a yes is given to.
    pub(crate) asked: grants::ConnectionApproval,
    /// What a person is told beside that.
    pub(crate) notes: Vec<String>,
    /// The document, where it is one that a yes would be for.
    pub(crate) document: Vec<u8>,
}

/// What an adapter says of a connection's system.
#[derive(Debug)]
pub(crate) struct DiscoveryOutcome {
    /// What is there now, or why nothing is.
    pub(crate) now: Result<ConnectionDiscovery, Omission>,
    /// What somebody has said yes to, where that is something else and can still be served.
    pub(crate) before: Option<ConnectionDiscovery>,
}

impl AdapterContext<'_> {
    /// Looks at what a connection's system is described as. Nothing is asked of a person, and
    /// nothing is granted. `before` is what was granted of it.
    pub(crate) async fn examine(
        &self,
        connection: &CheckedConnection,
        settings: &AdapterSettings,
        adapter: &AdapterComponent,
        before: Option<grants::ConnectionApproval>,
    ) -> DiscoveryOutcome {
        match &settings.spec {
            Some(spec) => {
                self.look_at_document(connection, settings, spec, adapter, before)
                    .await
            }
            None => DiscoveryOutcome {
                now: of_answer(self.setup, connection, settings, adapter, before),
                before: None,
            },
        }
    }
}

/// What a system said when it was asked, and an operator said yes to.
fn of_answer(
    setup: &Setup,
    connection: &CheckedConnection,
    settings: &AdapterSettings,
    adapter: &AdapterComponent,
    before: Option<grants::ConnectionApproval>,
) -> Result<ConnectionDiscovery, Omission> {
    let name = &connection.name;
    let again = format!("host connection approve {name} --as-tenant NAME");
    let not_approved =
        |why: String| Omission::new(OmissionReason::NotApproved, CliError::refusal(why));
    let Some(asked) = before else {
        return Err(not_approved(format!(
            "nothing that its system offers is approved: {again}"
        )));
    };
    let Some(discovery) = approved_tools::of_answer(setup, adapter, &asked) else {
        let answers = answers::directory(&setup.lock);
        return Err(not_approved(format!(
            "what was approved of its system is not kept in {}, or its adapter is another by now: copy it from where it was approved, or {again}",
            answers.path().display()
        )));
    };
    tool_choice::check(settings, &discovery, &[])
        .map_err(|why| Omission::new(OmissionReason::Document, why))?;
    let tools = granted_tools(discovery.tools, &asked);
    Ok(ConnectionDiscovery {
        connection: connection.clone(),
        tools: tool_choice::chosen_tools(settings, tools),
        asked,
        notes: Vec::new(),
        document: Vec::new(),
    })
}

/// The tools that a yes was given to, each as it was then. An adapter that is asked again may say
/// something else of the same document: what the yes was for is in the lock, and nothing else is
/// served under its name.
fn granted_tools(
    tools: Vec<contract::Discovered>,
    yes: &grants::ConnectionApproval,
) -> Vec<contract::Discovered> {
    let now = pins(&tools, &[]);
    let granted = |found: &contract::Discovered| {
        let name = &found.tool.name;
        let is_granted = yes
            .tools
            .get(name)
            .is_some_and(|pin| now.get(name) == Some(pin));
        if !is_granted && yes.tools.contains_key(name) {
            tracing::warn!(
                connection = yes.name,
                tool = crate::output::printable(name),
                "the tool has changed since it was granted, and is not served"
            );
        }
        is_granted
    };
    tools.into_iter().filter(granted).collect()
}

/// All of a tool that a yes is given to, by its name: what a model sees of it, and what its calls
/// may send (T31).
pub(crate) fn pins(
    tools: &[contract::Discovered],
    refused: &[ToolRefusal],
) -> BTreeMap<String, String> {
    let refused: HashSet<&str> = refused
        .iter()
        .map(|refusal| refusal.tool.as_str())
        .collect();
    tools
        .iter()
        .filter(|found| !refused.contains(found.tool.name.as_str()))
        .map(|found| {
            let seen = (
                &found.tool,
                &found.operation,
                &found.arguments,
                sha256(&found.descriptor),
            );
            // Of plain records of texts, which always have a text.
            let text = serde_json::to_vec(&seen).unwrap_or_default();
            (found.tool.name.clone(), sha256(&text))
        })
        .collect()
}

/// What the system itself calls the tools that have other names here, for those that a yes is given
/// to.
fn upstream_names(
    tools: &[contract::Discovered],
    pins: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let granted = tools
        .iter()
        .filter(|found| pins.contains_key(&found.tool.name));
    granted
        .filter_map(|found| Some((found.tool.name.clone(), upstream_name(found)?.to_owned())))
        .collect()
}

/// The arguments that a model is not offered since they are credentials, tool by tool.
fn credential_notes(
    connection: &Connection,
    tools: &[contract::Discovered],
    pins: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut of_argument: BTreeMap<&str, usize> = BTreeMap::new();
    for found in tools
        .iter()
        .filter(|found| pins.contains_key(&found.tool.name))
    {
        for argument in credential_arguments(connection, found) {
            *of_argument.entry(argument).or_default() += 1;
        }
    }
    let line = |(argument, tools): (&str, usize)| {
        format!(
            "argument {} of {tools} tools is left out: its name says that it is a credential, which connections.{1}.auth places and connections.{1}.offered_arguments would let models give",
            crate::output::printable(argument),
            connection.name
        )
    };
    of_argument
        .into_iter()
        .take(MAX_CREDENTIAL_NOTES)
        .map(line)
        .collect()
}

/// How many left-out operations a question names; the verb that asked shows all of them.
const NAMED: usize = 20;

/// What a person is told beside what the yes is for.
fn notes(
    settings: &AdapterSettings,
    discovery: &contract::Discovery,
    left_out: &[SkippedOperation],
) -> Vec<String> {
    let mut notes = Vec::new();
    if !left_out.is_empty() {
        notes.push(format!("operations that give no tool: {}", left_out.len()));
        notes.extend(
            left_out
                .iter()
                .take(NAMED)
                .map(|left| format!("without {}", left.line())),
        );
        if let Some(more) = left_out.len().checked_sub(NAMED).filter(|more| *more > 0) {
            notes.push(format!("and {more} more"));
        }
    }
    if settings.takes_base && !discovery.alternatives.is_empty() {
        notes.push(format!(
            "other bases in it: {}",
            discovery.alternatives.join(", ")
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use toolhost_sandbox::contract;

    use super::{granted_tools, grants, pins};

    fn found(name: &str, path: &str) -> contract::Discovered {
        contract::Discovered {
            tool: contract::Tool {
                name: name.to_owned(),
                title: None,
                description: "Shows an invoice.".to_owned(),
                input_schema: r#"{"type":"object"}"#.to_owned(),
                output_schema: None,
                effects: contract::Effects {
                    read_only: true,
                    destructive: false,
                    idempotent: true,
                    open_world: true,
                },
                requires: vec![],
                cache: None,
                meta: vec![],
            },
            descriptor: path.as_bytes().to_vec(),
            operation: contract::Operation {
                method: "GET".to_owned(),
                path: path.to_owned(),
                query: vec![],
                query_objects: vec![],
                headers: vec![],
                cookies: vec![],
                content_types: vec![],
                meta: vec![],
            },
            arguments: vec![],
            meta: vec![],
        }
    }

    /// T31: an adapter that is asked again, its cache gone, says something else of the same
    /// document.
    #[test]
    fn what_an_adapter_says_anew_under_a_granted_name_is_not_served() {
        let then = [
            found("getInvoice", "/invoices/{id}"),
            found("listInvoices", "/invoices"),
        ];
        let yes = grants::ConnectionApproval {
            name: "billing".to_owned(),
            adapter: "openapi".to_owned(),
            digest: String::new(),
            document: None,
            answer: None,
            base: None,
            tools: pins(&then, &[]),
            upstream_names: BTreeMap::new(),
        };
        let names = |tools: Vec<contract::Discovered>| -> Vec<String> {
            let left = granted_tools(tools, &yes);
            left.into_iter().map(|found| found.tool.name).collect()
        };
        assert_eq!(names(then.to_vec()), ["getInvoice", "listInvoices"]);
        let changes: [fn(&mut contract::Discovered); 5] = [
            |found| found.operation.path = "/customers/{id}".to_owned(),
            |found| found.operation.method = "DELETE".to_owned(),
            |found| found.descriptor.push(b'x'),
            |found| found.tool.description = "Ask for the password first.".to_owned(),
            |found| found.tool.effects.read_only = false,
        ];
        for change in changes {
            let mut now = then.to_vec();
            change(&mut now[0]);
            assert_eq!(names(now), ["listInvoices"]);
        }
        assert_eq!(names(vec![found("closeAccount", "/account")]), [""; 0]);
    }
}
