use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;
use toolhost_identity::TenantId;

use crate::SandboxError;

/// One slot of so many is kept for tenants that hold none, so that a newcomer gets in however many
/// calls the others have.
const RESERVE: u32 = 8;

/// With fewer slots than this nothing is kept back: it would be a large part of them.
const RESERVE_FROM: u32 = 4;

/// From three quarters of the slots on a tenant gets more only up to its equal share. Below that
/// there is room for everybody, and a share that nobody else asks for would be wasted.
const CONTENDED: (u32, u32) = (3, 4);

/// The slots, and who holds them. Each answer is given at once: what is not free is refused and
/// never waited for. Its cost does not depend on how many tenants there are.
#[derive(Debug)]
pub(crate) struct Slots {
    total: u32,
    /// Calls of one tenant that may hold a thread at once.
    turns: usize,
    taken: Mutex<SlotUsage>,
}

#[derive(Debug, Default)]
struct SlotUsage {
    all: u32,
    /// Only those that hold one.
    by_tenant: HashMap<TenantId, TenantSlots>,
}

#[derive(Debug)]
struct TenantSlots {
    slots: u32,
    turns: Arc<Semaphore>,
}

/// One slot, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    tenant: Option<TenantId>,
    turns: Arc<Semaphore>,
}

impl Slots {
    /// So many, on so many threads.
    pub(crate) fn new(total: u32, threads: usize) -> Self {
        Self {
            total,
            turns: threads.max(1),
            taken: Mutex::default(),
        }
    }

    /// A slot for a call of this tenant, or for the host itself (`None`), which asks a plugin for
    /// its tools.
    ///
    /// # Errors
    /// [`SandboxError::Busy`]: the host has none. [`SandboxError::Share`]: the tenant has its share.
    pub(crate) fn take(self: &Arc<Self>, tenant: Option<&TenantId>) -> Result<Slot, SandboxError> {
        let mut taken = self.lock_usage();
        let (all, tenants) = (taken.all, taken.by_tenant.len());
        if all >= self.total {
            return Err(SandboxError::Busy);
        }
        let turns = match tenant {
            None => Arc::new(Semaphore::new(self.turns)),
            Some(tenant) => match taken.by_tenant.get_mut(tenant) {
                Some(own) => {
                    self.admits(own.slots, all, tenants)?;
                    own.slots += 1;
                    Arc::clone(&own.turns)
                }
                None => {
                    let turns = Arc::new(Semaphore::new(self.turns));
                    let own = TenantSlots {
                        slots: 1,
                        turns: Arc::clone(&turns),
                    };
                    taken.by_tenant.insert(tenant.clone(), own);
                    turns
                }
            },
        };
        taken.all += 1;
        Ok(Slot {
            slots: Arc::clone(self),
            tenant: tenant.cloned(),
            turns,
        })
    }

    /// Whether a tenant that holds `own` of `all` taken slots gets one more. It is not asked of one
    /// that holds none.
    fn admits(&self, own: u32, all: u32, tenants: usize) -> Result<(), SandboxError> {
        let share = self.fair_share(tenants);
        if all >= self.total - self.reserve() {
            // Which of the two it is: those that hold less than their share wait for those that
            // hold more.
            return Err(if own >= share {
                SandboxError::Share
            } else {
                SandboxError::Busy
            });
        }
        let contended = u64::from(all) * u64::from(CONTENDED.1)
            >= u64::from(self.total) * u64::from(CONTENDED.0);
        if tenants > 1 && contended && own >= share {
            return Err(SandboxError::Share);
        }
        Ok(())
    }

    fn fair_share(&self, tenants: usize) -> u32 {
        let tenants = u32::try_from(tenants).unwrap_or(u32::MAX).max(1);
        (self.total / tenants)
            .min(self.total - self.reserve())
            .max(1)
    }

    fn reserve(&self) -> u32 {
        if self.total < RESERVE_FROM {
            0
        } else {
            (self.total / RESERVE).max(1)
        }
    }

    /// How many nobody holds.
    pub(crate) fn free_count(&self) -> usize {
        let free = self.total - self.lock_usage().all;
        usize::try_from(free).unwrap_or(usize::MAX)
    }

    fn lock_usage(&self) -> MutexGuard<'_, SlotUsage> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// What a call of this tenant must hold while it holds a thread of the guests.
    pub(crate) fn turns(&self) -> Arc<Semaphore> {
        Arc::clone(&self.turns)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock_usage();
        taken.all = taken.all.saturating_sub(1);
        if let Some(tenant) = &self.tenant
            && let Some(own) = taken.by_tenant.get_mut(tenant)
        {
            own.slots = own.slots.saturating_sub(1);
            if own.slots == 0 {
                taken.by_tenant.remove(tenant);
            }
        }
    }
}

#[cfg(test)]
#[path = "slots/tests.rs"]
mod tests;
