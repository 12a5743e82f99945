use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use toolhost_policy::Secret;

use super::Prefix;

/// How tenants are kept apart in the server. An installation keeps the layout that it was set up
/// with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// A schema and a role each, in one database.
    #[default]
    Schema,
    /// A database and a role each. The login role needs `CREATEDB` too, and every tenant in use
    /// takes connections of its own.
    Database,
}

impl Layout {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Database => "database",
        }
    }
}

/// Which server, as whom, and how it is used.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// `postgres://user:password@host:port/database?sslmode=verify-full`. Without `sslmode`:
    /// `verify-full`, and `disable` on a Unix socket or the loopback network. `require` is
    /// `verify-full` too: a certificate is always verified.
    pub url: Arc<Secret>,
    /// Where the wrapped keys are, when not in a schema of the same database: a backup of one
    /// server holds no keys then.
    pub keys_url: Option<Arc<Secret>>,
    /// Certificates in PEM of who may have signed the server's; the web's authorities where there
    /// is none.
    pub ca: Option<PathBuf>,
    /// `disable` and `prefer` are accepted to hosts beyond this machine: whoever is on the way
    /// reads names and sealed records then, and may answer in the server's place.
    pub plaintext_beyond_loopback: bool,
    /// What the names of roles, schemas and databases begin with.
    pub prefix: Prefix,
    /// How tenants are kept apart.
    pub layout: Layout,
    /// Connections of this host at most, to the database and, with [`Layout::Database`], to each
    /// tenant's of up to 64.
    pub pool: usize,
    /// How long a connection may take to be had.
    pub connect_timeout: Duration,
    /// How long an operation may take.
    pub statement_timeout: Duration,
}

impl PostgresSettings {
    /// The defaults: 16 connections, 5 s to connect and 10 s for an operation.
    #[must_use]
    pub fn new(url: Secret) -> Self {
        let url = Arc::new(url);
        Self {
            url,
            keys_url: None,
            ca: None,
            plaintext_beyond_loopback: false,
            prefix: Prefix::default(),
            layout: Layout::default(),
            pool: 16,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(10),
        }
    }
}
