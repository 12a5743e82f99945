use std::sync::Arc;

use proptest::prelude::*;
use toolhost_identity::TenantId;

use super::{Slot, Slots};
use crate::SandboxError;

fn tenant(index: usize) -> TenantId {
    TenantId::parse(&format!("t{index}")).unwrap()
}

/// Takes slots for a tenant until it gets no more.
fn fill(slots: &Arc<Slots>, index: usize) -> Vec<Slot> {
    std::iter::from_fn(|| slots.take(Some(&tenant(index))).ok()).collect()
}

#[test]
fn alone_a_tenant_has_almost_all_and_always_leaves_room_for_newcomers() {
    let slots = Arc::new(Slots::new(64, 2));
    let first = fill(&slots, 0);
    assert_eq!((first.len(), slots.free_count()), (56, 8));
    assert_eq!(
        slots.take(Some(&tenant(0))).unwrap_err(),
        SandboxError::Share
    );
    let newcomers: Vec<_> = (1..=8)
        .map(|index| slots.take(Some(&tenant(index))).unwrap())
        .collect();
    assert_eq!(
        slots.take(Some(&tenant(9))).unwrap_err(),
        SandboxError::Busy,
        "the host's own end"
    );
    drop(newcomers);
    assert_eq!(slots.free_count(), 8);
}

#[test]
fn who_holds_more_than_its_share_makes_room_as_its_calls_end() {
    let slots = Arc::new(Slots::new(64, 2));
    let mut first = fill(&slots, 0);
    let mut second = vec![slots.take(Some(&tenant(1))).unwrap()];
    // As each call of the first ends, both ask: only the second gets what was freed.
    while second.len() < 24 {
        first.pop();
        assert_eq!(
            slots.take(Some(&tenant(0))).unwrap_err(),
            SandboxError::Share
        );
        second.extend(slots.take(Some(&tenant(1))).ok());
    }
    assert!(
        first.len() >= 32,
        "{}: nobody is pushed below its share",
        first.len()
    );
}

#[test]
fn a_share_that_nobody_asks_for_is_not_wasted() {
    let slots = Arc::new(Slots::new(64, 2));
    let _other = slots.take(Some(&tenant(1))).unwrap();
    assert_eq!(fill(&slots, 0).len(), 47, "three quarters together");
}

#[test]
fn few_slots_are_all_used_and_still_shared() {
    let one = Arc::new(Slots::new(1, 1));
    assert_eq!(fill(&one, 0).len(), 1);
    let two = Arc::new(Slots::new(2, 1));
    assert_eq!(fill(&two, 0).len(), 2);
    let four = Arc::new(Slots::new(4, 1));
    assert_eq!(fill(&four, 0).len(), 3);
    let _held = fill(&four, 0);
    assert!(four.take(Some(&tenant(1))).is_ok());
}

#[test]
fn nothing_is_remembered_of_tenants_that_hold_nothing() {
    let slots = Arc::new(Slots::new(8, 1));
    for index in 0..1_000 {
        drop(slots.take(Some(&tenant(index))).unwrap());
    }
    assert!(slots.lock_usage().by_tenant.is_empty());
    assert_eq!(slots.free_count(), 8);
}

proptest! {
    /// Whatever is asked and given back: never more than there are, and whoever is refused although
    /// slots are free has one already.
    #[test]
    fn no_order_of_calls_starves_a_newcomer_or_exceeds_the_slots(
        total in 1_u32..70, steps in prop::collection::vec((any::<bool>(), 0_usize..6), 0..400)
    ) {
        let slots = Arc::new(Slots::new(total, 2));
        let mut held: Vec<Vec<Slot>> = (0..6).map(|_| Vec::new()).collect();
        for (take, index) in steps {
            let all: usize = held.iter().map(Vec::len).sum();
            prop_assert_eq!(slots.free_count() + all, total as usize);
            if !take {
                held[index].pop();
                continue;
            }
            match slots.take(Some(&tenant(index))) {
                Ok(slot) => held[index].push(slot),
                Err(refused) => {
                    let is_full = all == total as usize;
                    prop_assert!(is_full || !held[index].is_empty());
                    if refused == SandboxError::Share {
                        let tenants = held.iter().filter(|own| !own.is_empty()).count();
                        prop_assert!(held[index].len() >= (total as usize / tenants).max(1) || tenants == 1);
                    }
                }
            }
        }
    }
}
