use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::error::PostgresFault;

/// A parameter with its type, so that a statement needs no trip of its own to be prepared.
pub(super) type TypedParameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Where a space lies: the connections to its database, and its role and schema, which have one
/// name.
#[derive(Debug, Clone)]
pub(super) struct SpaceLocation {
    pub(super) pool: Pool,
    /// The name as the server quotes it.
    pub(super) quoted: Arc<str>,
    /// How long the server may take.
    pub(super) patience: Duration,
}

impl SpaceLocation {
    /// A table of the space.
    pub(super) fn table(&self, name: &str) -> String {
        format!("{}.{name}", self.quoted)
    }

    /// Takes the role of the space for one transaction. The login role is no heir of it: what runs
    /// without this, or after this has failed, reaches no tenant's rows at all.
    pub(super) fn begin(&self, how: &str) -> String {
        format!("BEGIN {how}; SET LOCAL ROLE {}", self.quoted)
    }

    pub(super) async fn connection(&self) -> Result<Object, PostgresFault> {
        Ok(self.pool.get().await?)
    }

    /// One statement as the space's role, in one trip.
    pub(super) async fn rows(
        &self,
        how: &str,
        statement: &str,
        parameters: &[TypedParameter<'_>],
    ) -> Result<Vec<Row>, PostgresFault> {
        let object = self.connection().await?;
        let begin = self.begin(how);
        let trip = in_transaction(&object, &begin, statement, parameters);
        match tokio::time::timeout(self.patience, trip).await {
            Ok(rows) => Ok(rows?),
            Err(_) => {
                close_connection(object);
                Err(timeout_fault())
            }
        }
    }
}

/// Begin, statement and end leave together, in this order, and each waits for none of the answers.
/// Where one fails the server undoes what was before it, and does nothing of what is after it.
async fn in_transaction(
    client: &Client,
    begin: &str,
    statement: &str,
    parameters: &[TypedParameter<'_>],
) -> Result<Vec<Row>, tokio_postgres::Error> {
    // futures' macro asks them in their order, which tokio's does not.
    let (begun, rows, ended) = futures::join!(
        client.batch_execute(begin),
        client.query_typed(statement, parameters),
        client.batch_execute("COMMIT"),
    );
    begun?;
    let rows = rows?;
    ended?;
    Ok(rows)
}

/// Ends a connection of which it is not known what it does.
pub(super) fn close_connection(object: Object) {
    drop(Object::take(object));
}

pub(super) fn timeout_fault() -> PostgresFault {
    PostgresFault::connection_lost("the server does not answer in time")
}
