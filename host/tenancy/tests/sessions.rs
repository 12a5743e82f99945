//! Whose a session is: T27, T28.

#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::sync::Arc;

use support::{TestClock, World};
use toolhost_identity::OwnerId;
use toolhost_tenancy::dev::MintRequest;
use toolhost_tenancy::{MAX_SESSIONS, MAX_SESSIONS_PER_OWNER, SESSION_IDLE, SessionError, SessionOwners};

async fn owner(world: &World, change: impl FnOnce(&mut MintRequest)) -> OwnerId {
    let mut request = world.request();
    change(&mut request);
    let caller = world
        .tenancy
        .authenticate_token(&world.mint(&world.key, &request))
        .await
        .unwrap();
    caller.binding.owner()
}

#[tokio::test]
async fn t28_anothers_session_is_as_good_as_none() {
    let (world, sessions) = (World::new(), SessionOwners::new());
    let alice = owner(&world, |_| ()).await;
    sessions.bind("s-1", alice).unwrap();
    let others = [
        owner(&world, |request| request.subject = "user-2".into()).await,
        owner(&world, |request| request.tenant = Some("globex".into())).await,
        owner(&world, |request| request.client = Some("other-app".into())).await,
    ];
    for other in &others {
        assert!(!sessions.check("s-1", other));
        assert!(!sessions.remove("s-1", other));
        assert!(!sessions.check("s-2", other));
    }
    assert!(sessions.check("s-1", &alice), "nobody else's attempt ended it");
    assert!(!sessions.check("S-1", &alice) && !sessions.check("s-1 ", &alice) && !sessions.check("", &alice));
    assert!(sessions.remove("s-1", &alice));
    assert!(!sessions.check("s-1", &alice) && !sessions.remove("s-1", &alice));
}

#[tokio::test]
async fn t27_an_id_that_is_taken_or_odd_is_not_bound() {
    let (world, sessions) = (World::new(), SessionOwners::new());
    let alice = owner(&world, |_| ()).await;
    let mallory = owner(&world, |request| request.subject = "mallory".into()).await;
    sessions.bind("s-1", alice).unwrap();
    assert_eq!(sessions.bind("s-1", mallory), Err(SessionError::Id));
    assert_eq!(sessions.bind("s-1", alice), Err(SessionError::Id));
    assert_eq!(sessions.bind("", alice), Err(SessionError::Id));
    assert_eq!(sessions.bind(&"x".repeat(129), alice), Err(SessionError::Id));
    assert!(sessions.check("s-1", &alice) && !sessions.check("s-1", &mallory));
}

#[tokio::test]
async fn an_idle_session_ends_and_a_used_one_does_not() {
    let world = World::new();
    let clock = Arc::new(TestClock::default());
    let sessions = SessionOwners::with_clock(clock.clone());
    let alice = owner(&world, |_| ()).await;
    sessions.bind("s-1", alice).unwrap();
    for _ in 0..3 {
        clock.pass(SESSION_IDLE - 1);
        assert!(sessions.check("s-1", &alice));
    }
    clock.pass(SESSION_IDLE);
    assert!(!sessions.check("s-1", &alice));
    sessions.bind("s-1", alice).unwrap();
}

#[tokio::test]
async fn nobody_takes_all_sessions_and_there_is_an_end_to_them() {
    let world = World::new();
    let clock = Arc::new(TestClock::default());
    let sessions = SessionOwners::with_clock(clock.clone());
    let greedy = owner(&world, |_| ()).await;
    for n in 0..MAX_SESSIONS_PER_OWNER {
        sessions.bind(&format!("g-{n}"), greedy).unwrap();
    }
    assert_eq!(sessions.bind("one-more", greedy), Err(SessionError::Full));
    for n in 1..MAX_SESSIONS / MAX_SESSIONS_PER_OWNER {
        let other = owner(&world, |request| request.subject = format!("user-{n}x")).await;
        for m in 0..MAX_SESSIONS_PER_OWNER {
            sessions.bind(&format!("{n}-{m}"), other).unwrap();
        }
    }
    let late = owner(&world, |request| request.subject = "late".into()).await;
    assert_eq!(sessions.bind("late", late), Err(SessionError::Full));
    assert!(sessions.check("g-0", &greedy), "a full house puts nobody out");
    clock.pass(SESSION_IDLE);
    sessions.bind("late", late).unwrap();
}
