use crate::{KeyError, MAX_VALUE};

/// Why the store did not do it. Nothing has changed then, except after [`StoreError::Unavailable`],
/// which says that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such space. It is never made by being asked for.
    #[error("{space} does not exist")]
    UnknownSpace {
        /// Which.
        space: String,
    },
    /// A condition of a change did not hold.
    #[error("the record has changed since it was read")]
    Conflict,
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The value.
    #[error("a record has at most {MAX_VALUE} bytes")]
    TooLarge,
    /// The space is damaged. It is not served, in whole or in part, until it is restored.
    #[error(
        "{space} is damaged ({found}); nothing of it is served: `host store check` says more, `host store restore` brings back a backup"
    )]
    Corrupt {
        /// Which.
        space: String,
        /// What was found, without any value.
        found: String,
    },
    /// The space's key is missing or does not open with the master key.
    #[error("{space} cannot be opened: {why}")]
    Locked {
        /// Which.
        space: String,
        /// Why; names the file or the setting.
        why: String,
    },
    /// No room on the disk.
    #[error("the disk is full: {0}")]
    Full(String),
    /// Another process has the data directory.
    #[error("process {pid} has the data directory {directory} open")]
    Owned {
        /// Whose it is.
        pid: u32,
        /// Which.
        directory: String,
    },
    /// The data directory is not one that this host may use.
    #[error("the data directory {directory} cannot be used: {why}")]
    Directory {
        /// Which; see `--data-dir`.
        directory: String,
        /// Why.
        why: String,
    },
    /// What is asked for would take the place of something sound.
    #[error("{0}")]
    Exists(String),
    /// What is to be brought back is not a backup.
    #[error("{path} is not a backup: {why}")]
    Backup {
        /// Which.
        path: String,
        /// Why.
        why: String,
    },
    /// The server of the store has tools of its own for it.
    #[error(
        "the store is in a PostgreSQL server, which makes and brings back its own backups: use pg_dump and pg_restore, and keep the master key apart"
    )]
    Servers,
    /// Reading or writing failed, or the connection to the database did.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
}

impl StoreError {
    /// Reading or writing failed: the disk is full, or something else.
    pub(crate) fn of_io(what: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};

        let text = format!("{what}: {error}");
        match error.kind() {
            StorageFull | QuotaExceeded => Self::Full(text),
            _ => Self::Unavailable(text),
        }
    }
}
