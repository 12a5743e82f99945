use std::fmt;
use std::path::PathBuf;

use toolhost_policy::SecretTextError;

/// The longest file that a secret is read from: the largest bearer tokens are some tens of
/// kilobytes.
pub const MAX_SECRET_FILE_BYTES: usize = 64 << 10;

/// Where the operator keeps a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file that only its owner may read. A change takes effect at the next call.
    File(PathBuf),
    /// A variable of the environment, read once when the provider is made.
    Env(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// Why a source gives no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SourceProblem {
    /// There is no such file.
    #[error("there is no such file")]
    Missing,
    /// The file cannot be opened or read.
    #[error("the file cannot be read ({0})")]
    Unreadable(std::io::ErrorKind),
    /// A directory, a device, a pipe.
    #[error("it is not a regular file")]
    NotAFile,
    /// Others than its owner have rights on it.
    #[error("others than its owner have access to it: `chmod 600` it")]
    OpenToOthers,
    /// Over [`MAX_SECRET_FILE_BYTES`].
    #[error("the file is larger than 64 KiB")]
    TooLarge,
    /// The variable is not set.
    #[error("the variable is not set")]
    Unset,
    /// What it holds is not taken as a secret.
    #[error(transparent)]
    Refused(#[from] SecretTextError),
}

impl SourceProblem {
    /// Fixed text, for [`crate::CredentialError::Unavailable`].
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "its file is gone",
            Self::Unreadable(_) => "its file cannot be read",
            Self::NotAFile => "its file is not a regular file",
            Self::OpenToOthers => "others than the owner have access to its file",
            Self::TooLarge => "its file is larger than 64 KiB",
            Self::Unset => "its environment variable is not set",
            Self::Refused(refused) => refused.reason(),
        }
    }
}
