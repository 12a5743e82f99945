//! The token that comes of it: N9, and where it goes.

use std::sync::Arc;

use toolhost_identity::Binding;
use toolhost_policy::ErrorCode;
use toolhost_tenancy::{
    AuthorityTokens, Preparation as _, Reach, SessionDeps, Sessions, SwitchTarget,
};
use toolhost_vault::CredentialError;

use crate::authority::token_of;
use crate::support::town::{FakePost, Town, answer, by, id, silence, tenant_of};

#[tokio::test]
async fn the_authoritys_token_goes_with_its_binding_and_the_home_token_never_stands_in() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let binding = async || {
        town.sessions
            .binding(&session, &owner.principal)
            .await
            .unwrap()
    };
    assert_eq!(
        token_of(&town, &binding().await),
        Err(CredentialError::NotConnected),
        "before any switch there is none"
    );
    let post = FakePost::new(|_| silence());
    let switch = town.switch_by(town.endpoint(post.clone()));
    let grant = |tenant: &str, seconds| {
        let body = town.granting(
            |request| request.ttl = std::time::Duration::from_secs(seconds),
            "olga",
            tenant,
        );
        post.now(move |_| answer(200, &body));
    };
    grant("acme-eu", 600);
    switch
        .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
        .await
        .unwrap();
    let first = binding().await;
    assert_eq!(token_of(&town, &first).unwrap()["tenantId"], "acme-eu");
    grant("acme-us", 300);
    switch
        .session(&session, &owner, SwitchTarget::Tenant("acme-us"))
        .await
        .unwrap();
    let second = binding().await;
    assert_eq!(token_of(&town, &second).unwrap()["tenantId"], "acme-us");
    assert_ne!(first.grant(), second.grant());
    assert_eq!(
        token_of(&town, &first).unwrap()["tenantId"],
        "acme-eu",
        "a call that began before the switch ends as what it was"
    );
    town.clock.pass(60);
    assert_eq!(
        token_of(&town, &first),
        Err(CredentialError::Expired),
        "and not much later"
    );
    town.clock.pass(240);
    assert_eq!(token_of(&town, &second), Err(CredentialError::Expired));
    let over = town
        .sessions
        .binding(&session, &owner.principal)
        .await
        .unwrap_err();
    assert_eq!(
        over.public().code,
        ErrorCode::TenantUnavailable,
        "the grant was the reach"
    );
    // Renewed by the same way, or home.
    grant("acme-us", 600);
    let renewed = switch
        .session(&session, &owner, SwitchTarget::Renewed)
        .await
        .unwrap();
    assert_eq!((renewed.active, renewed.generation), (id("acme-us"), 3));
    assert_eq!(
        token_of(&town, &binding().await).unwrap()["tenantId"],
        "acme-us"
    );
    grant("acme", 60);
    switch
        .session(&session, &owner, SwitchTarget::Home)
        .await
        .unwrap();
    assert_eq!(
        token_of(&town, &binding().await).unwrap()["tenantId"],
        "acme"
    );
    town.clock.pass(60);
    let home = binding().await;
    assert_eq!(tenant_of(&home), "acme", "its own tenant needs no grant");
    assert_eq!(token_of(&town, &home), Err(CredentialError::NotConnected));
}

#[tokio::test]
async fn n9_all_connections_of_the_authority_rotate_together() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let post = FakePost::new(|_| silence());
    let switch = town.switch_by(town.endpoint(post.clone()));
    for tenant in ["acme-eu", "acme-us", "acme-eu"] {
        let body = town.granting(|_| (), "olga", tenant);
        post.now(move |_| answer(200, &body));
        switch
            .session(&session, &owner, SwitchTarget::Tenant(tenant))
            .await
            .unwrap();
        // One binding is one token, whichever connection asks.
        let binding = town
            .sessions
            .binding(&session, &owner.principal)
            .await
            .unwrap();
        let (data, media) = (
            town.deps.tokens.credential(&binding).unwrap(),
            town.deps.tokens.credential(&binding).unwrap(),
        );
        assert!(Arc::ptr_eq(&data, &media));
        assert_eq!(token_of(&town, &binding).unwrap()["tenantId"], tenant);
    }
    // A switch that fails leaves both with what they have.
    post.now(|_| silence());
    assert!(
        switch
            .session(&session, &owner, SwitchTarget::Tenant("acme-us"))
            .await
            .is_err()
    );
    let binding = town
        .sessions
        .binding(&session, &owner.principal)
        .await
        .unwrap();
    assert_eq!(token_of(&town, &binding).unwrap()["tenantId"], "acme-eu");
}

