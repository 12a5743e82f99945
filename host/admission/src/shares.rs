use std::collections::HashMap;
use std::hash::Hash;

/// Places by tenant and caller. Only those that hold one are known.
#[derive(Debug)]
pub struct Shares<T, C> {
    total: usize,
    tenants: HashMap<T, TenantShare<C>>,
}

#[derive(Debug)]
struct TenantShare<C> {
    places: usize,
    callers: HashMap<C, usize>,
}

/// Whose place gives way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EvictionVictim<T, C> {
    /// One of the caller's own.
    Own,
    /// One of another caller, who has more than a fair share: of the same tenant or of another one.
    Other(T, C),
}

impl<T, C> Default for Shares<T, C> {
    fn default() -> Self {
        Self {
            total: 0,
            tenants: HashMap::new(),
        }
    }
}

impl<T: Clone + Eq + Hash, C: Clone + Eq + Hash> Shares<T, C> {
    /// Places of everybody.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// Places of a tenant.
    #[must_use]
    pub fn of_tenant(&self, tenant: &T) -> usize {
        self.tenants.get(tenant).map_or(0, |share| share.places)
    }

    /// Places of a caller of a tenant.
    #[must_use]
    pub fn of_caller(&self, tenant: &T, caller: &C) -> usize {
        let share = self.tenants.get(tenant);
        share
            .and_then(|share| share.callers.get(caller))
            .copied()
            .unwrap_or(0)
    }

    /// One more.
    pub fn add(&mut self, tenant: &T, caller: &C) {
        self.total += 1;
        let share = self
            .tenants
            .entry(tenant.clone())
            .or_insert_with(|| TenantShare {
                places: 0,
                callers: HashMap::new(),
            });
        share.places += 1;
        *share.callers.entry(caller.clone()).or_default() += 1;
    }

    /// One less. Of one that holds none, nothing changes.
    pub fn remove(&mut self, tenant: &T, caller: &C) {
        let Some(share) = self.tenants.get_mut(tenant) else {
            return;
        };
        let Some(own) = share.callers.get_mut(caller) else {
            return;
        };
        *own -= 1;
        if *own == 0 {
            share.callers.remove(caller);
        }
        share.places -= 1;
        self.total -= 1;
        if share.places == 0 {
            self.tenants.remove(tenant);
        }
    }

    /// Whose place a caller may have, where there is no other: that of the caller with the most
    /// places in the tenant with the most, if that is another tenant and has more than this one
    /// would; else that of the caller with the most in its own tenant; else its own. `None` where
    /// the caller has none and nobody has more than it would.
    #[must_use]
    pub fn find_victim(&self, tenant: &T, caller: &C) -> Option<EvictionVictim<T, C>> {
        self.gives_way_among(tenant, caller, |_, _| true)
    }

    /// Like [`Shares::find_victim`] among the callers that can give a place: one whose places are
    /// all in use keeps them, and they count all the same.
    #[must_use]
    pub fn gives_way_among(
        &self,
        tenant: &T,
        caller: &C,
        can: impl Fn(&T, &C) -> bool,
    ) -> Option<EvictionVictim<T, C>> {
        let own = self.of_tenant(tenant);
        let can_any =
            |(other, share): &(&T, &TenantShare<C>)| share.callers.keys().any(|of| can(other, of));
        let others = self.tenants.iter().filter(can_any);
        if let Some((other, share)) = others.max_by_key(|(_, share)| share.places)
            && other != tenant
            && exceeds(share.places, own)
        {
            let (of, _) = share.greediest(|of| can(other, of))?;
            return Some(EvictionVictim::Other(other.clone(), of.clone()));
        }
        self.gives_way_in_tenant_among(tenant, caller, can)
    }

    /// The place that gives way, where it has to be one of the caller's own tenant.
    #[must_use]
    pub fn find_victim_in_tenant(&self, tenant: &T, caller: &C) -> Option<EvictionVictim<T, C>> {
        self.gives_way_in_tenant_among(tenant, caller, |_, _| true)
    }

    fn gives_way_in_tenant_among(
        &self,
        tenant: &T,
        caller: &C,
        can: impl Fn(&T, &C) -> bool,
    ) -> Option<EvictionVictim<T, C>> {
        let share = self.tenants.get(tenant)?;
        let own = share.callers.get(caller).copied().unwrap_or(0);
        let (of, places) = share.greediest(|of| can(tenant, of))?;
        if of != caller && exceeds(places, own) {
            return Some(EvictionVictim::Other(tenant.clone(), of.clone()));
        }
        (own > 0 && can(tenant, caller)).then_some(EvictionVictim::Own)
    }
}

