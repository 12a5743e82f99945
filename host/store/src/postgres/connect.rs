//! Connections: one for whoever listens, and pools of them.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client, Notification};

use super::address::Address;
use super::error::{PostgresError, PostgresFault};

/// An acknowledged write is on the server's disk, whatever the server's own default is.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'on', false) \
     WHERE current_setting('synchronous_commit') = 'off'";

/// A pool of connections to one database.
pub(super) fn pool(
    address: &Address,
    size: usize,
    connect_timeout: Duration,
) -> Result<Pool, PostgresError> {
    let recycling_method = RecyclingMethod::Fast;
    let manager = Manager::from_config(
        address.config.clone(),
        address.tls.clone(),
        ManagerConfig { recycling_method },
    );
    let durable = Hook::async_fn(|client: &mut deadpool_postgres::ClientWrapper, _| {
        Box::pin(async move {
            client
                .batch_execute(DURABLE)
                .await
                .map_err(HookError::Backend)
        })
    });
    Pool::builder(manager)
        .max_size(size.max(1))
        .runtime(Runtime::Tokio1)
        .post_create(durable)
        .wait_timeout(Some(connect_timeout))
        .create_timeout(Some(connect_timeout))
        .recycle_timeout(Some(connect_timeout))
        .build()
        .map_err(|error| PostgresError::Unreachable(error.to_string()))
}

/// A connection of its own, and what is announced on it.
pub(super) async fn connect_single(
    address: &Address,
    patience: Duration,
) -> Result<(Client, mpsc::UnboundedReceiver<Notification>), PostgresFault> {
    let connecting = address.config.connect(address.tls.clone());
    let (client, mut connection) = tokio::time::timeout(patience, connecting)
        .await
        .map_err(|_| PostgresFault::connection_lost("the server does not answer in time"))??;
    let (announce, announced) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut messages =
            futures::stream::poll_fn(move |context| connection.poll_message(context));
        while let Some(Ok(message)) = futures::StreamExt::next(&mut messages).await {
            if let AsyncMessage::Notification(notification) = message {
                // Whoever listened may be gone; the connection ends with its client.
                let _ = announce.send(notification);
            }
        }
    });
    let durable = client.batch_execute(DURABLE);
    tokio::time::timeout(patience, durable)
        .await
        .map_err(|_| PostgresFault::connection_lost("the server does not answer in time"))??;
    Ok((client, announced))
}

/// The pools of the databases in use.
#[derive(Debug)]
pub(super) struct Pools {
    address: Address,
    connect_timeout: Duration,
    pub(super) main: Pool,
    by_database: moka::sync::Cache<Arc<str>, Pool>,
}

/// Databases of tenants that connections are kept to.
const DATABASES: u64 = 64;

/// Connections to each of them at most.
const A_DATABASE: usize = 4;

/// How long connections to a tenant's database are kept that nobody asks for.
const IDLE: Duration = Duration::from_secs(120);

impl Pools {
    pub(super) fn new(
        address: Address,
        size: usize,
        connect_timeout: Duration,
    ) -> Result<Self, PostgresError> {
        let main = pool(&address, size, connect_timeout)?;
        let by_database = moka::sync::Cache::builder()
            .max_capacity(DATABASES)
            .time_to_idle(IDLE)
            .build();
        Ok(Self {
            address,
            connect_timeout,
            main,
            by_database,
        })
    }

    /// The connections to a tenant's own database.
    pub(super) fn database(&self, name: &Arc<str>) -> Result<Pool, PostgresError> {
        if let Some(pool) = self.by_database.get(name) {
            return Ok(pool);
        }
        let pool = pool(
            &self.address.database(name),
            A_DATABASE,
            self.connect_timeout,
        )?;
        Ok(self.by_database.get_with(name.clone(), || pool))
    }

    /// Closes the connections to a database that is going to be dropped.
    pub(super) fn forget(&self, name: &Arc<str>) {
        if let Some(pool) = self.by_database.remove(name) {
            pool.close();
        }
    }
}