#[tokio::test]
async fn anothers_binding_gets_nobodys_token() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let granted = town.granting(|_| (), "olga", "acme-eu");
    let switch = town.switch_by(town.endpoint(FakePost::new(move |_| answer(200, &granted))));
    switch
        .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
        .await
        .unwrap();
    for other in [
        town.who("otto", "SUPERADMIN", Some("acme")).await,
        town.who("olga", "OWNER", Some("globex")).await,
    ] {
        let home = Binding::home(other.principal, town.directory.as_ref()).unwrap();
        assert_eq!(token_of(&town, &home), Err(CredentialError::NotConnected));
    }
}

#[tokio::test]
async fn a_directory_that_suspends_the_tenant_ends_the_authoritys_grant_here() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let granted = town.granting(|_| (), "olga", "globex");
    let switch = town.switch_by(town.endpoint(FakePost::new(move |_| answer(200, &granted))));
    switch
        .session(&session, &owner, SwitchTarget::Tenant("globex"))
        .await
        .unwrap();
    town.directory.suspend(&id("globex"), &by()).await.unwrap();
    assert!(
        town.sessions
            .binding(&session, &owner.principal)
            .await
            .is_err()
    );
    assert!(
        switch
            .session(&session, &owner, SwitchTarget::Tenant("globex"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_host_that_has_no_grant_knows_no_reach_but_home() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let granted = town.granting(|_| (), "olga", "acme-eu");
    let switch = town.switch_by(town.endpoint(FakePost::new(move |_| answer(200, &granted))));
    switch
        .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
        .await
        .unwrap();
    // Restarted: the choice is in the store, the grant was in memory. The role would reach the
    // tenant in the tree.
    let restarted = Sessions::new(SessionDeps {
        tokens: Arc::new(AuthorityTokens::new(town.clock.clone())),
        ..town.deps.clone()
    });
    let refused = restarted
        .binding(&session, &owner.principal)
        .await
        .unwrap_err();
    assert_eq!(refused.public().code, ErrorCode::TenantUnavailable);
    let fresh = restarted.create(&owner.principal).await.unwrap();
    assert_eq!(
        tenant_of(&restarted.binding(&fresh, &owner.principal).await.unwrap()),
        "acme"
    );
}

#[tokio::test]
async fn n9_a_token_that_no_connection_could_send_is_no_switch() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let body = town.granting(
        |request| request.ttl = std::time::Duration::from_secs(60),
        "olga",
        "acme-eu",
    );
    let endpoint = town.endpoint(FakePost::new(move |_| answer(200, &body)));
    let credentials = town.credentials(endpoint.clone());
    let switch = town.switch_by(endpoint);
    switch
        .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
        .await
        .unwrap();
    let binding = town
        .sessions
        .binding(&session, &owner.principal)
        .await
        .unwrap();
    assert_eq!(credentials.prepare(&binding).await, Ok(()));
    town.clock.pass(60);
    assert!(credentials.prepare(&binding).await.is_err());
    let home = Town::new(Reach::Tree).await;
    let session = home.sessions.create(&owner.principal).await.unwrap();
    let binding = home
        .sessions
        .binding(&session, &owner.principal)
        .await
        .unwrap();
    assert_eq!(
        credentials.prepare(&binding).await,
        Ok(()),
        "the host's own tree gives none"
    );
}
