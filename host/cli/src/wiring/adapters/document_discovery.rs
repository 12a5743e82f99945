use toolhost_policy::{CheckedConnection, Connection};
use toolhost_sandbox::{AdapterComponent, contract};
use toolhost_tools::refusals;

use super::{
    AdapterContext, ConnectionDiscovery, DiscoveryOutcome, approved_tools, base, credential_notes,
    document, granted_tools, left_out, notes, pins, tool_choice, upstream_names,
};
use crate::config::{AdapterSettings, Spec};
use crate::exit::CliError;
use crate::grants::{self, sha256};
use crate::plugins::{Omission, OmissionReason};

/// A document that was had and read, and what is asked about it.
pub(super) struct ReadDocument {
    pub(super) asked: grants::ConnectionApproval,
    pub(super) notes: Vec<String>,
    /// At the place that the document says, where the operator says none.
    pub(super) connection: CheckedConnection,
    pub(super) discovery: contract::Discovery,
    pub(super) document: Vec<u8>,
}

impl AdapterContext<'_> {
    /// The document that is there, and beside it the one that somebody has said yes to, where it is
    /// another one.
    pub(super) async fn look_at_document(
        &self,
        connection: &CheckedConnection,
        settings: &AdapterSettings,
        spec: &Spec,
        adapter: &AdapterComponent,
        before: Option<grants::ConnectionApproval>,
    ) -> DiscoveryOutcome {
        let now = self
            .discover_document(connection, settings, spec, adapter, before.as_ref())
            .await;
        let is_granted = now
            .as_ref()
            .is_ok_and(|found| before.as_ref() == Some(&found.asked));
        let before = match before.filter(|_| !is_granted) {
            Some(before) => self.old(connection, settings, adapter, before).await,
            None => None,
        };
        let now = now.map_err(|why| Omission::from_error(OmissionReason::Document, why));
        let now = now.map(|found| ConnectionDiscovery {
            tools: tool_choice::chosen_tools(
                settings,
                granted_tools(found.discovery.tools, &found.asked),
            ),
            connection: found.connection,
            asked: found.asked,
            notes: found.notes,
            document: found.document,
        });
        DiscoveryOutcome { now, before }
    }

    /// What a yes would be given to now. The same document means the same to the same adapter: of
    /// one that was approved nothing is looked at again.
    pub(super) async fn discover_document(
        &self,
        connection: &CheckedConnection,
        settings: &AdapterSettings,
        spec: &Spec,
        adapter: &AdapterComponent,
        before: Option<&grants::ConnectionApproval>,
    ) -> anyhow::Result<ReadDocument> {
        let document = document::read(self, connection, spec).await?;
        let (digest, own) = (sha256(&document), adapter.digest().to_string());
        let listed = tool_choice::allowed_operations(settings);
        let known =
            document::digest(&digest).and_then(|digest| adapter.cached_discovery(&digest, &listed));
        let discovery = match known {
            Some(discovery) => discovery,
            None => {
                self.discover(connection, adapter, document.clone(), &listed)
                    .await?
            }
        };
        let connection = base::of_document(connection, settings, &discovery)?;
        let base = base::proposed_base(settings, &connection);
        let is_same = |before: &&grants::ConnectionApproval| {
            before.document.as_ref() == Some(&digest) && before.digest == own && before.base == base
        };
        // As is every tool of it: what an adapter said once is kept, but not for ever.
        let stands = |before: &&grants::ConnectionApproval| {
            let now = pins(&discovery.tools, &[]);
            before
                .tools
                .iter()
                .all(|(name, pin)| now.get(name) == Some(pin))
        };
        // Of a large document the adapter gives what is chosen alone: what was not chosen then,
        // nobody said yes to.
        let has_chosen = |before: &&grants::ConnectionApproval| {
            tool_choice::are_granted(settings, &discovery, before)
        };
        if let Some(before) = before.filter(is_same).filter(stands).filter(has_chosen) {
            tool_choice::check(settings, &discovery, &[])?;
            tool_choice::check_path_parameters(&connection.name, settings, &discovery)?;
            return Ok(ReadDocument {
                asked: before.clone(),
                notes: Vec::new(),
                connection,
                discovery,
                document,
            });
        }
        let refused = refusals(&connection, &discovery.tools);
        tool_choice::check(settings, &discovery, &refused)?;
        tool_choice::check_path_parameters(&connection.name, settings, &discovery)?;
        let tools = pins(&discovery.tools, &refused);
        let asked = grants::ConnectionApproval {
            name: connection.name.to_string(),
            adapter: settings.adapter.to_string(),
            digest: own,
            document: Some(digest),
            answer: None,
            base,
            upstream_names: upstream_names(&discovery.tools, &tools),
            tools,
        };
        let mut notes = notes(settings, &discovery, &left_out(&connection, &discovery));
        notes.extend(credential_notes(
            &connection,
            &discovery.tools,
            &asked.tools,
        ));
        Ok(ReadDocument {
            notes,
            asked,
            connection,
            discovery,
            document,
        })
    }

    /// What an adapter finds in a document.
    async fn discover(
        &self,
        connection: &Connection,
        adapter: &AdapterComponent,
        document: Vec<u8>,
        listed: &[String],
    ) -> anyhow::Result<contract::Discovery> {
        let name = &connection.name;
        let found = adapter
            .discover(document, None, listed)
            .await
            .map_err(|error| CliError::plugin(format!("connection {name}: {error}")))?;
        Ok(found.map_err(|failure| {
            let why = crate::output::printable(&failure.message);
            CliError::usage(format!(
                "connections.{name}.spec: the document is none that the adapter can read: {why}"
            ))
        })?)
    }

    /// What was approved before, of a document that is no longer the one that is there, as long as
    /// the adapter is the one that it was approved with.
    async fn old(
        &self,
        connection: &CheckedConnection,
        settings: &AdapterSettings,
        adapter: &AdapterComponent,
        before: grants::ConnectionApproval,
    ) -> Option<ConnectionDiscovery> {
        let discovery = approved_tools::of_document(self.setup, adapter, settings, &before).await?;
        let connection = base::of_document(connection, settings, &discovery).ok()?;
        if before.base != base::proposed_base(settings, &connection) {
            return None;
        }
        let tools = granted_tools(discovery.tools, &before);
        Some(ConnectionDiscovery {
            connection,
            tools: tool_choice::chosen_tools(settings, tools),
            asked: before,
            notes: Vec::new(),
            document: Vec::new(),
        })
    }
}
