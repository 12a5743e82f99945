//! Wrapped keys in a schema of their own, which several hosts share.
//!
//! One thread has the connection, so that whoever holds a key may ask for another without being
//! asynchronous. Several times a second it asks which keys were changed: what is in memory is
//! believed only as long as that is answered.

use std::fmt;
use std::path::PathBuf;
use std::sync::mpsc as reply;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::address::Address;
use super::error::{PostgresError, PostgresFault};
use super::space_location::{TypedParameter, timeout_fault};
use super::{PostgresSettings, connect, setup};
use crate::keys::wrapped_key_store::{KeyChange, KeyChangeCallback, WrappedKey, WrappedKeyStore};
use crate::keys::{Keyring, MasterKey};
use crate::{Space, StoreError};

/// How often it is asked which keys were changed.
const BEAT: Duration = Duration::from_millis(200);

/// How long after the last question a key in memory is believed: a destroyed one is gone everywhere
/// within a second.
const TOLD: Duration = Duration::from_millis(700);

/// Until every host uses a key that was changed: [`TOLD`], and a second for what began before.
const LAG: Duration = Duration::from_millis(1_700);

/// A question that waits to be asked.
type KeyJob = (
    KeyRequest,
    reply::SyncSender<Result<KeyResponse, StoreError>>,
);

enum KeyRequest {
    Exists(String),
    Read(String),
    Write {
        label: String,
        bytes: Vec<u8>,
        over: Option<u64>,
    },
    Remove(String),
    Labels,
}

enum KeyResponse {
    Is(bool),
    Key(Option<WrappedKey>),
    Revision(Option<u64>),
    Labels(Vec<String>),
}

/// What the thread and its callers both know.
#[derive(Default)]
struct KeyThreadState {
    /// When the last question was asked that was answered.
    told: Mutex<Option<Instant>>,
    watch: OnceLock<KeyChangeCallback>,
}

/// See the module.
struct SharedKeys {
    jobs: mpsc::UnboundedSender<KeyJob>,
    known: Arc<KeyThreadState>,
    patience: Duration,
}

impl fmt::Debug for SharedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedKeys")
    }
}

impl Keyring {
    /// Over the keys in the schema `<prefix>_keys` of a server, which is made at the first start.
    ///
    /// # Errors
    /// [`PostgresError`]; of [`StoreError::Locked`], the host's key does not open with this master
    /// key.
    pub async fn in_postgres(
        settings: &PostgresSettings,
        master: MasterKey,
    ) -> Result<Self, PostgresError> {
        let url = settings.keys_url.as_ref().unwrap_or(&settings.url);
        let address = Address::from_url(url, settings)?;
        let (client, _) = connect::connect_single(&address, settings.connect_timeout)
            .await
            .map_err(PostgresError::from_fault)?;
        setup::keys(&client, &settings.prefix).await?;
        let keys = SharedKeys::start(address, settings)?;
        // Its first question is asked where it may wait.
        crate::blocking::blocking(move || Self::from_key_store(Arc::new(keys), master))
            .await
            .map_err(PostgresError::Store)
    }
}

impl SharedKeys {
    fn start(address: Address, settings: &PostgresSettings) -> Result<Self, PostgresError> {
        let (jobs, waiting) = mpsc::unbounded_channel();
        let known = Arc::new(KeyThreadState::default());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| PostgresError::Unreachable(error.to_string()))?;
        // The prefix has nothing to quote in it.
        let keeper = KeyThread {
            address,
            schema: settings.prefix.keys(),
            known: known.clone(),
            connect_timeout: settings.connect_timeout,
            patience: settings.statement_timeout,
            client: None,
            revision: None,
        };
        std::thread::Builder::new()
            .name("store-keys".to_owned())
            .spawn(move || runtime.block_on(keeper.keep(waiting)))
            .map_err(|error| PostgresError::Unreachable(error.to_string()))?;
        let patience = settings.connect_timeout + settings.statement_timeout * 2;
        Ok(Self {
            jobs,
            known,
            patience,
        })
    }

    fn ask(&self, ask: KeyRequest) -> Result<KeyResponse, StoreError> {
        let unavailable =
            || StoreError::Unavailable("the database of the keys does not answer".to_owned());
        let (answer, answered) = reply::sync_channel(1);
        self.jobs.send((ask, answer)).map_err(|_| unavailable())?;
        answered
            .recv_timeout(self.patience)
            .map_err(|_| unavailable())?
    }
}

impl WrappedKeyStore for SharedKeys {
    fn path(&self, _space: &Space) -> Option<PathBuf> {
        None
    }

    fn exists(&self, space: &Space) -> Result<bool, StoreError> {
        Ok(matches!(
            self.ask(KeyRequest::Exists(space.label()))?,
            KeyResponse::Is(true)
        ))
    }

