use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// The bounds of an [`AdmissionQueue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Places in all.
    pub places: usize,
    /// Places that one share may have at a time. The rest stays free for the other shares.
    pub places_per_share: usize,
    /// Requests of one share that may wait. One more makes the share's oldest give up.
    pub waiting_per_share: usize,
    /// Requests of all shares that may wait. One more of a share that has few makes the oldest of
    /// the share with the most give up.
    pub waiting: usize,
    /// How long one waits at most.
    pub wait: Duration,
}

/// There is no place, and there was none for as long as one may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many of the kind are under way or waiting")]
pub struct OverloadError;

/// Lets a bounded number of operations run at once and divides the places between shares (a source
/// address, a tenant).
///
/// A free place goes to the shares that wait in turn, so that a share with a thousand requests
/// delays another share by one operation, not by a thousand. Within a share the *newest* request
/// goes first (adaptive LIFO): under a flood the oldest are those whose clients have given up, and
/// a request that comes after a burst does not wait for all of it. Nobody waits longer than
/// [`AdmissionLimits::wait`], and what is over the bounds is refused at once.
pub struct AdmissionQueue<K> {
    limits: AdmissionLimits,
    state: Arc<Mutex<QueueState<K>>>,
}

/// A place; it is free again when this is dropped.
pub struct AdmissionPermit<K: Clone + Eq + Hash> {
    share: K,
    limits: AdmissionLimits,
    state: Arc<Mutex<QueueState<K>>>,
}

struct QueueState<K> {
    in_use: usize,
    waiting: usize,
    shares: HashMap<K, Share>,
    /// The shares that wait, in the order of their turns, each once.
    turns: VecDeque<K>,
}

#[derive(Default)]
struct Share {
    in_use: usize,
    /// Newest last.
    waiting: VecDeque<oneshot::Sender<()>>,
}

impl<K: Clone + Eq + Hash> AdmissionQueue<K> {
    /// With nothing under way.
    #[must_use]
    pub fn new(limits: AdmissionLimits) -> Self {
        Self {
            limits,
            state: Arc::new(Mutex::new(QueueState {
                in_use: 0,
                waiting: 0,
                shares: HashMap::new(),
                turns: VecDeque::new(),
            })),
        }
    }

    /// A place of this share, if there is one now.
    ///
    /// # Errors
    /// There is none.
    pub fn try_admit(&self, share: &K) -> Result<AdmissionPermit<K>, OverloadError> {
        if lock(&self.state).take(share, &self.limits) {
            Ok(self.permit(share))
        } else {
            Err(OverloadError)
        }
    }

    /// A place of this share, after a wait of at most [`AdmissionLimits::wait`].
    ///
    /// # Errors
    /// There was none in time, or too many wait already.
    pub async fn admit(&self, share: &K) -> Result<AdmissionPermit<K>, OverloadError> {
        let receiver = {
            let mut state = lock(&self.state);
            if state.take(share, &self.limits) {
                return Ok(self.permit(share));
            }
            state.enqueue(share, &self.limits).ok_or(OverloadError)?
        };
        let mut waiter = Waiter {
            share,
            queue: self,
            receiver,
            is_done: false,
        };
        let granted = tokio::time::timeout(self.limits.wait, &mut waiter.receiver).await;
        // A place that was given in the very moment the time ran out is taken.
        let is_granted = matches!(granted, Ok(Ok(()))) || waiter.take_late_grant();
        waiter.is_done = is_granted;
        if is_granted {
            Ok(self.permit(share))
        } else {
            Err(OverloadError)
        }
    }

    fn permit(&self, share: &K) -> AdmissionPermit<K> {
        AdmissionPermit {
            share: share.clone(),
            limits: self.limits,
            state: Arc::clone(&self.state),
        }
    }
}

/// A request that waits. However it ends, a place that was given to it is not lost.
struct Waiter<'a, K: Clone + Eq + Hash> {
    share: &'a K,
    queue: &'a AdmissionQueue<K>,
    receiver: oneshot::Receiver<()>,
    is_done: bool,
}

impl<K: Clone + Eq + Hash> Waiter<'_, K> {
    fn take_late_grant(&mut self) -> bool {
        self.receiver.close();
        self.receiver.try_recv().is_ok()
    }
}

