//! The databases that are open: a bounded number, the least recently used going first, never one
//! that is in use.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::database::Database;
use super::failure::catch_panics;
use crate::{Space, StoreError};

/// How long an open waits while every handle is in use.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it looks again.
const POLL: Duration = Duration::from_millis(2);

/// Handles that are being closed beside those that are open, which takes some milliseconds each.
const CLOSING: usize = 32;

/// How long a handle that is to be closed may still be in use.
const LINGER: Duration = Duration::from_secs(35);

#[derive(Debug, Clone)]
pub(super) struct Handles(Arc<HandleTable>);

#[derive(Debug)]
struct HandleTable {
    slots: RwLock<HashMap<Space, HandleSlot>>,
    clock: AtomicU64,
    most: usize,
}

#[derive(Debug)]
enum HandleSlot {
    Open {
        database: Arc<Database>,
        used: AtomicU64,
    },
    /// Somebody opens, makes or destroys it.
    Busy(watch::Receiver<()>),
    /// It made room for another.
    Closing(watch::Receiver<()>),
}

/// A space that nobody else opens, closes, makes or destroys meanwhile, with the handle that was
/// open before.
#[derive(Debug)]
pub(super) struct Reservation {
    table: Arc<HandleTable>,
    space: Space,
    before: Option<Arc<Database>>,
    /// Dropped last: it wakes those who wait.
    _busy: watch::Sender<()>,
}

/// What was got of a space.
#[derive(Debug)]
pub(super) enum SpaceAccess {
    Open(Arc<Database>),
    Reserved(Reservation),
}

impl Handles {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(HandleTable {
            slots: RwLock::default(),
            clock: AtomicU64::new(0),
            // One for the host's own, which is always open, and one at least for a tenant's.
            most: most.max(2),
        }))
    }

    /// A handle that is open and sound.
    pub(super) fn open(&self, space: &Space) -> Option<Arc<Database>> {
        let slots = self.0.read();
        let Some(HandleSlot::Open { database, used }) = slots.get(space) else {
            return None;
        };
        used.store(
            self.0.clock.fetch_add(1, Ordering::Relaxed),
            Ordering::Relaxed,
        );
        database.check_usable().is_ok().then(|| database.clone())
    }

    /// Shows a handle that was opened before there was anybody else.
    pub(super) fn put(&self, database: Arc<Database>) {
        let used = AtomicU64::new(0);
        let space = database.space.clone();
        self.0
            .write()
            .insert(space, HandleSlot::Open { database, used });
    }

    /// How many are open or about to be.
    pub(super) fn count(&self) -> usize {
        self.0.read().len()
    }

    /// The handle of a space, or the right to open it. With `take`, the right in any case.
    pub(super) async fn acquire(
        &self,
        space: &Space,
        take: bool,
    ) -> Result<SpaceAccess, StoreError> {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut busy = match self.0.reserve(space, take) {
                HandleAttempt::Turn(turn) => return Ok(turn),
                HandleAttempt::Busy(busy) => busy,
                HandleAttempt::Instead(reservation, turn) => {
                    tokio::task::spawn_blocking(move || reservation.close());
                    return Ok(turn);
                }
                HandleAttempt::Full if Instant::now() < until => {
                    tokio::time::sleep(POLL).await;
                    continue;
                }
                HandleAttempt::Full => {
                    return Err(StoreError::Unavailable(
                        "every database handle is in use; try again, or raise the limit of open files, of which handles take a part".to_owned(),
                    ));
                }
            };
            // It ends with an error when the reservation is dropped, which is what is waited for.
            let _ = busy.changed().await;
        }
    }
}

enum HandleAttempt {
    Turn(SpaceAccess),
    Busy(watch::Receiver<()>),
    /// After the first one was closed, which need not be waited for.
    Instead(Reservation, SpaceAccess),
    Full,
}

