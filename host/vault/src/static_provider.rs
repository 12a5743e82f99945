use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use toolhost_identity::{Operator, TenantId, TenantSpace};
use toolhost_policy::{ConnectionName, Secret, UnixTime};

use crate::attributes::check_attributes;
use crate::credential::{is_before, next_version};
use crate::file::{FileStamp, SecretFile};
use crate::{
    AttributeError, Credential, CredentialError, CredentialKey, CredentialProvider,
    CredentialRequest, SecretSource, SourceProblem, UserId,
};
use toolhost_policy::read_secret;

/// One credential as the operator's configuration has it.
#[derive(Debug, Clone)]
pub struct StaticCredential {
    /// Whose.
    pub tenant: TenantId,
    /// For which connection.
    pub connection: ConnectionName,
    /// Whose among the tenant's users; `None` for the tenant's own. A tenant's own is never used
    /// where the connection asks for a user's.
    pub user: Option<UserId>,
    /// Where the secret is.
    pub source: SecretSource,
    /// What goes with it, such as `external_tenant_id`.
    pub attributes: BTreeMap<String, String>,
    /// When it ends, in Unix seconds.
    pub expires_at: Option<u64>,
}

/// Why a list of credentials is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StaticProviderError {
    /// Two for one tenant, connection and user.
    #[error("there are two credentials for {0}")]
    Twice(String),
    /// An attribute that could not stand in a header field.
    #[error("{key}: {refused}")]
    Attribute {
        /// Of which credential.
        key: String,
        /// Which, and why.
        refused: AttributeError,
    },
}

/// A credential that cannot be used as things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialProblem {
    /// `tenant/connection`, and the user where there is one.
    pub key: String,
    /// Where the secret should be.
    pub source: SecretSource,
    /// Why it is not usable.
    pub reason: String,
}

impl fmt::Display for CredentialProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "credential {} ({}): {}",
            self.key, self.source, self.reason
        )
    }
}

/// Credentials in files and in the environment, one for each (tenant, connection[, user]) that the
/// configuration lists.
pub struct StaticProvider {
    entries: HashMap<CredentialKey, StaticEntry>,
}

struct StaticEntry {
    source: SecretSource,
    attributes: BTreeMap<String, String>,
    expires_at: Option<u64>,
    kept: StaticSecret,
}

enum StaticSecret {
    Variable(Result<Arc<Credential>, SourceProblem>),
    File(Arc<WatchedFile>),
}

struct WatchedFile {
    file: SecretFile,
    last: ArcSwapOption<LastRead>,
}

struct LastRead {
    stamp: Option<FileStamp>,
    credential: Arc<Credential>,
}

impl StaticProvider {
    /// Takes the list and reads the environment. Files are read when they are asked for.
    ///
    /// A source that gives no secret refuses its own calls and no others;
    /// [`StaticProvider::problems`] tells which.
    ///
    /// # Errors
    /// Two credentials for one key, or an attribute that could not stand in a header field.
    pub fn new(
        list: impl IntoIterator<Item = StaticCredential>,
    ) -> Result<Self, StaticProviderError> {
        Self::with_environment(list, |name| std::env::var_os(name))
    }

