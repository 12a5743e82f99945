//! Whose a session is: T27, T28.

use crate::support;

use std::collections::HashSet;
use std::sync::Arc;

use support::{TestClock, World};
use toolhost_identity::{OwnerId, TenantId};
use toolhost_tenancy::dev::MintRequest;
use toolhost_tenancy::{
    MAX_SESSIONS, MAX_SESSIONS_PER_OWNER, SESSION_IDLE, SessionError, SessionOwners,
};

fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

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
    sessions.bind("s-1", Some(&acme()), alice).unwrap();
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
    assert!(
        sessions.check("s-1", &alice),
        "nobody else's attempt ended it"
    );
    assert!(
        !sessions.check("S-1", &alice)
            && !sessions.check("s-1 ", &alice)
            && !sessions.check("", &alice)
    );
    assert!(sessions.remove("s-1", &alice));
    assert!(!sessions.check("s-1", &alice) && !sessions.remove("s-1", &alice));
}

#[tokio::test]
async fn t27_an_id_that_is_taken_or_odd_is_not_bound() {
    let (world, sessions) = (World::new(), SessionOwners::new());
    let alice = owner(&world, |_| ()).await;
    let mallory = owner(&world, |request| request.subject = "mallory".into()).await;
    sessions.bind("s-1", Some(&acme()), alice).unwrap();
    assert_eq!(
        sessions.bind("s-1", Some(&acme()), mallory),
        Err(SessionError::Id)
    );
    assert_eq!(
        sessions.bind("s-1", Some(&acme()), alice),
        Err(SessionError::Id)
    );
    assert_eq!(
        sessions.bind("", Some(&acme()), alice),
        Err(SessionError::Id)
    );
    assert_eq!(
        sessions.bind(&"x".repeat(129), Some(&acme()), alice),
        Err(SessionError::Id)
    );
    assert!(sessions.check("s-1", &alice) && !sessions.check("s-1", &mallory));
}

#[tokio::test]
async fn an_idle_session_ends_and_a_used_one_does_not() {
    let world = World::new();
    let clock = Arc::new(TestClock::default());
    let sessions = SessionOwners::with_clock(clock.clone());
    let alice = owner(&world, |_| ()).await;
    sessions.bind("s-1", Some(&acme()), alice).unwrap();
    for _ in 0..3 {
        clock.pass(SESSION_IDLE - 1);
        assert!(sessions.check("s-1", &alice));
    }
    clock.pass(SESSION_IDLE);
    assert!(!sessions.check("s-1", &alice));
    sessions.bind("s-1", Some(&acme()), alice).unwrap();
}

/// Until the newcomer has room, as the transports do it; the sessions that gave way.
fn bind(sessions: &SessionOwners, id: &str, home: &TenantId, owner: OwnerId) -> Vec<Box<str>> {
    let mut gone = vec![];
    loop {
        match sessions.bind(id, Some(home), owner) {
            Ok(()) => return gone,
            Err(SessionError::Full) => {
                let id = sessions
                    .eviction_candidate(Some(home), &owner, &HashSet::new())
                    .unwrap();
                sessions.forget(&id);
                gone.push(id);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn an_owners_longest_idle_session_gives_way_to_its_newest() {
    let world = World::new();
    let clock = Arc::new(TestClock::default());
    let sessions = SessionOwners::with_clock(clock.clone());
    let alice = owner(&world, |_| ()).await;
    for n in 0..MAX_SESSIONS_PER_OWNER {
        sessions
            .bind(&format!("a-{n}"), Some(&acme()), alice)
            .unwrap();
        clock.pass(1);
    }
    assert!(sessions.check("a-0", &alice), "it is used once more");
    assert_eq!(
        sessions.bind("more", Some(&acme()), alice),
        Err(SessionError::Full)
    );
    let busy = HashSet::from(["a-1".into()]);
    let id = sessions
        .eviction_candidate(Some(&acme()), &alice, &busy)
        .unwrap();
    assert_eq!(
        &*id, "a-2",
        "a request is under way in the longest idle one"
    );
    assert_eq!(
        bind(&sessions, "more", &acme(), alice),
        [Box::<str>::from("a-1")]
    );
}

#[tokio::test]
async fn an_owner_whose_sessions_are_all_in_use_does_not_keep_the_others_idle_ones() {
    let (world, sessions) = (World::new(), SessionOwners::new());
    let mut busy = HashSet::new();
    for n in 0..MAX_SESSIONS / MAX_SESSIONS_PER_OWNER {
        let greedy = owner(&world, |request| request.subject = format!("user-{n}x")).await;
        for m in 0..MAX_SESSIONS_PER_OWNER {
            let id = format!("{n}-{m}");
            sessions.bind(&id, Some(&acme()), greedy).unwrap();
            if n > 0 {
                busy.insert(id.into());
            }
        }
    }
    let globex = TenantId::parse("globex").unwrap();
    let bob = owner(&world, |request| request.tenant = Some("globex".into())).await;
    let id = sessions
        .eviction_candidate(Some(&globex), &bob, &busy)
        .unwrap();
    assert!(id.starts_with("0-"), "{id}");
    busy.extend((0..MAX_SESSIONS_PER_OWNER).map(|m| format!("0-{m}").into()));
    assert_eq!(
        sessions.eviction_candidate(Some(&globex), &bob, &busy),
        None
    );
}

#[tokio::test]
async fn one_tenants_sessions_give_way_to_another_tenants_and_not_the_other_way_round() {
    let (world, sessions) = (World::new(), SessionOwners::new());
    for n in 0..=MAX_SESSIONS / MAX_SESSIONS_PER_OWNER {
        let greedy = owner(&world, |request| request.subject = format!("user-{n}x")).await;
        for m in 0..MAX_SESSIONS_PER_OWNER {
            bind(&sessions, &format!("{n}-{m}"), &acme(), greedy);
        }
    }
    let globex = TenantId::parse("globex").unwrap();
    let bob = owner(&world, |request| request.tenant = Some("globex".into())).await;
    assert_eq!(bind(&sessions, "bob", &globex, bob).len(), 1);
    for n in 0..200 {
        let greedy = owner(&world, |request| request.subject = format!("late-{n}")).await;
        bind(&sessions, &format!("late-{n}"), &acme(), greedy);
    }
    assert!(sessions.check("bob", &bob));
}