impl HandleTable {
    fn read(&self) -> RwLockReadGuard<'_, HashMap<Space, HandleSlot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<Space, HandleSlot>> {
        self.slots.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn reserve(self: &Arc<Self>, space: &Space, take: bool) -> HandleAttempt {
        let mut slots = self.write();
        match slots.get(space) {
            Some(HandleSlot::Busy(busy) | HandleSlot::Closing(busy)) => {
                return HandleAttempt::Busy(busy.clone());
            }
            Some(HandleSlot::Open { database, .. }) if !take && database.check_usable().is_ok() => {
                return HandleAttempt::Turn(SpaceAccess::Open(database.clone()));
            }
            Some(HandleSlot::Open { .. }) => {
                return HandleAttempt::Turn(SpaceAccess::Reserved(self.clone().busy(
                    &mut slots,
                    space,
                    HandleSlot::Busy,
                )));
            }
            None => {}
        }
        let closing = slots
            .values()
            .filter(|slot| matches!(slot, HandleSlot::Closing(_)))
            .count();
        if slots.len() - closing < self.most {
            return HandleAttempt::Turn(SpaceAccess::Reserved(self.clone().busy(
                &mut slots,
                space,
                HandleSlot::Busy,
            )));
        }
        if closing >= CLOSING {
            return HandleAttempt::Full;
        }
        let Some(victim) = oldest_idle(&slots) else {
            return HandleAttempt::Full;
        };
        let victim = self.clone().busy(&mut slots, &victim, HandleSlot::Closing);
        let turn = SpaceAccess::Reserved(self.clone().busy(&mut slots, space, HandleSlot::Busy));
        HandleAttempt::Instead(victim, turn)
    }

    fn busy(
        self: Arc<Self>,
        slots: &mut HashMap<Space, HandleSlot>,
        space: &Space,
        slot: fn(watch::Receiver<()>) -> HandleSlot,
    ) -> Reservation {
        let (sender, receiver) = watch::channel(());
        let before = match slots.insert(space.clone(), slot(receiver)) {
            Some(HandleSlot::Open { database, .. }) => Some(database),
            _ => None,
        };
        Reservation {
            table: self,
            space: space.clone(),
            before,
            _busy: sender,
        }
    }
}

/// The one that was used longest ago, of those that nobody uses. Nobody gets one while the table is
/// locked.
fn oldest_idle(slots: &HashMap<Space, HandleSlot>) -> Option<Space> {
    let idle = slots.iter().filter_map(|(space, slot)| match slot {
        HandleSlot::Open { database, used }
            if *space != Space::Host && Arc::strong_count(database) == 1 =>
        {
            Some((used.load(Ordering::Relaxed), space))
        }
        HandleSlot::Open { .. } | HandleSlot::Busy(_) | HandleSlot::Closing(_) => None,
    });
    idle.min_by_key(|(used, _)| *used)
        .map(|(_, space)| space.clone())
}

impl Reservation {
    /// What was found of the damage of the handle that was open before.
    pub(super) fn damage(&self) -> Option<String> {
        self.before.as_ref()?.damage().map(str::to_owned)
    }

    /// Closes the handle that was open before, once nobody uses it; blocks.
    pub(super) fn close_before(&mut self) -> Result<(), StoreError> {
        let Some(mut database) = self.before.take() else {
            return Ok(());
        };
        let until = std::time::Instant::now() + LINGER;
        loop {
            match Arc::try_unwrap(database) {
                // sled panics where its file does not sync.
                Ok(database) => {
                    let _ = catch_panics(|| {
                        drop(database);
                        Ok(())
                    });
                    return Ok(());
                }
                Err(shared) if std::time::Instant::now() < until => {
                    database = shared;
                    std::thread::sleep(Duration::from_micros(200));
                }
                Err(shared) => {
                    let space = shared.space.to_string();
                    self.before = Some(shared);
                    return Err(StoreError::Unavailable(format!(
                        "{space} is in use and cannot be closed"
                    )));
                }
            }
        }
    }

    fn close(mut self) {
        // Where it cannot be, it is shown again below.
        let _ = self.close_before();
    }

    /// Ends the reservation with an open handle.
    pub(super) fn fill(self, database: Arc<Database>) {
        let slot = HandleSlot::Open {
            database,
            used: AtomicU64::new(self.table.clock.fetch_add(1, Ordering::Relaxed)),
        };
        self.table.write().insert(self.space.clone(), slot);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut slots = self.table.write();
        let Some(HandleSlot::Busy(_) | HandleSlot::Closing(_)) = slots.get(&self.space) else {
            return;
        };
        match self.before.take() {
            // Nobody closed it: it is as it was.
            Some(database) => {
                let used = AtomicU64::new(0);
                slots.insert(self.space.clone(), HandleSlot::Open { database, used });
            }
            None => {
                slots.remove(&self.space);
            }
        }
    }
}
