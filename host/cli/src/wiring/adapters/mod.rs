//! The connections whose tools come from a described system: the adapter's component, the document, what is found in it, and
//! the yes to that.
//!
//! What must never happen here: a tool of a document, or of an answer, that nobody said yes to; a base that a document
//! proposes and no operator has seen.

mod approved;
mod approving;
mod base;
mod chosen;
mod component;
mod described;
mod document;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use toolhost_audit::Sink;
use toolhost_net::Network;
use toolhost_policy::{Connection, ConnectionName, PluginName};
use toolhost_sandbox::{Adapter, Sandbox, contract};
use toolhost_tools::{Described, Refusal};

pub(crate) use approved::approved;
pub(crate) use component::{load, read};
pub(crate) use document::of_file;

use crate::config::AdapterSettings;
use crate::grants::{self, Answerer, Lock, sha256};
use crate::setup::Setup;

/// Everything that looking at a system takes.
#[derive(Clone, Copy)]
pub(crate) struct Room<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) network: &'a Network,
    pub(crate) audit: &'a dyn Sink,
}

/// The connections of a configuration, with the bases that documents have proposed.
pub(crate) type Connections = BTreeMap<ConnectionName, Arc<Connection>>;

/// What is served of one connection.
struct Served {
    connection: Arc<Connection>,
    tools: Vec<contract::Discovered>,
}

impl Room<'_> {
    /// What is served of every connection with an adapter, and all connections as they are then.
    ///
    /// # Errors
    /// An adapter or a document cannot be had, an operation that is named is none, or nothing was ever granted.
    pub(crate) async fn describe(
        &self,
        lock: &mut Lock,
        answerer: &mut Answerer<'_>,
    ) -> anyhow::Result<(Connections, Vec<Described>)> {
        let config = &self.setup.config;
        let mut connections = config.connections.clone();
        let mut loaded: BTreeMap<PluginName, Adapter> = BTreeMap::new();
        let mut described = Vec::with_capacity(config.adapters.len());
        for (name, settings) in &config.adapters {
            let Some(connection) = connections.get(name).cloned() else {
                continue;
            };
            let adapter = match loaded.get(&settings.adapter) {
                Some(adapter) => adapter.clone(),
                None => {
                    let adapter = load(self.setup, self.sandbox, &settings.adapter).await?;
                    loaded.insert(settings.adapter.clone(), adapter.clone());
                    adapter
                }
            };
            let served = self.of(&connection, settings, &adapter, lock, answerer).await?;
            connections.insert(name.clone(), Arc::clone(&served.connection));
            described.push(Described {
                adapter,
                connection: served.connection,
                limits: config.limits.clone(),
                tools: served.tools,
                strict_output: settings.strict_output,
            });
        }
        Ok((connections, described))
    }

    async fn of(
        &self,
        connection: &Arc<Connection>,
        settings: &AdapterSettings,
        adapter: &Adapter,
        lock: &mut Lock,
        answerer: &mut Answerer<'_>,
    ) -> anyhow::Result<Served> {
        let Some(spec) = &settings.spec else {
            return of_answer(connection, settings, adapter, lock);
        };
        self.of_document(connection, settings, spec, adapter, lock, answerer)
            .await
    }
}

/// What a system said when it was asked, and an operator said yes to.
fn of_answer(
    connection: &Arc<Connection>,
    settings: &AdapterSettings,
    adapter: &Adapter,
    lock: &Lock,
) -> anyhow::Result<Served> {
    let name = connection.name.as_str();
    let known = lock
        .described(name)
        .and_then(|before| Some((before, approved::of_answer(adapter, before)?)));
    let Some((before, discovery)) = known else {
        tracing::warn!(
            connection = name,
            "nothing that its system offers is approved: host connection approve {name} --as-tenant NAME"
        );
        return Ok(Served {
            connection: Arc::clone(connection),
            tools: Vec::new(),
        });
    };
    chosen::check(settings, &discovery, &[])?;
    let tools = granted(discovery.tools, before);
    Ok(Served {
        connection: Arc::clone(connection),
        tools: chosen::only(settings, tools),
    })
}

/// The tools that a yes was given to, each as it was then.
fn granted(tools: Vec<contract::Discovered>, yes: &grants::Described) -> Vec<contract::Discovered> {
    let granted = |found: &contract::Discovered| yes.tools.contains_key(&found.tool.name);
    tools.into_iter().filter(granted).collect()
}

/// All of a tool that a yes is given to, by its name: what a model sees of it, and what its calls may send (T31).
pub(crate) fn pins(tools: &[contract::Discovered], refused: &[Refusal]) -> BTreeMap<String, String> {
    let refused: HashSet<&str> = refused.iter().map(|refusal| refusal.tool.as_str()).collect();
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

/// What a person is told beside what the yes is for.
fn notes(settings: &AdapterSettings, discovery: &contract::Discovery, refused: &[Refusal]) -> Vec<String> {
    let mut notes = Vec::new();
    let without = discovery.skipped.len() + refused.len();
    if without > 0 {
        notes.push(format!(
            "operations that give no tool: {without}; host inspect on the document shows why"
        ));
    }
    if settings.takes_base && !discovery.alternatives.is_empty() {
        notes.push(format!(
            "other bases in it: {}",
            discovery.alternatives.join(", ")
        ));
    }
    notes
}
