//! How long a session lasts, and what other hosts, a restart and a store that is down do to it.

use std::sync::atomic::Ordering;

use toolhost_identity::BindingError;
use toolhost_policy::ErrorCode;
use toolhost_store::Store as _;
use toolhost_tenancy::{ChoiceError, Reach, SESSION_IDLE, SwitchTarget};

use crate::support::town::{Town, by, id, space, tenant_of};

#[tokio::test]
async fn an_idle_session_ends_and_a_used_one_lives_on_over_a_restart() {
    let town = Town::new(Reach::Tree).await;
    let owner = async || town.owner().await.principal;
    let session = town.sessions.create(&owner().await).await.unwrap();
    for _ in 0..3 {
        town.clock.pass(SESSION_IDLE - 1);
        assert!(
            town.sessions
                .binding(&session, &owner().await)
                .await
                .is_ok()
        );
    }
    let (restarted, _) = town.neighbour(None);
    town.clock.pass(SESSION_IDLE - 61);
    assert!(
        restarted.binding(&session, &owner().await).await.is_ok(),
        "uses are written down"
    );
    town.clock.pass(SESSION_IDLE);
    for sessions in [&town.sessions, &restarted] {
        let idle = sessions.binding(&session, &owner().await).await;
        assert_eq!(idle.unwrap_err(), ChoiceError::Unknown);
    }
    assert!(town.sessions.list(&owner().await).await.unwrap().is_empty());
    assert_eq!(
        town.sessions.end(&session, &owner().await).await,
        Err(ChoiceError::Unknown)
    );
}

#[tokio::test]
async fn another_host_sees_a_switch_when_what_it_keeps_is_older_than_it_may_be() {
    let town = Town::new(Reach::Tree).await;
    let (neighbour, _) = town.neighbour(Some(100));
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let there = async || {
        let binding = neighbour.binding(&session, &owner.principal).await.unwrap();
        (tenant_of(&binding).to_owned(), binding.generation())
    };
    assert_eq!(there().await, ("acme".into(), 0));
    town.switch()
        .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
        .await
        .unwrap();
    assert_eq!(there().await, ("acme".into(), 0), "what it keeps is young");
    neighbour.forget();
    assert_eq!(there().await, ("acme-eu".into(), 1), "it was told");
    town.switch()
        .session(&session, &owner, SwitchTarget::Tenant("acme-us"))
        .await
        .unwrap();
    town.clock.pass(1);
    assert_eq!(there().await, ("acme-us".into(), 2), "it has aged");
}

#[tokio::test]
async fn a_binding_of_a_known_session_asks_nobody() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await.principal;
    let session = town.sessions.create(&owner).await.unwrap();
    town.store.stop(true);
    let before = town.store.reads.load(Ordering::SeqCst);
    for _ in 0..10 {
        assert!(town.sessions.binding(&session, &owner).await.is_ok());
    }
    assert_eq!(town.store.reads.load(Ordering::SeqCst), before);
}

#[tokio::test]
async fn a_store_that_is_down_is_no_unknown_session() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await.principal;
    let session = town.sessions.create(&owner).await.unwrap();
    let (restarted, _) = town.neighbour(None);
    town.store.stop(true);
    let down = restarted.binding(&session, &owner).await.unwrap_err();
    assert_eq!(down.public().code, ErrorCode::Internal);
    assert!(
        !down.public().message.contains("down"),
        "why is for the log"
    );
}

#[tokio::test]
async fn a_removed_tenant_takes_its_sessions_along() {
    let town = Town::new(Reach::Tree).await;
    let otto = town.who("otto", "ADMIN", Some("globex")).await.principal;
    let session = town.sessions.create(&otto).await.unwrap();
    town.directory.remove(&id("globex"), &by()).await.unwrap();
    assert_eq!(
        town.sessions.binding(&session, &otto).await.unwrap_err(),
        ChoiceError::Binding(BindingError::TenantUnavailable)
    );
    // Added again, it is a new tenant: nothing of the old one is there on any host.
    town.directory
        .add(toolhost_identity::Tenant::root(id("globex")), &by())
        .await
        .unwrap();
    town.store.create(&space("globex")).await.unwrap();
    let (restarted, _) = town.neighbour(None);
    assert_eq!(
        restarted.binding(&session, &otto).await.unwrap_err(),
        ChoiceError::Unknown
    );
}

#[tokio::test]
async fn n17_an_end_that_is_dropped_at_any_await_is_made_or_not_made_in_memory_and_store_alike() {
    let (mut ended, mut alive) = (0, 0);
    for steps in 0..24 {
        let town = Town::new(Reach::Tree).await;
        let owner = town.owner().await.principal;
        let session = town.sessions.create(&owner).await.unwrap();
        {
            let mut ending = Box::pin(town.sessions.end(&session, &owner));
            for _ in 0..steps {
                if futures::poll!(ending.as_mut()).is_ready() {
                    break;
                }
            }
        }
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let (restarted, _) = town.neighbour(None);
        let here = town.sessions.binding(&session, &owner).await.is_ok();
        assert_eq!(
            here,
            restarted.binding(&session, &owner).await.is_ok(),
            "{steps}"
        );
        *(if here { &mut alive } else { &mut ended }) += 1;
    }
    assert!(
        ended > 0 && alive > 0,
        "both ends were met: {ended} and {alive}"
    );
}
