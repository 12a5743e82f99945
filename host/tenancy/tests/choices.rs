//! Sessions in the store: T27, T28, E24, E25, N12, N16, and what is bounded.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

mod support;

use std::sync::atomic::Ordering;

use support::town::{Town, by, id, space, tenant_of};
use toolhost_identity::BindingError;
use toolhost_policy::ErrorCode;
use toolhost_store::{Space, Store};
use toolhost_tenancy::dev::MintRequest;
use toolhost_tenancy::{ChoiceError, MAX_OWNED_SESSIONS, Reach, SESSION_IDLE, SessionId, To};

#[tokio::test]
async fn t27_an_id_is_the_hosts_own_and_has_192_random_bits() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await.principal;
    let one = town.sessions.create(&owner).await.unwrap();
    let two = town.sessions.create(&owner).await.unwrap();
    assert_ne!(one, two);
    assert_eq!(one.as_str().len(), 2 + 32);
    assert_eq!(format!("{one:?}"), "SessionId(…)");
    // A name that nobody was given is none, however it looks, and looking does not make it one.
    for made_up in ["s_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x", &"x".repeat(128)] {
        let made_up = SessionId::parse(made_up).unwrap();
        for _ in 0..2 {
            assert_eq!(
                town.sessions.binding(&made_up, &owner).await.unwrap_err(),
                ChoiceError::Unknown
            );
        }
    }
    for no_name in ["", "a b", "a\n", "é", &"x".repeat(129)] {
        assert!(SessionId::parse(no_name).is_none(), "{no_name:?}");
    }
}

#[tokio::test]
async fn t28_anothers_session_is_as_one_that_does_not_exist() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let unknown = SessionId::parse("s_unknown").unwrap();
    let request = |change: &dyn Fn(&mut MintRequest)| {
        let mut request = town.request("olga", "OWNER", Some("acme"));
        change(&mut request);
        request
    };
    let switch = town.switch();
    for (what, other) in [
        (
            "another person",
            request(&|request| request.subject = "otto".into()),
        ),
        (
            "another client",
            request(&|request| request.client = Some("app".into())),
        ),
        (
            "another tenant claim",
            request(&|request| request.tenant = Some("globex".into())),
        ),
        (
            "a tenant below",
            request(&|request| request.tenant = Some("acme-eu".into())),
        ),
    ] {
        let other = town.present(&other).await;
        for id in [&session, &unknown] {
            let errors = [
                town.sessions
                    .binding(id, &other.principal)
                    .await
                    .unwrap_err()
                    .public(),
                town.sessions
                    .show(id, &other.principal)
                    .await
                    .unwrap_err()
                    .public(),
                town.sessions
                    .end(id, &other.principal)
                    .await
                    .unwrap_err()
                    .public(),
                switch
                    .session(id, &other, To::Tenant("acme"))
                    .await
                    .unwrap_err()
                    .public(),
            ];
            for error in errors {
                assert_eq!(error.code, ErrorCode::NotFound, "{what}");
                assert_eq!(error.message, "there is no such session", "{what}");
            }
        }
        assert!(
            town.sessions.list(&other.principal).await.unwrap().is_empty(),
            "{what}"
        );
    }
    assert!(town.sessions.binding(&session, &owner.principal).await.is_ok());
    assert_eq!(town.sessions.list(&owner.principal).await.unwrap().len(), 1);
    town.sessions.end(&session, &owner.principal).await.unwrap();
    let ended = town.sessions.binding(&session, &owner.principal).await;
    assert_eq!(ended.unwrap_err(), ChoiceError::Unknown);
}

#[tokio::test]
async fn t27_a_name_that_was_adopted_is_not_adopted_again() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await;
    let name = SessionId::parse("1b1c1bd6-77ec-4b0e-a3f7-0a3f8a7d4c11").unwrap();
    town.sessions.adopt(&name, &owner.principal).await.unwrap();
    town.switch()
        .session(&name, &owner, To::Tenant("acme-eu"))
        .await
        .unwrap();
    assert_eq!(
        town.sessions.adopt(&name, &owner.principal).await,
        Err(ChoiceError::Id)
    );
    // Another's session of the same name is another session.
    let other = town.who("otto", "OWNER", Some("acme")).await.principal;
    town.sessions.adopt(&name, &other).await.unwrap();
    assert_eq!(
        tenant_of(&town.sessions.binding(&name, &other).await.unwrap()),
        "acme"
    );
    let own = town.sessions.binding(&name, &owner.principal).await.unwrap();
    assert_eq!(tenant_of(&own), "acme-eu");
}

