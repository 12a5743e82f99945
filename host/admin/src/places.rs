//! Who has a place at the admin socket. Whoever has asked nothing yet gives way, and calls never
//! take every place, so that a script's calls do not keep an operator's verbs out.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Requests at once: people and scripts, not callers.
const MAX_CONNECTIONS: usize = 32;

/// Of those, tool calls, which last as long as their plugin takes.
const MAX_CALLS: usize = 24;

/// How long a connection that gives way takes to go.
const GOES: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct AdminPlaces {
    all: Arc<Semaphore>,
    calls: Arc<Semaphore>,
    /// Those that have asked nothing yet, the oldest first.
    silent: Mutex<VecDeque<Arc<CancellationToken>>>,
}

/// The place of one connection.
#[derive(Debug)]
pub(crate) struct AdminPlace {
    places: Arc<AdminPlaces>,
    gives_way: Arc<CancellationToken>,
    _permit: OwnedSemaphorePermit,
}

impl AdminPlaces {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            calls: Arc::new(Semaphore::new(MAX_CALLS)),
            silent: Mutex::default(),
        })
    }

    /// A place for a connection that was just opened; `None` where every other one carries a
    /// request.
    pub(crate) async fn take(self: &Arc<Self>) -> Option<AdminPlace> {
        let permit = match Arc::clone(&self.all).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.silent().pop_front()?.cancel();
                let freed = tokio::time::timeout(GOES, Arc::clone(&self.all).acquire_owned());
                freed.await.ok()?.ok()?
            }
        };
        let gives_way = Arc::new(CancellationToken::new());
        self.silent().push_back(Arc::clone(&gives_way));
        Some(AdminPlace {
            places: Arc::clone(self),
            gives_way,
            _permit: permit,
        })
    }

    /// Each change is one step.
    fn silent(&self) -> MutexGuard<'_, VecDeque<Arc<CancellationToken>>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AdminPlace {
    /// Ends when the connection gives way to another one.
    pub(crate) async fn gives_way(&self) {
        self.gives_way.cancelled().await;
    }

    /// The request is here: from now on the place is kept. `false` where it was given away just
    /// before.
    pub(crate) fn keep(&self) -> bool {
        let mut silent = self.places.silent();
        let before = silent.len();
        silent.retain(|other| !Arc::ptr_eq(other, &self.gives_way));
        silent.len() < before
    }

    /// A place for a call, if there is one.
    pub(crate) fn call(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places.calls).try_acquire_owned().ok()
    }
}

impl Drop for AdminPlace {
    fn drop(&mut self) {
        self.keep();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{AdminPlace, AdminPlaces, MAX_CALLS, MAX_CONNECTIONS};

    #[tokio::test]
    async fn neither_silence_nor_calls_take_every_place_of_the_admin_socket() {
        let places = AdminPlaces::new();
        let mut silent: Vec<AdminPlace> = vec![];
        for _ in 0..MAX_CONNECTIONS {
            silent.push(places.take().await.unwrap());
        }
        let oldest = silent.remove(0);
        let newcomer = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take().await }
        });
        oldest.gives_way().await;
        assert!(!oldest.keep(), "its place is another's");
        drop(oldest);
        let newcomer = newcomer.await.unwrap().unwrap();
        assert!(newcomer.keep() && silent.iter().all(AdminPlace::keep));
        assert!(places.take().await.is_none(), "nobody is silent any more");
        let calls: Vec<_> = silent.iter().map_while(AdminPlace::call).collect();
        assert_eq!(calls.len(), MAX_CALLS);
        drop(calls);
        assert!(newcomer.call().is_some());
    }
}
