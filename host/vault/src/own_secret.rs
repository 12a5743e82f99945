use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use toolhost_policy::Secret;

use crate::file::{Reading, SecretFile, Stamp};
use crate::secret_text::read_secret;
use crate::{CredentialError, Source, SourceProblem};

/// A secret of the host's own, such as the one that it shows to a broker. No tenant's.
///
/// A file is read again when it has changed, a variable once.
pub(crate) struct OwnSecret(Kept);

enum Kept {
    Variable(Arc<Secret>),
    File {
        file: SecretFile,
        last: ArcSwapOption<(Stamp, Arc<Secret>)>,
    },
}

impl OwnSecret {
    /// Reads it once, so that a start fails where it is not there.
    ///
    /// # Errors
    /// The source gives no secret.
    pub(crate) fn new(source: Source) -> Result<Self, SourceProblem> {
        match source {
            Source::Env(name) => {
                let value = std::env::var_os(name).ok_or(SourceProblem::Unset)?;
                let secret = read_secret(value.as_bytes())?;
                Ok(Self(Kept::Variable(Arc::new(secret))))
            }
            Source::File(path) => {
                let file = SecretFile::new(path);
                file.read()?;
                let last = ArcSwapOption::empty();
                Ok(Self(Kept::File { file, last }))
            }
        }
    }

    /// What it is now.
    pub(crate) async fn read(&self) -> Result<Arc<Secret>, CredentialError> {
        let (file, last) = match &self.0 {
            Kept::Variable(secret) => return Ok(Arc::clone(secret)),
            Kept::File { file, last } => (file, last),
        };
        if let Some((stamp, secret)) = last.load().as_deref()
            && file.is_unchanged(stamp)
        {
            return Ok(Arc::clone(secret));
        }
        let unusable =
            |_: SourceProblem| CredentialError::Unavailable("a secret of the host's own cannot be read");
        let opened = file.clone();
        let reading = tokio::task::spawn_blocking(move || opened.read()).await;
        let Reading { secret, stamp } = reading
            .map_err(|_| CredentialError::Unavailable("a secret of the host's own was not read"))?
            .map_err(unusable)?;
        let secret = Arc::new(secret);
        last.store(stamp.map(|stamp| Arc::new((stamp, Arc::clone(&secret)))));
        Ok(secret)
    }
}

impl fmt::Debug for OwnSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnSecret(…)")
    }
}
