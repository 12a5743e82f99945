//! An installation in the server: a database and a login role of its own, and hosts on it.

use std::sync::Arc;

use tokio_postgres::{Client, NoTls};
use toolhost_policy::Secret;
use toolhost_store::PostgresStore;
use toolhost_store::keys::{Keyring, MasterKey};
use toolhost_store::postgres::{Layout, PostgresError, PostgresSettings, Prefix};

use super::server::Server;

pub(crate) const MASTER: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Goes with the test.
pub(crate) struct Town {
    pub(crate) server: Server,
    pub(crate) name: String,
    pub(crate) layout: Layout,
}

impl Town {
    pub(crate) async fn new(layout: Layout) -> Self {
        Self::on(Server::shared(), layout).await
    }

    pub(crate) async fn on(server: Server, layout: Layout) -> Self {
        let mut bytes = [0; 5];
        aws_lc_rs::rand::fill(&mut bytes).unwrap();
        let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("t{name}");
        let town = Self {
            server,
            name,
            layout,
        };
        let admin = town.admin("postgres").await;
        let name = &town.name;
        admin
            .batch_execute(&format!(
                "CREATE ROLE {name} LOGIN NOINHERIT CREATEROLE CREATEDB PASSWORD 'of-{name}'"
            ))
            .await
            .unwrap();
        admin
            .batch_execute(&format!(
                "CREATE DATABASE {name} OWNER {name} TEMPLATE template0"
            ))
            .await
            .unwrap();
        town
    }

    /// A superuser in a database.
    pub(crate) async fn admin(&self, database: &str) -> Client {
        let mut config = self.server.config.clone();
        connect(config.dbname(database)).await
    }

    /// The login role of the hosts.
    pub(crate) async fn login(&self) -> Client {
        let mut config = self.server.config.clone();
        connect(
            config
                .dbname(&self.name)
                .user(&self.name)
                .password(format!("of-{}", self.name)),
        )
        .await
    }

    pub(crate) fn url(&self) -> String {
        let name = &self.name;
        let config = &self.server.config;
        match &config.get_hosts()[0] {
            tokio_postgres::config::Host::Unix(path) => {
                format!(
                    "postgres:///{name}?host={}&user={name}&password=of-{name}",
                    path.display()
                )
            }
            tokio_postgres::config::Host::Tcp(host) => {
                let port = config.get_ports().first().copied().unwrap_or(5432);
                format!("postgres://{name}:of-{name}@{host}:{port}/{name}")
            }
        }
    }

    pub(crate) fn settings(&self) -> PostgresSettings {
        let mut settings = PostgresSettings::new(Secret::from(self.url()));
        settings.prefix = Prefix::parse(&self.name).unwrap();
        settings.layout = self.layout;
        settings
    }

    pub(crate) async fn host(&self) -> PostgresStore {
        self.keyed_host().await.0
    }

    pub(crate) async fn keyed_host(&self) -> (PostgresStore, Arc<Keyring>) {
        self.try_host(&self.settings(), MASTER).await.unwrap()
    }

    pub(crate) async fn try_host(
        &self,
        settings: &PostgresSettings,
        master: &str,
    ) -> Result<(PostgresStore, Arc<Keyring>), PostgresError> {
        let master = MasterKey::from_text(&Secret::from(master.to_owned())).unwrap();
        let keyring = Arc::new(Keyring::in_postgres(settings, master).await?);
        let store = PostgresStore::open(settings, keyring.clone()).await?;
        Ok((store, keyring))
    }

    async fn remove(server: Server, name: String) {
        let mut config = server.config.clone();
        let admin = connect(config.dbname("postgres")).await;
        let ask =
            "SELECT datname::text FROM pg_database WHERE datname = $1 OR datname LIKE $1 || '\\_%'";
        for row in admin.query(ask, &[&name]).await.unwrap() {
            let drop = format!("DROP DATABASE \"{}\" WITH (FORCE)", row.get::<_, String>(0));
            admin.batch_execute(&drop).await.unwrap();
        }
        let ask =
            "SELECT rolname::text FROM pg_roles WHERE rolname = $1 OR rolname LIKE $1 || '\\_%'";
        for row in admin.query(ask, &[&name]).await.unwrap() {
            let drop = format!("DROP ROLE \"{}\"", row.get::<_, String>(0));
            admin.batch_execute(&drop).await.unwrap();
        }
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A private server goes with all that is in it; one that was lent is left as it was.
        if std::env::var_os("DATABASE_URL").is_some() {
            let removed = std::thread::spawn(move || {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(Self::remove(server, name));
            });
            let _ = removed.join();
        }
    }
}

pub(crate) async fn connect(config: &tokio_postgres::Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    client
}