impl<C> TenantShare<C> {
    /// The caller with the most places among those that can give one.
    fn greediest(&self, can: impl Fn(&C) -> bool) -> Option<(&C, usize)> {
        let callers = self.callers.iter().filter(|(of, _)| can(of));
        callers
            .max_by_key(|(_, places)| **places)
            .map(|(of, places)| (of, *places))
    }
}

/// Whether one with `theirs` places has more than one with `own` would have with one more: a place
/// that went to and fro between two would serve neither. Whoever has none gets one.
fn exceeds(theirs: usize, own: usize) -> bool {
    own == 0 || theirs > own + 1
}

#[cfg(test)]
mod tests {
    use super::{EvictionVictim, Shares};

    fn shares(places: &[(char, u8, usize)]) -> Shares<char, u8> {
        let mut shares = Shares::default();
        for &(tenant, caller, count) in places {
            for _ in 0..count {
                shares.add(&tenant, &caller);
            }
        }
        shares
    }

    #[test]
    fn the_caller_with_the_most_of_the_tenant_with_the_most_gives_way() {
        let shares = shares(&[('a', 1, 3), ('a', 2, 5), ('b', 3, 6)]);
        assert_eq!(
            shares.find_victim(&'c', &9),
            Some(EvictionVictim::Other('a', 2))
        );
        assert_eq!(
            shares.find_victim(&'b', &3),
            Some(EvictionVictim::Other('a', 2))
        );
        assert_eq!(
            shares.find_victim(&'a', &1),
            Some(EvictionVictim::Other('a', 2))
        );
        assert_eq!(shares.find_victim(&'a', &2), Some(EvictionVictim::Own));
        assert_eq!(
            shares.find_victim_in_tenant(&'b', &4),
            Some(EvictionVictim::Other('b', 3))
        );
        assert_eq!(shares.find_victim_in_tenant(&'c', &9), None);
    }

    #[test]
    fn a_place_does_not_go_to_and_fro_between_equals() {
        let shares = shares(&[('a', 1, 3), ('b', 2, 2)]);
        assert_eq!(shares.find_victim(&'b', &2), Some(EvictionVictim::Own));
        assert_eq!(
            shares.find_victim(&'b', &3),
            Some(EvictionVictim::Other('b', 2))
        );
    }

    #[test]
    fn who_has_none_to_give_is_passed_over_and_counts_as_before() {
        let shares = shares(&[('a', 1, 9), ('a', 2, 5), ('b', 3, 6), ('b', 4, 1)]);
        let among = |tenant, caller, busy: &[u8]| {
            shares.gives_way_among(&tenant, &caller, |_, caller| !busy.contains(caller))
        };
        assert_eq!(among('c', 9, &[1]), Some(EvictionVictim::Other('a', 2)));
        assert_eq!(among('c', 9, &[1, 2]), Some(EvictionVictim::Other('b', 3)));
        assert_eq!(among('c', 9, &[1, 2, 3, 4]), None);
        // Equals do not take from each other, nor gives one what is in use.
        assert_eq!(among('b', 3, &[1, 2, 4]), Some(EvictionVictim::Own));
        let equals = self::shares(&[('d', 5, 2), ('d', 6, 2)]);
        let in_use = |_: &char, caller: &u8| *caller != 6;
        assert_eq!(equals.gives_way_among(&'d', &6, in_use), None);
        assert_eq!(equals.find_victim(&'d', &6), Some(EvictionVictim::Own));
        // A tenant of which much is in use does not take from one that has less.
        assert_eq!(among('a', 2, &[1]), Some(EvictionVictim::Own));
        assert_eq!(among('a', 2, &[1, 2]), None);
    }

    #[test]
    fn who_holds_nothing_is_forgotten() {
        let mut shares = shares(&[('a', 1, 1)]);
        shares.remove(&'a', &2);
        shares.remove(&'b', &1);
        assert_eq!(shares.total(), 1);
        shares.remove(&'a', &1);
        assert_eq!(
            (
                shares.total(),
                shares.of_tenant(&'a'),
                shares.of_caller(&'a', &1)
            ),
            (0, 0, 0)
        );
        assert!(shares.tenants.is_empty());
    }
}
