use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::open_chain::OpenChain;
use super::settings::{ChainSettings, Figures};
use super::{Chain, ChainKeys};
use crate::SinkError;

/// The chains that are open, the least recently used of which makes room for another.
#[derive(Debug)]
pub(super) struct OpenChains {
    root: PathBuf,
    keys: Arc<dyn ChainKeys>,
    settings: ChainSettings,
    open: Mutex<HashMap<Chain, CachedChain>>,
    /// Held while a chain is opened or closed: no chain is ever open twice.
    opening: Mutex<()>,
    /// Records that were refused and that their chain does not say so of yet.
    refused: Mutex<HashMap<Chain, u64>>,
    clock: AtomicU64,
    opened: AtomicU64,
    syncs: Arc<AtomicU64>,
}

#[derive(Debug)]
struct CachedChain {
    chain: Arc<OpenChain>,
    at: u64,
}

impl OpenChains {
    pub(super) fn new(root: PathBuf, keys: Arc<dyn ChainKeys>, settings: ChainSettings) -> Self {
        Self {
            root,
            keys,
            settings,
            open: Mutex::default(),
            opening: Mutex::default(),
            refused: Mutex::default(),
            clock: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            syncs: Arc::default(),
        }
    }

    /// A chain that is open and whole. Nothing is opened.
    pub(super) fn find(&self, chain: &Chain) -> Option<Arc<OpenChain>> {
        let mut open = lock(&self.open);
        let used = open.get_mut(chain).filter(|used| !used.chain.is_broken())?;
        used.at = self.clock.fetch_add(1, Ordering::Relaxed);
        Some(Arc::clone(&used.chain))
    }

    /// A chain, opened where it is not. It blocks while the disk answers.
    pub(super) fn open(&self, chain: &Chain) -> Result<Arc<OpenChain>, SinkError> {
        let _one_at_a_time = lock(&self.opening);
        if let Some(open) = self.find(chain) {
            return Ok(open);
        }
        let broken = lock(&self.open).remove(chain);
        if let Some(broken) = broken {
            self.refuse(chain, broken.chain.retire());
        }
        self.make_room();
        let refused = lock(&self.refused).get(chain).copied().unwrap_or(0);
        let opened = OpenChain::open(
            &self.root,
            chain,
            &*self.keys,
            self.settings.segment_bytes,
            refused,
            Arc::clone(&self.syncs),
        );
        let opened = Arc::new(opened?);
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.clear_refused(chain, refused);
        let at = self.clock.fetch_add(1, Ordering::Relaxed);
        let used = CachedChain {
            chain: Arc::clone(&opened),
            at,
        };
        lock(&self.open).insert(chain.clone(), used);
        Ok(opened)
    }

    /// Counts records that are not in their chain.
    pub(super) fn refuse(&self, chain: &Chain, records: u64) {
        if records > 0 {
            *lock(&self.refused).entry(chain.clone()).or_default() += records;
        }
    }

    /// The chain says so now.
    fn clear_refused(&self, chain: &Chain, records: u64) {
        let mut refused = lock(&self.refused);
        if let Some(left) = refused.get_mut(chain) {
            *left = left.saturating_sub(records);
            if *left == 0 {
                refused.remove(chain);
            }
        }
    }

    /// Closes what was not used for longest, until there is room: one whose records are on the
    /// disk, where there is one, so that nobody waits for the disk. What is in use stays.
    fn make_room(&self) {
        loop {
            let closed = {
                let mut open = lock(&self.open);
                if open.len() < self.settings.open_chains.max(1) {
                    return;
                }
                // Clones are made under this lock alone, so that one which nobody else has stays
                // so.
                let idle = open
                    .iter()
                    .filter(|(_, used)| Arc::strong_count(&used.chain) == 1);
                let oldest = idle
                    .min_by_key(|(_, used)| (used.chain.is_dirty(), used.at))
                    .map(|(chain, _)| chain.clone());
                oldest.and_then(|oldest| open.remove_entry(&oldest))
            };
            let Some((chain, used)) = closed else {
                return;
            };
            self.bring_to_disk(&chain, &used.chain);
            self.refuse(&chain, used.chain.retire());
        }
    }

    /// Brings what every open chain holds to the disk.
    pub(super) fn sync_all(&self) {
        let dirty: Vec<Chain> = lock(&self.open)
            .iter()
            .filter(|(_, used)| used.chain.is_dirty() && !used.chain.is_broken())
            .map(|(chain, _)| chain.clone())
            .collect();
        for chain in dirty {
            let open = lock(&self.open)
                .get(&chain)
                .map(|used| Arc::clone(&used.chain));
            if let Some(open) = open {
                self.bring_to_disk(&chain, &open);
            }
        }
    }

    /// A failure is seen by the next record, which opens the chain again.
    fn bring_to_disk(&self, chain: &Chain, open: &OpenChain) {
        if let Err(error) = open.sync() {
            tracing::error!(%chain, %error, "audit records are not on the disk");
        }
    }

    pub(super) fn figures(&self) -> Figures {
        Figures {
            open_chains: lock(&self.open).len(),
            opened: self.opened.load(Ordering::Relaxed),
            syncs: self.syncs.load(Ordering::Relaxed),
        }
    }
}

/// Each of these is changed in one step, so that a panic elsewhere leaves them whole.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
