//! The connections whose tools come from a described system: the adapter's component, the document, what is found in it, and
//! the yes to that.
//!
//! What must never happen here: a tool of a document, or of an answer, that nobody said yes to; a base that a document
//! proposes and no operator has seen.

mod approving;
mod base;
mod chosen;
mod component;
mod document;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use toolhost_audit::Sink;
use toolhost_net::Network;
use toolhost_policy::{Connection, ConnectionName, PluginName};
use toolhost_sandbox::{Adapter, Sandbox, contract};
use toolhost_tools::{Described, Refusal, refusals};

pub(crate) use component::load;

use crate::config::AdapterSettings;
use crate::exit::Failure;
use crate::grants::{self, Answerer, Lock, approve_described, sha256};
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
        let name = connection.name.as_str();
        let digest = adapter.digest().to_string();
        let before = lock
            .described(name)
            .filter(|before| before.digest == digest && before.adapter == settings.adapter.as_str())
            .cloned();
        let document = match document::read(self, connection, spec).await {
            Ok(document) => document,
            Err(why) => {
                // The document that was approved stands, as long as the adapter still knows it.
                let Some(old) = before.and_then(|before| self.old(connection, settings, adapter, &before))
                else {
                    return Err(why.into());
                };
                tracing::warn!(
                    connection = name,
                    "{why}; what was approved of it before is served"
                );
                return Ok(Served {
                    tools: chosen::only(settings, old.tools),
                    ..old
                });
            }
        };
        let document_digest = sha256(&document);
        let discovery = self.discover(connection, adapter, document).await?;
        let is_known = |before: &grants::Described| {
            before.document.as_deref() == Some(&document_digest)
                && before.base.is_some() == settings.takes_base
        };
        if let Some(before) = before.as_ref().filter(|before| is_known(before)) {
            // The same document means the same to the same adapter: nothing of it is looked at again.
            let connection = base::of_document(connection, settings, &discovery)?;
            if before.base.as_deref() == base::proposed(settings, &connection).as_deref() {
                chosen::check(settings, &discovery, &[])?;
                let tools = granted(discovery.tools, before);
                return Ok(Served {
                    connection,
                    tools: chosen::only(settings, tools),
                });
            }
        }
        let (asked, notes, proposed) = asked(connection, settings, adapter, &discovery, document_digest)?;
        match approve_described(&asked, &notes, lock, answerer, self.audit)? {
            Ok(()) => {
                let tools = granted(discovery.tools, &asked);
                Ok(Served {
                    connection: proposed,
                    tools: chosen::only(settings, tools),
                })
            }
            Err(text) => {
                let Some(old) = before.and_then(|before| self.old(connection, settings, adapter, &before))
                else {
                    return Err(Failure::refused(format!(
                        "{text}this is not granted to connection {name} yet: run it once on a terminal and answer the question, pass --yes, or use host connection approve {name}"
                    ))
                    .into());
                };
                tracing::warn!(
                    connection = name,
                    "its document changed, and what was approved before is served until host connection approve {name}:\n{text}"
                );
                Ok(Served {
                    tools: chosen::only(settings, old.tools),
                    ..old
                })
            }
        }
    }

    /// What a yes would be given to, of the document that is there now.
    async fn asked(
        &self,
        connection: &Arc<Connection>,
        settings: &AdapterSettings,
        adapter: &Adapter,
    ) -> anyhow::Result<(grants::Described, Vec<String>, Arc<Connection>)> {
        let name = &connection.name;
        let spec = settings.spec.as_ref();
        let spec = spec.ok_or_else(|| Failure::usage(format!("connections.{name}.spec is missing")))?;
        let document = document::read(self, connection, spec).await?;
        let digest = sha256(&document);
        let discovery = self.discover(connection, adapter, document).await?;
        Ok(asked(connection, settings, adapter, &discovery, digest)?)
    }

    /// What an adapter finds in a document, or has found in it before.
    async fn discover(
        &self,
        connection: &Connection,
        adapter: &Adapter,
        document: Vec<u8>,
    ) -> anyhow::Result<contract::Discovery> {
        let name = &connection.name;
        document::keep(self.setup, &document);
        let found = adapter
            .discover(document, None)
            .await
            .map_err(|error| Failure::plugin(format!("connection {name}: {error}")))?;
        Ok(found.map_err(|failure| {
            let why = crate::output::printable(&failure.message);
            Failure::usage(format!(
                "connections.{name}.spec: the document is none that the adapter can read: {why}"
            ))
        })?)
    }

    /// What was approved before, of a document that is no longer the one that is there.
    fn old(
        &self,
        connection: &Arc<Connection>,
        settings: &AdapterSettings,
        adapter: &Adapter,
        before: &grants::Described,
    ) -> Option<Served> {
        let digest = document::digest(before.document.as_deref()?)?;
        let discovery = adapter.found_before(&digest)?;
        let connection = base::of_document(connection, settings, &discovery).ok()?;
        (before.base == base::proposed(settings, &connection)).then(|| Served {
            connection,
            tools: granted(discovery.tools, before),
        })
    }
}

/// What a yes is asked for: all of the document's tools that this host would serve, whichever of them the operator names, and
/// with it what a person is told, and the connection at its place.
fn asked(
    connection: &Arc<Connection>,
    settings: &AdapterSettings,
    adapter: &Adapter,
    discovery: &contract::Discovery,
    document: String,
) -> Result<(grants::Described, Vec<String>, Arc<Connection>), Failure> {
    let refused = refusals(connection, &discovery.tools);
    chosen::check(settings, discovery, &refused)?;
    let proposed = base::of_document(connection, settings, discovery)?;
    let asked = grants::Described {
        name: connection.name.to_string(),
        adapter: settings.adapter.to_string(),
        digest: adapter.digest().to_string(),
        document: Some(document),
        answer: None,
        base: base::proposed(settings, &proposed),
        tools: pins(&discovery.tools, &refused),
    };
    let notes = notes(settings, discovery, &refused);
    Ok((asked, notes, proposed))
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
        .filter(|before| before.digest == adapter.digest().to_string())
        .and_then(|before| Some((before, adapter.answered_before(before.answer.as_deref()?)?)));
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
