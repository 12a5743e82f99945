use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use toolhost_policy::Secret;

use crate::file::{FileStamp, SecretFile, StampedSecret};
use crate::{CredentialError, SecretSource, SourceProblem};
use toolhost_policy::read_secret;

/// A secret of the host's own, such as the one that it shows to a broker. No tenant's.
///
/// A file is read again when it has changed, a variable once.
pub(crate) struct OwnSecret(OwnSecretValue);

enum OwnSecretValue {
    Variable(Arc<Secret>),
    File {
        file: SecretFile,
        last: ArcSwapOption<(FileStamp, Arc<Secret>)>,
    },
}

impl OwnSecret {
    /// Reads it once, so that a start fails where it is not there.
    ///
    /// # Errors
    /// The source gives no secret.
    pub(crate) fn new(source: SecretSource) -> Result<Self, SourceProblem> {
        match source {
            SecretSource::Env(name) => {
                let value = std::env::var_os(name).ok_or(SourceProblem::Unset)?;
                let secret = read_secret(value.as_bytes())?;
                Ok(Self(OwnSecretValue::Variable(Arc::new(secret))))
            }
            SecretSource::File(path) => {
                let file = SecretFile::new(path);
                file.read()?;
                let last = ArcSwapOption::empty();
                Ok(Self(OwnSecretValue::File { file, last }))
            }
        }
    }

    /// What it is now.
    pub(crate) async fn read(&self) -> Result<Arc<Secret>, CredentialError> {
        let (file, last) = match &self.0 {
            OwnSecretValue::Variable(secret) => return Ok(Arc::clone(secret)),
            OwnSecretValue::File { file, last } => (file, last),
        };
        if let Some((stamp, secret)) = last.load().as_deref()
            && file.is_unchanged(stamp)
        {
            return Ok(Arc::clone(secret));
        }
        let unusable = |_: SourceProblem| {
            CredentialError::Unavailable("a secret of the host's own cannot be read")
        };
        let opened = file.clone();
        let reading = tokio::task::spawn_blocking(move || opened.read()).await;
        let StampedSecret { secret, stamp } = reading
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
