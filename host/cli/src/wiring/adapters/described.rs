use std::sync::Arc;

use toolhost_policy::Connection;
use toolhost_sandbox::{Adapter, contract};
use toolhost_tools::refusals;

use super::{
    Found, Look, Room, approved, base, chosen, credential_notes, document, granted, left_out, notes, pins,
    upstream_names,
};
use crate::config::{AdapterSettings, Spec};
use crate::exit::Failure;
use crate::grants::{self, sha256};
use crate::plugins::{Omission, Reason};

/// A document that was had and read, and what is asked about it.
pub(super) struct ReadDocument {
    pub(super) asked: grants::Described,
    pub(super) notes: Vec<String>,
    /// At the place that the document says, where the operator says none.
    pub(super) connection: Arc<Connection>,
    pub(super) discovery: contract::Discovery,
    pub(super) document: Vec<u8>,
}

impl Room<'_> {
    /// The document that is there, and beside it the one that somebody has said yes to, where it is another one.
    pub(super) async fn look_at_document(
        &self,
        connection: &Arc<Connection>,
        settings: &AdapterSettings,
        spec: &Spec,
        adapter: &Adapter,
        before: Option<grants::Described>,
    ) -> Look {
        let now = self
            .found(connection, settings, spec, adapter, before.as_ref())
            .await;
        let is_granted = now
            .as_ref()
            .is_ok_and(|found| before.as_ref() == Some(&found.asked));
        let before = match before.filter(|_| !is_granted) {
            Some(before) => self.old(connection, settings, adapter, before).await,
            None => None,
        };
        let now = now.map_err(|why| Omission::of(Reason::Document, why));
        let now = now.map(|found| Found {
            tools: chosen::only(settings, granted(found.discovery.tools, &found.asked)),
            connection: found.connection,
            asked: found.asked,
            notes: found.notes,
            document: found.document,
        });
        Look { now, before }
    }

    /// What a yes would be given to now. The same document means the same to the same adapter: of one that was approved nothing
    /// is looked at again.
    pub(super) async fn found(
        &self,
        connection: &Arc<Connection>,
        settings: &AdapterSettings,
        spec: &Spec,
        adapter: &Adapter,
        before: Option<&grants::Described>,
    ) -> anyhow::Result<ReadDocument> {
        let document = document::read(self, connection, spec).await?;
        let (digest, own) = (sha256(&document), adapter.digest().to_string());
        let listed = chosen::listed(settings);
        let known = document::digest(&digest).and_then(|digest| adapter.found_before(&digest, &listed));
        let discovery = match known {
            Some(discovery) => discovery,
            None => {
                self.discover(connection, adapter, document.clone(), &listed)
                    .await?
            }
        };
        let connection = base::of_document(connection, settings, &discovery)?;
        let base = base::proposed(settings, &connection);
        let is_same = |before: &&grants::Described| {
            before.document.as_ref() == Some(&digest) && before.digest == own && before.base == base
        };
        // As is every tool of it: what an adapter said once is kept, but not for ever.
        let stands = |before: &&grants::Described| {
            let now = pins(&discovery.tools, &[]);
            before.tools.iter().all(|(name, pin)| now.get(name) == Some(pin))
        };
        // Of a large document the adapter gives what is chosen alone: what was not chosen then, nobody said yes to.
        let has_chosen = |before: &&grants::Described| chosen::are_granted(settings, &discovery, before);
        if let Some(before) = before.filter(is_same).filter(stands).filter(has_chosen) {
            chosen::check(settings, &discovery, &[])?;
            chosen::check_path_parameters(&connection.name, settings, &discovery)?;
            return Ok(ReadDocument {
                asked: before.clone(),
                notes: Vec::new(),
                connection,
                discovery,
                document,
            });
        }
        let refused = refusals(&connection, &discovery.tools);
        chosen::check(settings, &discovery, &refused)?;
        chosen::check_path_parameters(&connection.name, settings, &discovery)?;
        let tools = pins(&discovery.tools, &refused);
        let asked = grants::Described {
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
        notes.extend(credential_notes(&connection, &discovery.tools, &asked.tools));
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
        adapter: &Adapter,
        document: Vec<u8>,
        listed: &[String],
    ) -> anyhow::Result<contract::Discovery> {
        let name = &connection.name;
        let found = adapter
            .discover(document, None, listed)
            .await
            .map_err(|error| Failure::plugin(format!("connection {name}: {error}")))?;
        Ok(found.map_err(|failure| {
            let why = crate::output::printable(&failure.message);
            Failure::usage(format!(
                "connections.{name}.spec: the document is none that the adapter can read: {why}"
            ))
        })?)
    }

    /// What was approved before, of a document that is no longer the one that is there, as long as the adapter is the one
    /// that it was approved with.
    async fn old(
        &self,
        connection: &Arc<Connection>,
        settings: &AdapterSettings,
        adapter: &Adapter,
        before: grants::Described,
    ) -> Option<Found> {
        let discovery = approved::of_document(self.setup, adapter, settings, &before).await?;
        let connection = base::of_document(connection, settings, &discovery).ok()?;
        if before.base != base::proposed(settings, &connection) {
            return None;
        }
        let tools = granted(discovery.tools, &before);
        Some(Found {
            connection,
            tools: chosen::only(settings, tools),
            asked: before,
            notes: Vec::new(),
            document: Vec::new(),
        })
    }
}