impl<K: Clone + Eq + Hash> Drop for Waiter<'_, K> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        if self.take_late_grant() {
            drop(self.queue.permit(self.share));
        } else {
            lock(&self.queue.state).forget_closed(self.share);
        }
    }
}

impl<K: Clone + Eq + Hash> Drop for AdmissionPermit<K> {
    fn drop(&mut self) {
        lock(&self.state).release(&self.share, &self.limits);
    }
}

impl<K: Clone + Eq + Hash> QueueState<K> {
    fn take(&mut self, share: &K, limits: &AdmissionLimits) -> bool {
        let own = self.shares.get(share).map_or(0, |share| share.in_use);
        let is_free = self.in_use < limits.places && own < limits.places_per_share;
        if is_free {
            self.in_use += 1;
            self.shares.entry(share.clone()).or_default().in_use += 1;
        }
        is_free
    }

    fn enqueue(&mut self, share: &K, limits: &AdmissionLimits) -> Option<oneshot::Receiver<()>> {
        let own = self
            .shares
            .get(share)
            .map_or(0, |share| share.waiting.len());
        if own < limits.waiting_per_share && self.waiting >= limits.waiting && !self.make_room(own)
        {
            return None;
        }
        let entry = self.shares.entry(share.clone()).or_default();
        let (sender, receiver) = oneshot::channel();
        if entry.waiting.is_empty() {
            self.turns.push_back(share.clone());
        }
        if own >= limits.waiting_per_share {
            // Its receiver learns by the dropped sender.
            self.waiting -= usize::from(entry.waiting.pop_front().is_some());
        }
        entry.waiting.push_back(sender);
        self.waiting += 1;
        Some(receiver)
    }

    /// The oldest of the share with the most that wait gives up for one of a share with so few that
    /// it has fewer even then.
    fn make_room(&mut self, own: usize) -> bool {
        let most = self
            .shares
            .values_mut()
            .max_by_key(|share| share.waiting.len());
        let Some(most) = most.filter(|share| share.waiting.len() > own + 1) else {
            return false;
        };
        self.waiting -= usize::from(most.waiting.pop_front().is_some());
        true
    }

    fn release(&mut self, share: &K, limits: &AdmissionLimits) {
        self.in_use = self.in_use.saturating_sub(1);
        if let Some(entry) = self.shares.get_mut(share) {
            entry.in_use = entry.in_use.saturating_sub(1);
            if entry.in_use == 0 && entry.waiting.is_empty() {
                self.shares.remove(share);
            }
        }
        self.advance(limits);
    }

    /// Gives free places to those that wait: each share in its turn, and its newest request first.
    fn advance(&mut self, limits: &AdmissionLimits) {
        let mut passed = 0;
        while self.in_use < limits.places && passed < self.turns.len() {
            let Some(key) = self.turns.pop_front() else {
                return;
            };
            let Some(share) = self.shares.get_mut(&key) else {
                continue;
            };
            if share.in_use >= limits.places_per_share {
                self.turns.push_back(key);
                passed += 1;
                continue;
            }
            let mut is_given = false;
            while let Some(sender) = share.waiting.pop_back() {
                self.waiting = self.waiting.saturating_sub(1);
                if sender.send(()).is_ok() {
                    is_given = true;
                    break;
                }
            }
            if is_given {
                share.in_use += 1;
                self.in_use += 1;
                passed = 0;
            }
            if !share.waiting.is_empty() {
                self.turns.push_back(key);
            } else if share.in_use == 0 {
                self.shares.remove(&key);
            }
        }
    }

    fn forget_closed(&mut self, key: &K) {
        let Some(share) = self.shares.get_mut(key) else {
            return;
        };
        let before = share.waiting.len();
        share.waiting.retain(|sender| !sender.is_closed());
        self.waiting = self.waiting.saturating_sub(before - share.waiting.len());
        if share.waiting.is_empty() {
            let is_unused = share.in_use == 0;
            self.turns.retain(|other| other != key);
            if is_unused {
                self.shares.remove(key);
            }
        }
    }
}

impl<K> fmt::Debug for AdmissionQueue<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmissionQueue")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<K: Clone + Eq + Hash> fmt::Debug for AdmissionPermit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmissionPermit").finish_non_exhaustive()
    }
}

