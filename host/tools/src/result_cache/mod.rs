//! Results that are given again for an equal call, where the tool says that they may be.
//!
//! Only complete results of tools that change nothing. A hit is found under everything that the
//! result could depend on ([`key`]), so what is another's, of another credential or of before a
//! switch is not found; every check of a call is made on a hit too.

mod key;
mod result_table;

use std::sync::Arc;
use std::time::{Duration, Instant};

use toolhost_egress::{CredentialVersions, Egress};
use toolhost_identity::Binding;
use toolhost_policy::{OperationMode, PublicError};

use key::{ResultKey, key};
use result_table::ResultTable;

use crate::CallOutcome;
use crate::catalogue_entry::CatalogueEntry;

/// How long asking for a credential's version may take before a call is made without looking.
const PATIENCE: Duration = Duration::from_secs(5);

/// The results that are kept in this process.
#[derive(Debug)]
pub(crate) struct ResultCache {
    is_on: bool,
    kept: ResultTable,
}

/// A call that was checked as every call is, and is not made yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheLookup<'a> {
    pub(crate) egress: &'a Egress,
    pub(crate) binding: &'a Binding,
    pub(crate) offered: &'a CatalogueEntry,
    /// Of the catalogue.
    pub(crate) revision: u64,
    /// How far the call may go.
    pub(crate) mode: OperationMode,
    /// It goes on with answers, which say more than its arguments.
    pub(crate) is_resumed: bool,
}

/// What a call came to, and how long that was.
type SizedOutcome = Result<(CallOutcome, u64), PublicError>;

/// Where a result is to be kept, and which credentials it may come from.
#[derive(Debug)]
pub(crate) struct CacheTarget {
    key: ResultKey,
    ttl: Duration,
    versions: CredentialVersions,
}

impl ResultCache {
    pub(crate) fn new(is_on: bool) -> Self {
        Self {
            is_on,
            kept: ResultTable::default(),
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.kept.clear();
    }

    /// The result of an equal call where there is one, else what `run` comes to; and whether it was
    /// kept.
    pub(crate) async fn or_run<F: Future<Output = SizedOutcome>>(
        &self,
        asked: CacheLookup<'_>,
        arguments: String,
        run: impl FnOnce(String) -> F,
    ) -> (SizedOutcome, bool) {
        let Some(wanted) = self.cache_target(asked, &arguments).await else {
            return (run(arguments).await, false);
        };
        if let Some((output, bytes)) = self.kept.get(&wanted.key, Instant::now()) {
            return (Ok((CallOutcome::Complete((*output).clone()), bytes)), true);
        }
        let ended = run(arguments).await;
        self.keep(asked, wanted, &ended).await;
        (ended, false)
    }

    /// Where the result of a call is to be kept and looked for; nowhere for most tools.
    async fn cache_target(&self, asked: CacheLookup<'_>, arguments: &str) -> Option<CacheTarget> {
        let rule = asked.offered.entry.cache?;
        if !self.is_on || asked.is_resumed {
            return None;
        }
        let versions = asked.versions().await;
        let key = key(asked, arguments, rule, &versions)?;
        let ttl = rule.ttl;
        Some(CacheTarget { key, ttl, versions })
    }

    /// Never an error or a question, and never what came of credentials that changed while it was
    /// made.
    async fn keep(&self, asked: CacheLookup<'_>, wanted: CacheTarget, ended: &SizedOutcome) {
        let Ok((CallOutcome::Complete(output), bytes)) = ended else {
            return;
        };
        if asked.versions().await != wanted.versions {
            return;
        }
        let (space, end) = (asked.binding.space(), Instant::now() + wanted.ttl);
        self.kept
            .put(space, wanted.key, Arc::new(output.clone()), *bytes, end);
    }
}

impl CacheLookup<'_> {
    /// Of the credentials that the call would send now.
    async fn versions(&self) -> CredentialVersions {
        let deadline = Instant::now() + PATIENCE;
        let grant = &self.offered.served.grant;
        self.egress
            .credential_versions(self.binding, grant, deadline)
            .await
    }
}
