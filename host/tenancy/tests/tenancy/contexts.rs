//! Tenant contexts, for callers without a session: N6.

use crate::support;

use support::town::{Town, id, tenant_of};
use toolhost_identity::BindingError;
use toolhost_policy::ErrorCode;
use toolhost_tenancy::{
    ChoiceError, ContextName, MAX_CONTEXTS_PER_OWNER, Reach, SESSION_IDLE, SessionId, SwitchTarget,
};

#[tokio::test]
async fn n6_a_context_resolves_for_its_own_caller_alone() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await;
    let (name, switched) = town
        .switch()
        .context(None, &owner, SwitchTarget::Tenant("acme-eu"))
        .await
        .unwrap();
    assert_eq!(
        (switched.active, switched.previous),
        (id("acme-eu"), Some(id("acme")))
    );
    assert_eq!(name.as_str().len(), 3 + 32);
    let binding = town
        .contexts
        .binding(&name, &owner.principal)
        .await
        .unwrap();
    assert_eq!((tenant_of(&binding), binding.generation()), ("acme-eu", 1));
    let unknown = ContextName::parse("tc_unknown").unwrap();
    for other in [
        town.who("otto", "SUPERADMIN", Some("acme")).await,
        town.who("olga", "OWNER", Some("acme-eu")).await,
        town.who("olga", "SUPERADMIN", None).await,
    ] {
        for name in [&name, &unknown] {
            let error = town
                .contexts
                .binding(name, &other.principal)
                .await
                .unwrap_err();
            assert_eq!(error, ChoiceError::Unknown);
            let error = town
                .switch()
                .context(Some(name), &other, SwitchTarget::Home)
                .await
                .unwrap_err();
            assert_eq!(error.public().code, ErrorCode::NotFound);
        }
    }
    let demoted = town.who("olga", "ADMIN", Some("acme")).await.principal;
    assert_eq!(
        town.contexts.binding(&name, &demoted).await.unwrap_err(),
        ChoiceError::Binding(BindingError::TenantUnavailable)
    );
    // Nor is a context's name a session's, or the other way round.
    let as_session = SessionId::parse(name.as_str()).unwrap();
    assert_eq!(
        town.sessions
            .binding(&as_session, &owner.principal)
            .await
            .unwrap_err(),
        ChoiceError::Unknown
    );
}

#[tokio::test]
async fn n6_a_context_never_changes_its_tenant_and_ends_when_it_is_idle() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await;
    let switch = town.switch();
    let (first, _) = switch
        .context(None, &owner, SwitchTarget::Tenant("acme-eu"))
        .await
        .unwrap();
    let (second, switched) = switch
        .context(Some(&first), &owner, SwitchTarget::Tenant("acme-us"))
        .await
        .unwrap();
    assert_eq!(
        (switched.previous, switched.generation),
        (Some(id("acme-eu")), 2)
    );
    let (home, _) = switch
        .context(Some(&second), &owner, SwitchTarget::Home)
        .await
        .unwrap();
    for (name, tenant) in [(&first, "acme-eu"), (&second, "acme-us"), (&home, "acme")] {
        let binding = town.contexts.binding(name, &owner.principal).await.unwrap();
        assert_eq!(tenant_of(&binding), tenant);
    }
    town.clock.pass(SESSION_IDLE);
    let owner = town.owner().await.principal;
    assert_eq!(
        town.contexts.binding(&first, &owner).await.unwrap_err(),
        ChoiceError::Unknown
    );
}

#[tokio::test]
async fn the_context_that_was_used_least_lately_makes_room() {
    let town = Town::new(Reach::Tree).await;
    let owner = town.owner().await;
    let switch = town.switch();
    let mut names = Vec::new();
    for _ in 0..MAX_CONTEXTS_PER_OWNER {
        town.clock.pass(1);
        names.push(
            switch
                .context(None, &owner, SwitchTarget::Tenant("acme-eu"))
                .await
                .unwrap()
                .0,
        );
    }
    town.clock.pass(1);
    assert!(
        town.contexts
            .binding(&names[0], &owner.principal)
            .await
            .is_ok()
    );
    switch
        .context(None, &owner, SwitchTarget::Tenant("acme-us"))
        .await
        .unwrap();
    assert!(
        town.contexts
            .binding(&names[0], &owner.principal)
            .await
            .is_ok(),
        "it is in use"
    );
    assert_eq!(
        town.contexts
            .binding(&names[1], &owner.principal)
            .await
            .unwrap_err(),
        ChoiceError::Unknown
    );
}