#[tokio::test]
async fn n12_a_refreshed_token_keeps_the_session_and_one_of_another_tenant_does_not() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    town.switch()
        .session(&session, &owner, To::Tenant("acme-eu"))
        .await
        .unwrap();
    town.clock.pass(5);
    let refreshed = town.owner().await;
    let binding = town
        .sessions
        .binding(&session, &refreshed.principal)
        .await
        .unwrap();
    assert_eq!(tenant_of(&binding), "acme-eu");
    let moved = town.who("olga", "OWNER", Some("globex")).await;
    assert_eq!(
        town.sessions
            .binding(&session, &moved.principal)
            .await
            .unwrap_err(),
        ChoiceError::Unknown
    );
    assert_eq!(
        town.sessions
            .show(&session, &refreshed.principal)
            .await
            .unwrap()
            .home,
        Some(id("acme"))
    );
}

#[tokio::test]
async fn a_session_holds_a_choice_and_no_right() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    town.switch()
        .session(&session, &owner, To::Tenant("acme-eu"))
        .await
        .unwrap();
    // The same person, whose role has gone.
    let demoted = town.who("olga", "ADMIN", Some("acme")).await.principal;
    let refused = ChoiceError::Binding(BindingError::TenantUnavailable);
    assert_eq!(
        town.sessions.binding(&session, &demoted).await.unwrap_err(),
        refused
    );
    assert!(town.sessions.binding(&session, &owner.principal).await.is_ok());
    town.directory.suspend(&id("acme-eu"), &by()).await.unwrap();
    assert_eq!(
        town.sessions
            .binding(&session, &owner.principal)
            .await
            .unwrap_err(),
        refused
    );
    town.directory.suspend(&id("acme"), &by()).await.unwrap();
    assert_eq!(
        town.sessions
            .binding(&session, &owner.principal)
            .await
            .unwrap_err(),
        refused
    );
}

#[tokio::test]
async fn n16_sessions_of_one_person_do_not_move_each_other() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await;
    let one = town.sessions.create(&owner.principal).await.unwrap();
    let two = town.sessions.create(&owner.principal).await.unwrap();
    town.switch()
        .session(&one, &owner, To::Tenant("acme-us"))
        .await
        .unwrap();
    let binding = async |id| town.sessions.binding(id, &owner.principal).await.unwrap();
    assert_eq!(tenant_of(&binding(&one).await), "acme-us");
    assert_eq!(tenant_of(&binding(&two).await), "acme");
    assert_eq!(
        (binding(&one).await.generation(), binding(&two).await.generation()),
        (1, 0)
    );
}

