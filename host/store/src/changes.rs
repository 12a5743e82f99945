//! What other hosts change, for whoever keeps something of it in memory.

use std::time::Instant;

use tokio::sync::{broadcast, watch};
use toolhost_identity::TenantId;

use crate::{Key, Table};

/// What a listener is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Some record of a table was changed, by any host, this one included.
    Changed(RecordChange),
    /// From now on changes may be missed: nothing that is kept in memory is to be believed.
    Lost,
    /// Changes are told again. What was kept in memory before is older than what was missed.
    Resumed,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordChange {
    /// Whose space it is in; the host's own where it is nobody's.
    pub tenant: Option<TenantId>,
    /// What kind of record.
    pub table: Table,
    /// Which record; any of the table where it is not told.
    pub key: Option<Key>,
}

/// A subscription to what hosts on one store change.
///
/// Told are the tables that are kept in memory ([`Table::is_announced`]), in the order in which the
/// changes were made. A change is told after it can be read. A listener that falls behind is told
/// that it has missed some: [`Notice::Lost`] and then [`Notice::Resumed`].
#[derive(Debug)]
pub struct ChangeSubscription {
    notices: broadcast::Receiver<Notice>,
    confirmed: watch::Receiver<Option<Instant>>,
    /// What is told before anything else.
    first: Option<Notice>,
}

impl ChangeSubscription {
    pub(crate) fn new(
        notices: broadcast::Receiver<Notice>,
        confirmed: watch::Receiver<Option<Instant>>,
    ) -> Self {
        let is_lost = confirmed.borrow().is_none();
        let first = is_lost.then_some(Notice::Lost);
        Self {
            notices,
            confirmed,
            first,
        }
    }

    /// The next change, or that there is no knowing. `None`: the store is gone. A dropped future
    /// misses nothing.
    pub async fn next(&mut self) -> Option<Notice> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        match self.notices.recv().await {
            Ok(notice) => Some(notice),
            Err(broadcast::error::RecvError::Lagged(_)) => {
                let is_heard = self.confirmed.borrow().is_some();
                self.first = is_heard.then_some(Notice::Resumed);
                Some(Notice::Lost)
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// Every change that was made before this moment has been told or waits in
    /// [`ChangeSubscription::next`]. `None`: nobody listens to the server now. It moves on several
    /// times a second; where it is older than a cache can bear, the cache asks the store.
    #[must_use]
    pub fn confirmed_at(&self) -> Option<Instant> {
        *self.confirmed.borrow()
    }
}