    /// [`StaticProvider::new`] with an environment of the caller's, for a program whose own is not
    /// to be changed.
    ///
    /// # Errors
    /// As [`StaticProvider::new`].
    pub fn with_environment(
        list: impl IntoIterator<Item = StaticCredential>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, StaticProviderError> {
        let mut entries = HashMap::new();
        // The list is the operator's: it stands in the configuration.
        let by = Operator::of_this_process();
        for one in list {
            let key = CredentialKey {
                space: TenantSpace::of_operator(one.tenant, &by),
                connection: one.connection,
                user: one.user,
            };
            check_attributes(&one.attributes).map_err(|refused| {
                StaticProviderError::Attribute {
                    key: key.to_string(),
                    refused,
                }
            })?;
            let kept = match &one.source {
                SecretSource::File(path) => StaticSecret::File(Arc::new(WatchedFile {
                    file: SecretFile::new(path.clone()),
                    last: ArcSwapOption::empty(),
                })),
                SecretSource::Env(name) => StaticSecret::Variable(
                    read_variable(variable(name))
                        .map(|secret| credential(secret, &one.attributes, one.expires_at)),
                ),
            };
            let entry = StaticEntry {
                source: one.source,
                attributes: one.attributes,
                expires_at: one.expires_at,
                kept,
            };
            let name = key.to_string();
            if entries.insert(key, entry).is_some() {
                return Err(StaticProviderError::Twice(name));
            }
        }
        Ok(Self { entries })
    }

    /// Tries every source and lists those that give nothing, for a start, a reload or
    /// `host doctor`. Sorted by key.
    #[must_use]
    pub fn problems(&self) -> Vec<CredentialProblem> {
        let mut problems: Vec<CredentialProblem> = self
            .entries
            .iter()
            .filter_map(|(key, entry)| {
                let reason = entry.problem()?;
                Some(CredentialProblem {
                    key: key.to_string(),
                    source: entry.source.clone(),
                    reason,
                })
            })
            .collect();
        problems.sort_by(|a, b| a.key.cmp(&b.key));
        problems
    }
}

impl StaticEntry {
    fn problem(&self) -> Option<String> {
        if !is_before(UnixTime::now(), self.expires_at) {
            return Some("it has expired (`expires_at`)".to_owned());
        }
        match &self.kept {
            StaticSecret::Variable(read) => read.as_ref().err().map(ToString::to_string),
            StaticSecret::File(watched) => {
                watched.file.read().err().map(|problem| problem.to_string())
            }
        }
    }

    async fn credential(&self) -> Result<Arc<Credential>, SourceProblem> {
        let watched = match &self.kept {
            StaticSecret::Variable(read) => return read.clone(),
            StaticSecret::File(watched) => watched,
        };
        if let Some(known) = watched.last_if_unchanged() {
            return Ok(known);
        }
        // A slow disk must not hold up the other calls of this thread.
        let file = watched.file.clone();
        let reading = tokio::task::spawn_blocking(move || file.read())
            .await
            .map_err(|_| SourceProblem::Unreadable(std::io::ErrorKind::Interrupted))??;
        Ok(watched.keep(
            reading.secret,
            reading.stamp,
            &self.attributes,
            self.expires_at,
        ))
    }
}

impl WatchedFile {
    /// The credential last read, where a `stat` proves that it still holds.
    fn last_if_unchanged(&self) -> Option<Arc<Credential>> {
        let last = self.last.load();
        let last = last.as_ref()?;
        let stamp = last.stamp.as_ref()?;
        self.file
            .is_unchanged(stamp)
            .then(|| last.credential.clone())
    }

    /// Keeps what was read. The same secret again keeps its version, so that nothing built from it
    /// is built again.
    fn keep(
        &self,
        secret: Secret,
        stamp: Option<FileStamp>,
        attributes: &BTreeMap<String, String>,
        expires_at: Option<u64>,
    ) -> Arc<Credential> {
        let same = self
            .last
            .load_full()
            .filter(|last| last.credential.secret.expose() == secret.expose());
        let credential = match same {
            Some(last) => last.credential.clone(),
            None => credential(secret, attributes, expires_at),
        };
        self.last.store(Some(Arc::new(LastRead {
            stamp,
            credential: credential.clone(),
        })));
        credential
    }
}

#[async_trait]
impl CredentialProvider for StaticProvider {
    async fn fetch(
        &self,
        request: CredentialRequest<'_>,
    ) -> Result<Arc<Credential>, CredentialError> {
        let entry = self
            .entries
            .get(request.key)
            .ok_or(CredentialError::NotConnected)?;
        if !is_before(UnixTime::now(), entry.expires_at) {
            return Err(CredentialError::Expired);
        }
        entry
            .credential()
            .await
            .map_err(|problem| CredentialError::Unavailable(problem.reason()))
    }
}

impl fmt::Debug for StaticProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.entries.keys().map(ToString::to_string))
            .finish()
    }
}

fn credential(
    secret: Secret,
    attributes: &BTreeMap<String, String>,
    expires_at: Option<u64>,
) -> Arc<Credential> {
    Arc::new(Credential {
        secret,
        attributes: attributes.clone(),
        expires_at,
        version: next_version(),
    })
}

pub(crate) fn read_variable(value: Option<OsString>) -> Result<Secret, SourceProblem> {
    let value = value.ok_or(SourceProblem::Unset)?;
    Ok(read_secret(value.as_bytes())?)
}
