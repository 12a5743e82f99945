use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::{Shared, WeakShared};

type Flight<V> = Pin<Box<dyn Future<Output = V> + Send>>;

/// Flights remembered before those that have ended are forgotten.
const REMEMBERED: usize = 256;

/// Lets many callers with one question wait for one answer. The operation goes on as long as one of
/// them waits, whichever came first, and is dropped with the last.
pub struct SingleFlight<K, V: Clone> {
    flights: Mutex<HashMap<K, WeakShared<Flight<V>>>>,
}

impl<K: Eq + Hash, V: Clone> SingleFlight<K, V> {
    /// The answer of the operation that is under way for this key, or of this one.
    pub fn join<F>(&self, key: K, operation: impl FnOnce() -> F) -> Shared<Flight<V>>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // One that has ended is not under way: its answer is for the caller to keep, or not.
        let running = flights.get(&key).and_then(WeakShared::upgrade);
        if let Some(flight) = running.filter(|flight| flight.peek().is_none()) {
            return flight;
        }
        if flights.len() >= REMEMBERED {
            flights.retain(|_, flight| {
                flight
                    .upgrade()
                    .is_some_and(|flight| flight.peek().is_none())
            });
        }
        let operation: Flight<V> = Box::pin(operation());
        let flight = operation.shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(key, weak);
        }
        flight
    }
}

impl<K, V: Clone> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self {
            flights: Mutex::default(),
        }
    }
}

impl<K, V: Clone> fmt::Debug for SingleFlight<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{REMEMBERED, SingleFlight};

    #[tokio::test]
    async fn many_wait_for_one_and_the_first_may_go_away() {
        let flights = SingleFlight::default();
        let count = Arc::new(AtomicUsize::new(0));
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let ended = futures::FutureExt::shared(ended);
        let join = || {
            let (count, ended) = (Arc::clone(&count), ended.clone());
            flights.join("key", move || async move {
                count.fetch_add(1, Ordering::Relaxed);
                let _ = ended.await;
                7
            })
        };
        let first = join();
        let rest: Vec<_> = (0..9).map(|_| join()).collect();
        drop(first);
        end.send(()).unwrap();
        assert_eq!(futures::future::join_all(rest).await, [7; 9]);
        assert_eq!(count.load(Ordering::Relaxed), 1);
        // The next question is another one.
        assert_eq!(join().await, 7);
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let flights = SingleFlight::default();
        for number in 0..REMEMBERED * 4 {
            assert_eq!(
                flights.join(number, move || async move { number }).await,
                number
            );
        }
        assert!(flights.flights.lock().unwrap().len() <= REMEMBERED);
    }
}
