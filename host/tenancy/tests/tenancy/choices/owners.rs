//! Whose a session is, and what it may: T27, T28, E25, N12, N16.

use toolhost_identity::BindingError;
use toolhost_policy::ErrorCode;
use toolhost_tenancy::dev::MintRequest;
use toolhost_tenancy::{ChoiceError, Reach, SessionId, SwitchTarget};

use crate::support::town::{Town, by, id, tenant_of};

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
                    .session(id, &other, SwitchTarget::Tenant("acme"))
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
            town.sessions
                .list(&other.principal)
                .await
                .unwrap()
                .is_empty(),
            "{what}"
        );
    }
    assert!(
        town.sessions
            .binding(&session, &owner.principal)
            .await
            .is_ok()
    );
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
        .session(&name, &owner, SwitchTarget::Tenant("acme-eu"))
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
    let own = town
        .sessions
        .binding(&name, &owner.principal)
        .await
        .unwrap();
    assert_eq!(tenant_of(&own), "acme-eu");
}

#[tokio::test]
async fn n12_a_refreshed_token_keeps_the_session_and_one_of_another_tenant_does_not() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    town.switch()
        .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
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
        .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
        .await
        .unwrap();
    // The same person, whose role has gone.
    let demoted = town.who("olga", "ADMIN", Some("acme")).await.principal;
    let refused = ChoiceError::Binding(BindingError::TenantUnavailable);
    assert_eq!(
        town.sessions.binding(&session, &demoted).await.unwrap_err(),
        refused
    );
    assert!(
        town.sessions
            .binding(&session, &owner.principal)
            .await
            .is_ok()
    );
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
        .session(&one, &owner, SwitchTarget::Tenant("acme-us"))
        .await
        .unwrap();
    let binding = async |id| town.sessions.binding(id, &owner.principal).await.unwrap();
    assert_eq!(tenant_of(&binding(&one).await), "acme-us");
    assert_eq!(tenant_of(&binding(&two).await), "acme");
    assert_eq!(
        (
            binding(&one).await.generation(),
            binding(&two).await.generation()
        ),
        (1, 0)
    );
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
        .session(&session, &root, SwitchTarget::Tenant("globex"))
        .await
        .unwrap();
    let binding = town
        .sessions
        .binding(&session, &root.principal)
        .await
        .unwrap();
    assert_eq!(
        (tenant_of(&binding), binding.home_tenant()),
        ("globex", None)
    );
    let nobody = town.who("nick", "OWNER", None).await;
    let session = town.sessions.create(&nobody.principal).await.unwrap();
    assert!(
        town.switch()
            .session(&session, &nobody, SwitchTarget::Tenant("acme"))
            .await
            .is_err()
    );
}