/// Each change is one step, so a panic elsewhere leaves the state whole.
fn lock<K>(state: &Mutex<QueueState<K>>) -> MutexGuard<'_, QueueState<K>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures::FutureExt as _;

    use super::{AdmissionLimits, AdmissionQueue, OverloadError, lock};

    const LIMITS: AdmissionLimits = AdmissionLimits {
        places: 2,
        places_per_share: 1,
        waiting_per_share: 3,
        waiting: 4,
        wait: Duration::from_millis(20),
    };

    /// One place, and nobody's time runs out.
    const PATIENT: AdmissionLimits = AdmissionLimits {
        places: 1,
        wait: Duration::from_secs(600),
        ..LIMITS
    };

    fn is_empty(queue: &AdmissionQueue<&'static str>) -> bool {
        let state = lock(&queue.state);
        state.in_use == 0 && state.waiting == 0 && state.shares.is_empty() && state.turns.is_empty()
    }

    #[tokio::test]
    async fn one_share_cannot_take_the_places_of_another() {
        let queue = AdmissionQueue::new(LIMITS);
        let first = queue.try_admit(&"a").unwrap();
        assert_eq!(queue.try_admit(&"a").unwrap_err(), OverloadError);
        let other = queue.try_admit(&"b").unwrap();
        assert_eq!(queue.try_admit(&"c").unwrap_err(), OverloadError);
        drop((first, other));
        assert!(is_empty(&queue));
    }

    #[tokio::test]
    async fn the_wait_is_bounded_and_leaves_nothing_behind() {
        let queue = AdmissionQueue::new(LIMITS);
        let held = queue.try_admit(&"a").unwrap();
        assert_eq!(queue.admit(&"a").await.unwrap_err(), OverloadError);
        drop(held);
        assert!(is_empty(&queue));
    }

    #[tokio::test]
    async fn shares_take_turns_and_the_newest_of_a_share_goes_first() {
        let queue = Arc::new(AdmissionQueue::new(PATIENT));
        let order = Arc::new(std::sync::Mutex::new(vec![]));
        let held = queue.try_admit(&"z").unwrap();
        let mut tasks = vec![];
        for (share, name) in [("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1")] {
            let (queue, order) = (Arc::clone(&queue), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let permit = queue.admit(&share).await;
                order.lock().unwrap().push(name);
                tokio::task::yield_now().await;
                drop(permit);
            }));
            tokio::task::yield_now().await;
        }
        drop(held);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), ["a3", "b1", "a2", "a1"]);
        assert!(is_empty(&queue));
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_the_oldest_of_the_share_gives_way() {
        let queue = AdmissionQueue::new(PATIENT);
        let held = queue.try_admit(&"a").unwrap();
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(queue.admit(&"a"))).collect();
        let ended: Vec<_> = waiting
            .iter_mut()
            .map(|one| one.as_mut().now_or_never().is_some())
            .collect();
        assert_eq!(ended, [false, false, false, false]);
        assert_eq!(
            waiting[0].as_mut().now_or_never().unwrap().unwrap_err(),
            OverloadError
        );
        // One more of another share is the fourth. Those after it take the places of the share with
        // the most, until each has one.
        let mut others: Vec<_> = ["b", "c", "d"]
            .iter()
            .map(|share| Box::pin(queue.admit(share)))
            .collect();
        assert!(
            others
                .iter_mut()
                .all(|one| one.as_mut().now_or_never().is_none())
        );
        for oldest in &mut waiting[1..3] {
            assert_eq!(
                oldest.as_mut().now_or_never().unwrap().unwrap_err(),
                OverloadError
            );
        }
        assert!(waiting[3].as_mut().now_or_never().is_none());
        assert_eq!(
            queue.admit(&"e").now_or_never().unwrap().unwrap_err(),
            OverloadError
        );
        drop((waiting, others, held));
        assert!(is_empty(&queue));
    }

    #[tokio::test]
    async fn a_place_given_to_one_that_went_away_goes_on() {
        let queue = AdmissionQueue::new(PATIENT);
        let held = queue.try_admit(&"a").unwrap();
        let mut going = Box::pin(queue.admit(&"a"));
        let mut staying = Box::pin(queue.admit(&"b"));
        assert!(
            going.as_mut().now_or_never().is_none() && staying.as_mut().now_or_never().is_none()
        );
        drop(held);
        // The place was given to it, and it never looks.
        drop(going);
        assert!(staying.await.is_ok());
        assert!(is_empty(&queue));
    }
}
