use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::keys::KeyFileError;
use crate::{Space, StoreError};

/// Why a database did not do it. The space's name is put to it further up.
#[derive(Debug, Clone)]
pub(super) enum DatabaseError {
    /// What is there is not what was written.
    Damaged(String),
    /// The key is not there, or not of that generation.
    Locked(String),
    /// The outcome is nobody's knowledge: the database is closed and opened again with its check.
    Broken(String),
    /// Said to the caller as it is.
    Refused(StoreError),
}

impl DatabaseError {
    pub(super) fn into_store_error(self, space: &Space) -> StoreError {
        let name = space.to_string();
        match self {
            Self::Damaged(found) => StoreError::Corrupt { space: name, found },
            Self::Locked(why) => StoreError::Locked { space: name, why },
            Self::Broken(why) => StoreError::Unavailable(format!("{name}: {why}")),
            Self::Refused(error) => error,
        }
    }
}

impl From<sled::Error> for DatabaseError {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) if is_damage(&error) => {
                Self::Damaged(format!("the database: {error}"))
            }
            sled::Error::Io(error) => Self::Broken(error.to_string()),
            error => Self::Damaged(format!("the database: {error}")),
        }
    }
}

impl From<KeyFileError> for DatabaseError {
    fn from(error: KeyFileError) -> Self {
        Self::Locked(error.to_string())
    }
}

/// sled says so of a file that is shorter than it should be, or does not parse.
fn is_damage(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, NotFound, Other, UnexpectedEof};

    matches!(
        error.kind(),
        InvalidData | InvalidInput | NotFound | Other | UnexpectedEof
    )
}

/// Runs what enters sled. It panics where it meets what it did not write.
pub(super) fn catch_panics<T>(
    run: impl FnOnce() -> Result<T, DatabaseError>,
) -> Result<T, DatabaseError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        // The payload is not told: it may hold what was read.
        Err(DatabaseError::Damaged(
            "the database panicked over it".to_owned(),
        ))
    })
}

/// The failure of a file operation, with the path.
pub(super) fn io_failure(path: &Path, error: &io::Error) -> DatabaseError {
    DatabaseError::Refused(StoreError::of_io(&path.display().to_string(), error))
}