    fn read(&self, space: &Space) -> Result<Option<WrappedKey>, StoreError> {
        match self.ask(KeyRequest::Read(space.label()))? {
            KeyResponse::Key(key) => Ok(key),
            _ => Ok(None),
        }
    }

    fn write(
        &self,
        space: &Space,
        bytes: &[u8],
        over: Option<u64>,
    ) -> Result<Option<u64>, StoreError> {
        let (label, bytes) = (space.label(), bytes.to_vec());
        match self.ask(KeyRequest::Write { label, bytes, over })? {
            KeyResponse::Revision(revision) => Ok(revision),
            _ => Ok(None),
        }
    }

    fn remove(&self, space: &Space) -> Result<bool, StoreError> {
        Ok(matches!(
            self.ask(KeyRequest::Remove(space.label()))?,
            KeyResponse::Is(true)
        ))
    }

    fn labels(&self) -> Result<Vec<String>, StoreError> {
        match self.ask(KeyRequest::Labels)? {
            KeyResponse::Labels(labels) => Ok(labels),
            _ => Ok(vec![]),
        }
    }

    fn is_current(&self) -> bool {
        let told = *self
            .known
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        told.is_some_and(|told| told.elapsed() < TOLD)
    }

    fn propagation_delay(&self) -> Option<Duration> {
        Some(LAG)
    }

    fn on_change(&self, watch: KeyChangeCallback) {
        // Once, by the keyring over it.
        let _ = self.known.watch.set(watch);
    }
}

/// The thread's own.
struct KeyThread {
    address: Address,
    schema: String,
    known: Arc<KeyThreadState>,
    connect_timeout: Duration,
    patience: Duration,
    client: Option<Client>,
    /// Up to which revision the changes were told.
    revision: Option<i64>,
}