#[tokio::test]
async fn an_idle_session_ends_and_a_used_one_lives_on_over_a_restart() {
    let town = Town::new(Reach::Tree).await;
    let owner = async || town.owner().await.principal;
    let session = town.sessions.create(&owner().await).await.unwrap();
    for _ in 0..3 {
        town.clock.pass(SESSION_IDLE - 1);
        assert!(town.sessions.binding(&session, &owner().await).await.is_ok());
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
async fn nobody_takes_all_of_a_tenants_sessions_and_idle_ones_make_room() {
    let town = Town::new(Reach::Tree).await;
    let greedy = town.owner().await.principal;
    let mut first = None;
    for _ in 0..MAX_OWNED_SESSIONS {
        let session = town.sessions.create(&greedy).await.unwrap();
        first.get_or_insert(session);
    }
    assert_eq!(
        town.sessions.create(&greedy).await.unwrap_err(),
        ChoiceError::Full
    );
    let other = town.who("otto", "OWNER", Some("acme")).await.principal;
    assert!(town.sessions.create(&other).await.is_ok());
    assert!(
        town.sessions.binding(&first.unwrap(), &greedy).await.is_ok(),
        "nobody is put out"
    );
    town.clock.pass(SESSION_IDLE);
    let greedy = town.owner().await.principal;
    assert!(town.sessions.create(&greedy).await.is_ok());
    assert_eq!(town.sessions.list(&greedy).await.unwrap().len(), 1);
    // The other's idle one goes with the sweep.
    let acme = Space::Tenant(space("acme"));
    assert_eq!(town.sessions.sweep(&acme).await, Ok(1));
    assert_eq!(town.sessions.sweep(&acme).await, Ok(0));
}

#[tokio::test]
async fn many_sessions_made_at_once_are_all_made() {
    let town = std::sync::Arc::new(Town::new(Reach::Tree).await);
    let owner = town.owner().await.principal;
    let making = (0..40).map(|_| {
        let (town, owner) = (town.clone(), owner.clone());
        tokio::spawn(async move { town.sessions.create(&owner).await.unwrap() })
    });
    for task in making.collect::<Vec<_>>() {
        let id = task.await.unwrap();
        town.sessions.end(&id, &owner).await.unwrap();
    }
    assert!(town.sessions.list(&owner).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_session_without_a_tenant_has_no_binding_until_it_has_chosen_one() {
    let town = Town::new(Reach::Tree).await;
    let root = town.who("root", "SUPERADMIN", None).await;
    let session = town.sessions.create(&root.principal).await.unwrap();
    assert_eq!(
        town.sessions
            .binding(&session, &root.principal)
            .await
            .unwrap_err(),
        ChoiceError::Binding(BindingError::TenantRequired)
    );
    town.switch()
        .session(&session, &root, To::Tenant("globex"))
        .await
        .unwrap();
    let binding = town.sessions.binding(&session, &root.principal).await.unwrap();
    assert_eq!((tenant_of(&binding), binding.home_tenant()), ("globex", None));
    let nobody = town.who("nick", "OWNER", None).await;
    let session = town.sessions.create(&nobody.principal).await.unwrap();
    assert!(
        town.switch()
            .session(&session, &nobody, To::Tenant("acme"))
            .await
            .is_err()
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
        .session(&session, &owner, To::Tenant("acme-eu"))
        .await
        .unwrap();
    assert_eq!(there().await, ("acme".into(), 0), "what it keeps is young");
    neighbour.forget();
    assert_eq!(there().await, ("acme-eu".into(), 1), "it was told");
    town.switch()
        .session(&session, &owner, To::Tenant("acme-us"))
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
    assert!(!down.public().message.contains("down"), "why is for the log");
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
        assert_eq!(here, restarted.binding(&session, &owner).await.is_ok(), "{steps}");
        *(if here { &mut alive } else { &mut ended }) += 1;
    }
    assert!(ended > 0 && alive > 0, "both ends were met: {ended} and {alive}");
}

#[tokio::test]
async fn there_is_an_end_to_the_sessions_of_a_tenant() {
    use toolhost_store::{Key, Table};
    use toolhost_tenancy::MAX_SESSIONS_PER_TENANT;
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await.principal;
    let acme = Space::Tenant(space("acme"));
    let count = Key::new(Table::Session, &[b"sessions"], b"").unwrap();
    let full = async |count_of: u64| {
        town.store
            .put(&acme, &count, count_of.to_be_bytes().to_vec())
            .await
            .unwrap();
        town.sessions.create(&owner).await
    };
    assert_eq!(
        full(MAX_SESSIONS_PER_TENANT).await.unwrap_err(),
        ChoiceError::Full
    );
    assert!(full(MAX_SESSIONS_PER_TENANT - 1).await.is_ok());
    assert_eq!(town.sessions.create(&owner).await.unwrap_err(), ChoiceError::Full);
    // Another tenant's are counted for themselves.
    let otto = town.who("otto", "ADMIN", Some("globex")).await.principal;
    assert!(town.sessions.create(&otto).await.is_ok());
}
