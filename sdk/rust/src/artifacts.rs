use std::time::Duration;

use crate::{Content, Failure, host};

/// Bytes that a caller can fetch after the call. What one plugin keeps, no other plugin and no
/// other customer can name.
///
/// ```
/// use toolhost_sdk::{Artifacts, Call, Failure, Output};
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct NoArguments {}
///
/// fn export(_: NoArguments, _: &Call) -> Result<Output, Failure> {
///     let kept = Artifacts::personal().name("invoices.csv").put("text/csv", b"id,amount\n".to_vec())?;
///     Ok(Output::text("Exported.").with(kept.link()))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Artifacts {
    scope: &'static str,
    name: Option<String>,
    ttl: Option<Duration>,
}

/// The id of an artifact that was stored, and what a link to it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredArtifact {
    /// 32 lower-case hexadecimal digits, drawn by the host.
    pub id: String,
    name: Option<String>,
    mime_type: String,
}

/// An artifact with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// A file name for it.
    pub name: Option<String>,
    /// Its media type.
    pub mime_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Artifacts {
    /// For every caller of one customer.
    #[must_use]
    pub const fn shared() -> Self {
        Self::in_scope("shared")
    }

    /// For the same caller only.
    #[must_use]
    pub const fn personal() -> Self {
        Self::in_scope("personal")
    }

    const fn in_scope(scope: &'static str) -> Self {
        Self {
            scope,
            name: None,
            ttl: None,
        }
    }

    /// A file name for it: 1 to 255 bytes, without slashes and control characters.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How long it is stored: 1 second to 7 days [default: 1 day].
    #[must_use]
    pub const fn keep_for(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Stores bytes (at most 16 MiB, and no more than one host call may carry, 4 MiB by default).
    ///
    /// # Errors
    /// `invalid-arguments`, `limit` or `failed`.
    pub fn put(
        self,
        mime_type: impl Into<String>,
        bytes: Vec<u8>,
    ) -> Result<StoredArtifact, Failure> {
        let mime_type = mime_type.into();
        let wanted = host::artifacts::NewArtifact {
            scope: self.scope.to_owned(),
            name: self.name.clone(),
            mime_type: mime_type.clone(),
            bytes,
            ttl_ms: self
                .ttl
                .map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)),
            meta: Vec::new(),
        };
        Ok(StoredArtifact {
            id: host::artifacts::put(&wanted)?,
            name: self.name,
            mime_type,
        })
    }

    /// An artifact of this plugin; `None` if it is another caller's, has expired or never existed.
    ///
    /// # Errors
    /// `limit` or `failed`.
    pub fn get(id: &str) -> Result<Option<Artifact>, Failure> {
        let found = host::artifacts::get(id)?;
        Ok(found.map(|found| Artifact {
            name: found.name,
            mime_type: found.mime_type,
            bytes: found.bytes,
        }))
    }

    /// Removes an artifact; returns whether there was one.
    ///
    /// # Errors
    /// `limit` or `failed`.
    pub fn delete(id: &str) -> Result<bool, Failure> {
        Ok(host::artifacts::delete(id)?)
    }
}

impl StoredArtifact {
    /// A link to it, for a result: a caller that may read it fetches it from the host.
    #[must_use]
    pub fn link(&self) -> Content {
        Content::ResourceLink {
            uri: format!("artifact:{}", self.id),
            name: self.name.clone().unwrap_or_else(|| self.id.clone()),
            mime_type: Some(self.mime_type.clone()),
        }
    }
}
