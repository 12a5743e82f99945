use std::path::{Path, PathBuf};

/// Why a key's file cannot be used. No variant carries what is in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// Reading or writing failed.
    #[error("{path:?}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Others can read the master key.
    #[error("{0:?} can be read by others; chmod 600 it, and consider that they have read it")]
    Readable(PathBuf),
    /// Another user's file.
    #[error("{0:?} belongs to another user than the one the host runs as; chown it")]
    Foreign(PathBuf),
    /// The keys of the spaces are there, and the master key that wraps them is not.
    #[error(
        "{0:?} is missing, and the keys beside it are wrapped with it; bring it back, or name it with --master-key"
    )]
    Missing(PathBuf),
    /// Not keys of 32 bytes in base64.
    #[error(
        "the master key is one or two lines of 32 bytes in base64, such as `openssl rand -base64 32` makes"
    )]
    Form,
    /// The random source or a cipher failed.
    #[error("a key could not be made or used")]
    Crypto,
    /// A wrapped key does not open.
    #[error(
        "{0} does not open with the master key; bring back the one it was wrapped with, see --master-key"
    )]
    Wrapped(String),
    /// There is no key.
    #[error("{0} is missing")]
    None(String),
}

impl KeyFileError {
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }
}
