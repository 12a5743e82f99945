use tokio_postgres::error::{Severity, SqlState};

use crate::{Space, StoreError};

/// Why the store of a server cannot be opened. No variant carries the URL, which has a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// Not an address of a server.
    #[error("the url of the store is none of PostgreSQL: {0}")]
    Url(String),
    /// Not a prefix.
    #[error(
        "the prefix of the store is 1 to 16 of a-z and 0-9 with a letter first, and does not begin with pg"
    )]
    Prefix,
    /// Anybody on the way could read and answer.
    #[error(
        "sslmode={mode} is for a server on this machine; use sslmode=verify-full for {host}, or allow plaintext for it"
    )]
    Plaintext {
        /// The mode that was asked for.
        mode: String,
        /// Which host.
        host: String,
    },
    /// The certificates of who may sign the server's cannot be read.
    #[error("the certificates in {path:?} cannot be used: {why}")]
    Certificates {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        why: String,
    },
    /// Nobody answers, or the certificate is not to be trusted.
    #[error("the server cannot be reached: {0}")]
    Unreachable(String),
    /// The server does not accept the user or the password.
    #[error("the server refuses the user or the password of the url: {0}")]
    Password(String),
    /// There is no such database.
    #[error("{0}; make it with CREATE DATABASE, owned by the user of the url")]
    NoDatabase(String),
    /// The server is too old.
    #[error("the server has version {found}, and {least} or later is needed")]
    Version {
        /// What it has.
        found: u32,
        /// What is needed.
        least: u32,
    },
    /// The login role has too many rights or too few.
    #[error("the role {role} {why}: {mend}")]
    Role {
        /// Which.
        role: String,
        /// What is wrong.
        why: String,
        /// The statement that mends it.
        mend: String,
    },
    /// What is there was set up otherwise, or by something else.
    #[error("{0}")]
    SetUp(String),
    /// A later version of the host has set it up.
    #[error(
        "the store has layout version {found}, and this host knows up to {known}; use a later version of the host"
    )]
    Newer {
        /// What it has.
        found: u32,
        /// What this host knows.
        known: u32,
    },
    /// A key, as with another master key, or the store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PostgresError {
    pub(super) fn from_fault(fault: PostgresFault) -> Self {
        let PostgresFault { code, text, .. } = fault;
        match code {
            Some(code) if code.code().starts_with("28") => Self::Password(text),
            Some(SqlState::INVALID_CATALOG_NAME) => Self::NoDatabase(text),
            Some(SqlState::INSUFFICIENT_PRIVILEGE) => Self::SetUp(format!(
                "the role of the url may not set the store up: {text}"
            )),
            _ => Self::Unreachable(text),
        }
    }
}

/// Why the server did not do it.
#[derive(Debug, Clone)]
pub(super) struct PostgresFault {
    pub(super) code: Option<SqlState>,
    pub(super) text: String,
    /// The server has answered, and nothing was changed. Otherwise nobody knows.
    pub(super) is_answer: bool,
}

impl PostgresFault {
    pub(super) fn connection_lost(text: impl Into<String>) -> Self {
        Self {
            code: None,
            text: text.into(),
            is_answer: false,
        }
    }

    /// A role, a schema or a table that is not there.
    pub(super) fn is_missing(&self) -> bool {
        [
            &SqlState::UNDEFINED_TABLE,
            &SqlState::UNDEFINED_OBJECT,
            &SqlState::INVALID_SCHEMA_NAME,
            &SqlState::INVALID_CATALOG_NAME,
            // Of SET ROLE to one that is not there.
            &SqlState::INVALID_PARAMETER_VALUE,
        ]
        .iter()
        .any(|code| self.code.as_ref() == Some(*code))
    }

    pub(super) fn to_store_error(&self, space: &Space) -> StoreError {
        let text = format!("{space}: {}", self.text);
        match &self.code {
            Some(code) if *code == SqlState::DISK_FULL => StoreError::Full(text),
            _ => StoreError::Unavailable(text),
        }
    }
}

impl From<tokio_postgres::Error> for PostgresFault {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            return Self::connection_lost(causes(&error));
        };
        // The detail is left out: it may hold what was to be written.
        let text = said.message().to_owned();
        let is_answer = !matches!(
            said.parsed_severity(),
            Some(Severity::Fatal | Severity::Panic) | None
        );
        Self {
            code: Some(said.code().clone()),
            text,
            is_answer,
        }
    }
}

impl From<deadpool_postgres::PoolError> for PostgresFault {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(error) => error.into(),
            deadpool_postgres::PoolError::Timeout(_) => Self::connection_lost(
                "no connection was to be had in time: the server does not answer, or all of the pool are in use",
            ),
            error => Self::connection_lost(error.to_string()),
        }
    }
}

/// An error with what is behind it: the outer one says "error connecting to server" and no more.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