impl KeyThread {
    /// Answers until nobody can ask any more.
    async fn keep(mut self, mut waiting: mpsc::UnboundedReceiver<KeyJob>) {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                job = waiting.recv() => {
                    let Some((ask, answer)) = job else {
                        return;
                    };
                    let outcome = self.ask_with_timeout(Some(ask)).await;
                    // Whoever asked may have given up.
                    let _ = answer.send(outcome.map_err(|fault| StoreError::Unavailable(fault.text)));
                }
                _ = beat.tick() => {
                    if let Err(fault) = self.ask_with_timeout(None).await {
                        tracing::warn!(error = fault.text, "what other hosts do to keys is not heard");
                    }
                }
            }
        }
    }

    /// Answers a question, or asks what was changed. A connection that fails is given up.
    async fn ask_with_timeout(
        &mut self,
        ask: Option<KeyRequest>,
    ) -> Result<KeyResponse, PostgresFault> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            let (client, _) = connect::connect_single(&self.address, self.connect_timeout).await?;
            self.client = Some(client);
        }
        let patience = match ask {
            Some(_) => self.patience,
            None => TOLD,
        };
        let work = async {
            if self.revision.is_none() {
                // No key is read before it is known from where on changes are told.
                self.poll_changes().await?;
            }
            match ask {
                Some(ask) => self.answer(ask).await,
                None => self.poll_changes().await.map(|()| KeyResponse::Is(true)),
            }
        };
        let outcome = tokio::time::timeout(patience, work).await;
        let outcome = outcome.unwrap_or_else(|_| Err(timeout_fault()));
        if outcome.is_err() {
            // Whatever it was in the middle of.
            self.client = None;
        }
        outcome
    }

    async fn rows(
        &self,
        statement: &str,
        parameters: &[TypedParameter<'_>],
    ) -> Result<Vec<Row>, PostgresFault> {
        let client = self.client.as_ref().ok_or_else(timeout_fault)?;
        let begin = format!("BEGIN READ ONLY; SET LOCAL ROLE {}", self.schema);
        let (begun, rows, ended) = futures::join!(
            client.batch_execute(&begin),
            client.query_typed(statement, parameters),
            client.batch_execute("COMMIT"),
        );
        begun?;
        let rows = rows?;
        ended?;
        Ok(rows)
    }

    async fn answer(&self, ask: KeyRequest) -> Result<KeyResponse, PostgresFault> {
        let schema = &self.schema;
        match ask {
            KeyRequest::Exists(label) => {
                let ask =
                    format!("SELECT 1 FROM {schema}.key WHERE space = $1 AND wrapped IS NOT NULL");
                let rows = self.rows(&ask, &[(&label, Type::TEXT)]).await?;
                Ok(KeyResponse::Is(!rows.is_empty()))
            }
            KeyRequest::Read(label) => {
                let ask = format!(
                    "SELECT revision, wrapped FROM {schema}.key WHERE space = $1 AND wrapped IS NOT NULL"
                );
                let rows = self.rows(&ask, &[(&label, Type::TEXT)]).await?;
                let Some(row) = rows.first() else {
                    return Ok(KeyResponse::Key(None));
                };
                let revision: i64 = row.try_get(0)?;
                Ok(KeyResponse::Key(Some(WrappedKey {
                    bytes: row.try_get(1)?,
                    revision: u64::try_from(revision).unwrap_or(0),
                })))
            }
            KeyRequest::Labels => {
                let ask = format!("SELECT space FROM {schema}.key WHERE wrapped IS NOT NULL");
                let rows = self.rows(&ask, &[]).await?;
                let labels = rows
                    .iter()
                    .map(|row| row.try_get(0))
                    .collect::<Result<_, _>>();
                Ok(KeyResponse::Labels(labels?))
            }
            KeyRequest::Write { label, bytes, over } => {
                let change = match over {
                    None => format!(
                        "INSERT INTO {schema}.key AS now (space, revision, wrapped) VALUES ($1, $2, $3) \
                         ON CONFLICT (space) DO UPDATE SET revision = $2, wrapped = $3 \
                         WHERE now.wrapped IS NULL AND $4::int8 IS NULL RETURNING revision"
                    ),
                    Some(_) => format!(
                        "UPDATE {schema}.key SET revision = $2, wrapped = $3 \
                         WHERE space = $1 AND revision = $4 AND wrapped IS NOT NULL RETURNING revision"
                    ),
                };
                let over = over.map(|over| i64::try_from(over).unwrap_or(-1));
                let revision = self.change(&change, &label, Some(&bytes), over).await?;
                Ok(KeyResponse::Revision(
                    revision.and_then(|r| u64::try_from(r).ok()),
                ))
            }
            KeyRequest::Remove(label) => {
                // Its row stays, without the key, so that every host hears of it.
                let change = format!(
                    "UPDATE {schema}.key SET revision = $2, wrapped = $3 \
                     WHERE space = $1 AND wrapped IS NOT NULL AND $4::int8 IS NULL RETURNING revision"
                );
                let removed = self.change(&change, &label, None, None).await?;
                Ok(KeyResponse::Is(removed.is_some()))
            }
        }
    }

    /// Makes one change with the next revision, which is one at a time. `None`: its condition did
    /// not hold.
    async fn change(
        &self,
        change: &str,
        label: &str,
        bytes: Option<&[u8]>,
        over: Option<i64>,
    ) -> Result<Option<i64>, PostgresFault> {
        let client = self.client.as_ref().ok_or_else(timeout_fault)?;
        let schema = &self.schema;
        client
            .batch_execute(&format!("BEGIN; SET LOCAL ROLE {schema}"))
            .await?;
        let next = format!("UPDATE {schema}.ring SET revision = revision + 1 RETURNING revision");
        let rows = client.query_typed(&next, &[]).await?;
        let revision: i64 = rows.first().ok_or_else(timeout_fault)?.try_get(0)?;
        let parameters: [TypedParameter<'_>; 4] = [
            (&label, Type::TEXT),
            (&revision, Type::INT8),
            (&bytes, Type::BYTEA),
            (&over, Type::INT8),
        ];
        let changed = client.query_typed(change, &parameters).await?;
        client.batch_execute("COMMIT").await?;
        Ok((!changed.is_empty()).then_some(revision))
    }

    /// Asks what was changed since it was last asked, and tells it.
    async fn poll_changes(&mut self) -> Result<(), PostgresFault> {
        let asked = Instant::now();
        let ask = format!(
            "SELECT ring.revision, key.space, key.revision, key.wrapped FROM {0}.ring \
             LEFT JOIN {0}.key ON key.revision > $1 ORDER BY key.revision",
            self.schema
        );
        let since = self.revision.unwrap_or(i64::MAX);
        let rows = self.rows(&ask, &[(&since, Type::INT8)]).await?;
        let now: i64 = rows.first().ok_or_else(timeout_fault)?.try_get(0)?;
        let tell = |change| {
            if let Some(watch) = self.known.watch.get() {
                watch(change);
            }
        };
        if now < since && self.revision.is_some() {
            // The server was brought back to an earlier state.
            tell(KeyChange::All);
        }
        for row in &rows {
            let (label, revision): (Option<String>, Option<i64>) =
                (row.try_get(1)?, row.try_get(2)?);
            if let (Some(label), Some(revision)) = (label, revision) {
                tell(KeyChange::Of {
                    label,
                    revision: u64::try_from(revision).unwrap_or(0),
                    bytes: row.try_get(3)?,
                });
            }
        }
        self.revision = Some(now);
        *self
            .known
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(asked);
        Ok(())
    }
}
