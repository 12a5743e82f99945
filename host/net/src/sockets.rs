//! How many sockets to outside systems there may be, and whose.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::key::ConnectionOwner;

/// Sockets where nothing else is said: twice those of 64 calls with 32 requests each, which are the
/// defaults of both, so that one tenant may have those.
pub(crate) const DEFAULT_SOCKETS: usize = 4_096;

/// Sockets that a tenant may always have where it has none: one for its call, and one for that
/// call's credential.
const FOR_A_NEWCOMER: usize = 2;

/// How long a connection waits for a socket: well within the time that connecting may take, so that
/// the reason is told.
const PATIENCE: Duration = Duration::from_secs(3);

/// A connection pool whose idle connections can be closed. Those in use go on.
pub(crate) trait IdleConnections: Send + Sync {
    fn close_idle(&self);
}

/// Counts the sockets that are open to outside systems, idle ones included: each is a file of the
/// process, and the store, the audit chains and the transports need some as well.
///
/// Where a tenant may have no more, its idle connections are closed; where nobody may, everybody's
/// are. A tenant has at most half of all, and the last quarter is for those that have next to none,
/// so that whatever others do, a newcomer gets one.
pub(crate) struct Sockets {
    most: usize,
    state: Mutex<SocketCounts>,
    closed: Notify,
}

#[derive(Default)]
struct SocketCounts {
    open: usize,
    of: HashMap<ConnectionOwner, usize>,
    pools: Vec<(ConnectionOwner, Weak<dyn IdleConnections>)>,
}

/// A place for one socket; free again when this is dropped.
pub(crate) struct SocketPermit {
    sockets: Arc<Sockets>,
    space: ConnectionOwner,
}

impl Sockets {
    /// At most so many, and at least eight.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most: most.max(8),
            state: Mutex::default(),
            closed: Notify::new(),
        })
    }

    /// A pool whose idle connections are closed where sockets are short.
    pub(crate) fn add_pool(&self, space: &ConnectionOwner, pool: Weak<dyn IdleConnections>) {
        let mut state = self.state();
        state.pools.retain(|(_, pool)| pool.strong_count() > 0);
        state.pools.push((space.clone(), pool));
    }

    /// A place for one socket more, after a wait of at most [`PATIENCE`]; `None` where there was
    /// none.
    pub(crate) async fn open(self: &Arc<Self>, space: &ConnectionOwner) -> Option<SocketPermit> {
        let waiting = async {
            loop {
                let closed = self.closed.notified();
                tokio::pin!(closed);
                // From here on a socket that is closed is seen.
                closed.as_mut().enable();
                if let Some(permit) = self.try_open(space) {
                    return permit;
                }
                self.close_idle(space);
                closed.await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.ok()
    }

    fn try_open(self: &Arc<Self>, space: &ConnectionOwner) -> Option<SocketPermit> {
        let mut state = self.state();
        let own = state.of.get(space).copied().unwrap_or(0);
        let shared = own < self.most / 2 && state.open < self.most - self.most / 4;
        if !shared && (own >= FOR_A_NEWCOMER || state.open >= self.most) {
            return None;
        }
        state.open += 1;
        *state.of.entry(space.clone()).or_default() += 1;
        Some(SocketPermit {
            sockets: Arc::clone(self),
            space: space.clone(),
        })
    }

    /// Closes the idle connections of a tenant that may have no more for its own sake, else those
    /// of everybody.
    fn close_idle(&self, space: &ConnectionOwner) {
        let state = self.state();
        let is_own = state.of.get(space).copied().unwrap_or(0) >= self.most / 2;
        let pools: Vec<_> = state
            .pools
            .iter()
            .filter(|(of, _)| !is_own || of == space)
            .filter_map(|(_, pool)| pool.upgrade())
            .collect();
        drop(state);
        pools.iter().for_each(|pool| pool.close_idle());
    }

    /// Each change is made whole: nothing in one panics.
    fn state(&self) -> MutexGuard<'_, SocketCounts> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SocketPermit {
    fn drop(&mut self) {
        let mut state = self.sockets.state();
        state.open -= 1;
        if let Some(own) = state.of.get_mut(&self.space) {
            *own -= 1;
            if *own == 0 {
                state.of.remove(&self.space);
            }
        }
        drop(state);
        self.sockets.closed.notify_waiters();
    }
}

impl std::fmt::Debug for Sockets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sockets")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SocketPermit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketPermit").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::{IdleConnections, SocketPermit, Sockets};
    use crate::key::ConnectionOwner;

    fn tenant(number: usize) -> ConnectionOwner {
        ConnectionOwner::Tenant(number.to_string().into())
    }

    fn take_all(sockets: &Arc<Sockets>, space: &ConnectionOwner) -> Vec<SocketPermit> {
        std::iter::from_fn(|| sockets.try_open(space)).collect()
    }

    #[test]
    fn whatever_other_tenants_hold_another_one_gets_a_socket() {
        let sockets = Sockets::new(64);
        let first = take_all(&sockets, &tenant(0));
        assert_eq!(first.len(), 32);
        let mut held = vec![first];
        for number in 1..=8 {
            held.push(take_all(&sockets, &tenant(number)));
        }
        assert!(held.iter().all(|held| held.len() >= 2));
        assert!(
            sockets.try_open(&tenant(9)).is_some()
                && sockets.try_open(&ConnectionOwner::Host).is_some()
        );
        drop(held);
        assert!(sockets.state().of.is_empty() && sockets.state().open == 0);
        assert_eq!(take_all(&sockets, &tenant(1)).len(), 32);
    }

    struct Idle(Mutex<Vec<SocketPermit>>);

    impl IdleConnections for Idle {
        fn close_idle(&self) {
            self.0.lock().unwrap().clear();
        }
    }

    #[tokio::test]
    async fn idle_connections_give_way_a_tenants_own_first() {
        let sockets = Sockets::new(8);
        let idle = |number| {
            let pool: Arc<Idle> = Arc::new(Idle(Mutex::new(take_all(&sockets, &tenant(number)))));
            let weak = Arc::downgrade(&pool);
            sockets.add_pool(&tenant(number), weak);
            pool
        };
        let (own, other) = (idle(0), idle(1));
        let left = |pool: &Idle| pool.0.lock().unwrap().len();
        assert_eq!((left(&own), left(&other)), (4, 2));
        let one = sockets.open(&tenant(0)).await;
        assert!(one.is_some() && left(&own) == 0 && left(&other) == 2);
        let used = [
            take_all(&sockets, &tenant(0)),
            take_all(&sockets, &tenant(2)),
        ];
        assert!(used.iter().all(|used| !used.is_empty()) && sockets.try_open(&tenant(3)).is_none());
        assert!(sockets.open(&tenant(3)).await.is_some() && left(&other) == 0);
    }

    #[tokio::test]
    async fn who_waits_for_a_socket_gets_one_that_is_closed() {
        let sockets = Sockets::new(8);
        let mut held = take_all(&sockets, &tenant(0));
        let waiting = tokio::spawn({
            let sockets = Arc::clone(&sockets);
            async move { sockets.open(&tenant(0)).await.is_some() }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        held.pop();
        assert!(waiting.await.unwrap());
    }
}
