use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::sync::Mutex;
use toolhost_identity::{Directory, Principal, Tenant, TenantId, Tree};
use toolhost_store::{Space, Store, StoreError};

use super::{DirectoryError, TenantDirectory, record};
use crate::{Clock, SystemClock};

/// How long a tree is believed that cannot be confirmed, in milliseconds.
pub const DIRECTORY_MAX_AGE: u64 = 60_000;
/// How often the tree is confirmed where other hosts may change it, in milliseconds: what one host
/// revokes, the others refuse within this time.
const CONFIRM_AFTER: u64 = 1_000;
/// How long a failure to confirm the tree is told to those who come after it, in milliseconds:
/// callers that waited for a store that does not answer do not ask it one after another.
const FAILURE_MAX_AGE: u64 = 1_000;
/// How often a tree is read that changes while it is read.
const READ_ATTEMPTS: usize = 8;

/// Who else changes the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Nobody: this process owns the store.
    Sole,
    /// Other hosts do. The tree is confirmed once a second, and refused when it could not be for 60
    /// s.
    Shared,
}

/// The tenants in the store, as a tree in memory that each change replaces in one step.
#[derive(Debug)]
pub struct StoredDirectory {
    pub(super) store: Arc<dyn Store>,
    snapshot: ArcSwap<DirectorySnapshot>,
    adopting: std::sync::Mutex<()>,
    confirming: Mutex<Option<ConfirmFailure>>,
    confirmed_at: AtomicU64,
    freshness: Freshness,
    clock: Arc<dyn Clock>,
}

/// The tree could not be confirmed, and when that was, in milliseconds.
#[derive(Debug, Clone)]
struct ConfirmFailure {
    at: u64,
    error: DirectoryError,
}

/// A state of the directory.
#[derive(Debug)]
pub(super) struct DirectorySnapshot {
    pub(super) tree: Arc<Tree>,
    /// The version of the head record; `None` where nothing was ever changed.
    pub(super) head: Option<u64>,
}

impl StoredDirectory {
    /// Reads the tenants.
    ///
    /// # Errors
    /// The store does not answer, or what it holds is no tree.
    pub async fn open(store: Arc<dyn Store>, freshness: Freshness) -> Result<Self, DirectoryError> {
        Self::with_clock(store, freshness, Arc::new(SystemClock::default())).await
    }

    /// Opens the directory with another clock.
    ///
    /// # Errors
    /// As [`StoredDirectory::open`].
    pub async fn with_clock(
        store: Arc<dyn Store>,
        freshness: Freshness,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DirectoryError> {
        let snapshot = load(store.as_ref()).await?;
        Ok(Self {
            store,
            snapshot: ArcSwap::from_pointee(snapshot),
            adopting: std::sync::Mutex::default(),
            confirming: Mutex::default(),
            confirmed_at: AtomicU64::new(clock.elapsed_millis()),
            freshness,
            clock,
        })
    }

    /// Reads the directory again if another host has changed it.
    ///
    /// # Errors
    /// As [`StoredDirectory::open`]; the tree stays as it was.
    pub async fn refresh(&self) -> Result<(), DirectoryError> {
        let now = self.clock.elapsed_millis();
        let (head, _) = head(self.store.as_ref()).await?;
        if head != self.snapshot.load().head {
            self.adopt(load(self.store.as_ref()).await?);
        }
        self.confirmed_at.fetch_max(now, Ordering::AcqRel);
        Ok(())
    }

    pub(super) fn snapshot(&self) -> Arc<DirectorySnapshot> {
        self.snapshot.load_full()
    }

    /// Takes a newer state. Two changes that end in the other order leave the newer one.
    pub(super) fn adopt(&self, newer: DirectorySnapshot) {
        let _one = self
            .adopting
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if newer.head > self.snapshot.load().head {
            self.snapshot.store(Arc::new(newer));
        }
    }

    fn age(&self) -> u64 {
        let confirmed = self.confirmed_at.load(Ordering::Acquire);
        self.clock.elapsed_millis().saturating_sub(confirmed)
    }

    fn is_fresh(&self) -> bool {
        self.freshness == Freshness::Sole || self.age() < CONFIRM_AFTER
    }
}

impl Directory for StoredDirectory {
    fn tree(&self) -> Arc<Tree> {
        Arc::clone(&self.snapshot.load().tree)
    }
}

#[async_trait]
impl TenantDirectory for StoredDirectory {
    fn cached_tree(&self, _principal: &Principal) -> Option<Arc<Tree>> {
        self.is_fresh().then(|| self.tree())
    }

    async fn tree_for(&self, _principal: &Principal) -> Result<Arc<Tree>, DirectoryError> {
        let mut last_failure = self.confirming.lock().await;
        if !self.is_fresh() {
            let now = self.clock.elapsed_millis();
            let recent = last_failure
                .take()
                .filter(|failure| now.saturating_sub(failure.at) < FAILURE_MAX_AGE);
            let result = match recent {
                Some(failure) => {
                    let error = failure.error.clone();
                    *last_failure = Some(failure);
                    Err(error)
                }
                None => self.refresh().await.inspect_err(|error| {
                    tracing::warn!(%error, "the directory of tenants could not be confirmed");
                    *last_failure = Some(ConfirmFailure {
                        at: self.clock.elapsed_millis(),
                        error: error.clone(),
                    });
                }),
            };
            if let Err(error) = result
                && (self.age() >= DIRECTORY_MAX_AGE || matches!(error, DirectoryError::Damaged(_)))
            {
                return Err(error);
            }
        }
        Ok(self.tree())
    }
}

/// The version of the head record, and how many tenants were ever removed.
async fn head(store: &dyn Store) -> Result<(Option<u64>, u64), DirectoryError> {
    let Some(record) = store.get(&Space::Host, &record::head()?).await? else {
        return Ok((None, 0));
    };
    let removals = record::removals(&record.value)?;
    Ok((Some(record.version), removals))
}

/// Reads all tenants as they were at one revision.
pub(super) async fn load(store: &dyn Store) -> Result<DirectorySnapshot, DirectoryError> {
    for _ in 0..READ_ATTEMPTS {
        let before = head(store).await?;
        let (tenants, incarnations) = read_all(store).await?;
        if head(store).await? == before {
            let (head, removals) = before;
            let tree = Tree::new(head.unwrap_or_default(), tenants)
                .map_err(|error| DirectoryError::Damaged(error.to_string()))?;
            return Ok(DirectorySnapshot {
                tree: Arc::new(
                    tree.after_removals(removals)
                        .with_incarnations(incarnations),
                ),
                head,
            });
        }
    }
    Err(DirectoryError::Unavailable("it changes without end".into()))
}

async fn read_all(
    store: &dyn Store,
) -> Result<(Vec<Tenant>, HashMap<TenantId, u64>), DirectoryError> {
    let (mut tenants, mut incarnations) = (Vec::new(), HashMap::new());
    let mut scan = record::scan();
    loop {
        let page = store.scan(&Space::Host, &scan).await?;
        for found in &page.found {
            let (tenant, incarnation) = record::read(found.key.name(), &found.record.value)?;
            if incarnation > 0 {
                incarnations.insert(tenant.id.clone(), incarnation);
            }
            tenants.push(tenant);
        }
        match page.found.last().filter(|_| page.more) {
            Some(last) => scan = record::scan().after(last.key.name()),
            None => return Ok((tenants, incarnations)),
        }
    }
}

impl From<StoreError> for DirectoryError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt { .. } => Self::Damaged(error.to_string()),
            error => Self::Unavailable(error.to_string()),
        }
    }
}
