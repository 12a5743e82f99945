//! What a remote authority is asked, what it may return, and the token that comes of it: N7, N8, N9, N11.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test"
)]

mod support;

use std::sync::Arc;

use serde_json::{Value, json};
use support::town::{AUTHORITY, FakePost, Town, answer, by, claims, id, silence, tenant_of};
use support::{AUDIENCE, ISSUER, config, dev_key};
use toolhost_identity::{Binding, PrincipalKind};
use toolhost_policy::{ErrorCode, Secret};
use toolhost_tenancy::{
    Authority, AuthorityTokens, ConfigError, Destination, ExchangeSettings, HttpAuthority,
    HttpAuthoritySettings, PostAnswer, Presented, Reach, Rooms, SessionId, Sessions, SwitchError, To,
    TokenExchange,
};
use toolhost_vault::CredentialError;

async fn at(town: &Town, session: &SessionId, who: &Presented) -> (String, u64) {
    let binding = town.sessions.binding(session, &who.principal).await.unwrap();
    (tenant_of(&binding).to_owned(), binding.generation())
}

#[tokio::test]
async fn n7_the_endpoint_gets_the_callers_token_and_the_tenant_and_nothing_else_does() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let granted = town.granting(|_| (), "olga", "globex");
    let post = FakePost::new(move |_| answer(200, &granted));
    let switch = town.switch_by(town.endpoint(post.clone()));
    switch
        .session(&session, &owner, To::Tenant("globex"))
        .await
        .unwrap();
    {
        let asked = post.asked.lock().unwrap();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].destination.url.as_str(), AUTHORITY);
        assert_eq!(&asked[0].body[..], br#"{"tenantId":"globex"}"#);
        let authorization = asked[0].authorization.as_ref().unwrap();
        assert!(authorization.is_sensitive());
        let sent = claims(authorization.to_str().unwrap().strip_prefix("Bearer ").unwrap());
        assert_eq!(
            (&sent["sub"], &sent["tenantId"]),
            (&json!("olga"), &json!("acme"))
        );
        assert!(
            !format!("{:?} {:?}", asked[0], owner).contains("eyJ"),
            "a token does not print itself"
        );
    }
    // The authority's yes reaches further than the role, and no further than its own tenant.
    assert_eq!(at(&town, &session, &owner).await, ("globex".into(), 1));
}

#[tokio::test]
async fn n8_a_token_that_is_not_in_full_what_was_asked_for_changes_nothing() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let post = FakePost::new(|_| silence());
    let switch = town.switch_by(town.endpoint(post.clone()));
    let good = town.granting(|_| (), "olga", "acme-eu")["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let forged = dev_key();
    let other_key = {
        let mut request = town.request("olga", "OWNER", Some("acme-eu"));
        request.issuer = ISSUER.into();
        forged.mint(&request, support::START).unwrap()
    };
    let unsigned = format!("{}.", good.rsplit_once('.').unwrap().0);
    let claim = good.split('.').nth(1).unwrap();
    let none = format!("eyJhbGciOiJub25lIn0.{claim}.x");
    let mut tokens = vec![
        ("unsigned", json!({ "access_token": unsigned })),
        ("alg none", json!({ "access_token": none })),
        ("another key", json!({ "access_token": other_key })),
        ("another tenant", town.granting(|_| (), "olga", "acme-us")),
        ("its home", town.granting(|_| (), "olga", "acme")),
        ("another subject", town.granting(|_| (), "otto", "acme-eu")),
        (
            "no tenant",
            town.granting(|request| request.tenant = None, "olga", "acme-eu"),
        ),
        (
            "another client",
            town.granting(|request| request.client = Some("x".into()), "olga", "acme-eu"),
        ),
        (
            "another audience",
            town.granting(
                |request| request.audience = "https://x.example".into(),
                "olga",
                "acme-eu",
            ),
        ),
        (
            "another issuer",
            town.granting(
                |request| request.issuer = "https://x.example".into(),
                "olga",
                "acme-eu",
            ),
        ),
        (
            "a machine's",
            town.granting(|request| request.kind = PrincipalKind::Machine, "olga", "acme-eu"),
        ),
        ("elsewhere", json!({ "token": good })),
        ("no text", json!({ "access_token": 7 })),
        ("no object", json!([good])),
    ];
    for (what, body) in tokens.drain(..) {
        post.now(move |_| answer(200, &body));
        let result = switch.session(&session, &owner, To::Tenant("acme-eu")).await;
        assert!(result.is_err(), "{what}");
        assert!(
            switch.context(None, &owner, To::Tenant("acme-eu")).await.is_err(),
            "{what}"
        );
    }
    for status in [201, 204, 301, 302, 307, 400, 401, 403, 404, 429, 500, 503] {
        let body = json!({ "access_token": good });
        post.now(move |_| answer(status, &body));
        assert!(
            switch
                .session(&session, &owner, To::Tenant("acme-eu"))
                .await
                .is_err(),
            "{status}"
        );
    }
    post.now(|_| {
        Ok(PostAnswer {
            status: 200,
            body: "{\"access_token\":\"a\",\"access_token\":\"b\"}".into(),
        })
    });
    assert!(
        switch
            .session(&session, &owner, To::Tenant("acme-eu"))
            .await
            .is_err()
    );
    post.now(|_| silence());
    let error = switch
        .session(&session, &owner, To::Tenant("acme-eu"))
        .await
        .unwrap_err();
    assert_eq!(error.public().code, ErrorCode::Upstream);
    assert_eq!(at(&town, &session, &owner).await, ("acme".into(), 0));
    assert!(town.rooms.tokens.is_empty());
    let body = json!({ "access_token": good });
    post.now(move |_| answer(200, &body));
    switch
        .session(&session, &owner, To::Tenant("acme-eu"))
        .await
        .unwrap();
}

#[tokio::test]
async fn n8_an_expired_answer_is_none() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let granted = town.granting(
        |request| request.ttl = std::time::Duration::from_secs(5),
        "olga",
        "acme-eu",
    );
    let switch = town.switch_by(town.endpoint(FakePost::new(move |_| answer(200, &granted))));
    // Within the leeway that a caller's token has; here there is none.
    town.clock.pass(5);
    assert!(
        switch
            .session(&session, &owner, To::Tenant("acme-eu"))
            .await
            .is_err()
    );
    assert_eq!(at(&town, &session, &owner).await, ("acme".into(), 0));
}

#[tokio::test]
async fn n11_the_active_tenant_is_the_tokens_and_not_the_arguments() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let mut body = town.granting(|_| (), "olga", "acme-us");
    body["tenantId"] = json!("acme-eu");
    body["active_tenant_id"] = json!("acme-eu");
    let switch = town.switch_by(town.endpoint(FakePost::new(move |_| answer(200, &body))));
    assert_eq!(
        switch.session(&session, &owner, To::Tenant("acme-eu")).await,
        Err(SwitchError::TenantUnavailable)
    );
    assert_eq!(at(&town, &session, &owner).await, ("acme".into(), 0));
}

fn token_of(town: &Town, binding: &Binding) -> Result<Value, CredentialError> {
    let credential = town.rooms.tokens.credential(binding)?;
    Ok(claims(std::str::from_utf8(credential.secret.expose()).unwrap()))
}

#[tokio::test]
async fn the_authoritys_token_goes_with_its_binding_and_the_home_token_never_stands_in() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let binding = async || town.sessions.binding(&session, &owner.principal).await.unwrap();
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
        .session(&session, &owner, To::Tenant("acme-eu"))
        .await
        .unwrap();
    let first = binding().await;
    assert_eq!(token_of(&town, &first).unwrap()["tenantId"], "acme-eu");
    grant("acme-us", 300);
    switch
        .session(&session, &owner, To::Tenant("acme-us"))
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
    let renewed = switch.session(&session, &owner, To::Renewed).await.unwrap();
    assert_eq!((renewed.active, renewed.generation), (id("acme-us"), 3));
    assert_eq!(token_of(&town, &binding().await).unwrap()["tenantId"], "acme-us");
    grant("acme", 60);
    switch.session(&session, &owner, To::Home).await.unwrap();
    assert_eq!(token_of(&town, &binding().await).unwrap()["tenantId"], "acme");
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
            .session(&session, &owner, To::Tenant(tenant))
            .await
            .unwrap();
        // One binding is one token, whichever connection asks.
        let binding = town.sessions.binding(&session, &owner.principal).await.unwrap();
        let (data, media) = (
            town.rooms.tokens.credential(&binding).unwrap(),
            town.rooms.tokens.credential(&binding).unwrap(),
        );
        assert!(Arc::ptr_eq(&data, &media));
        assert_eq!(token_of(&town, &binding).unwrap()["tenantId"], tenant);
    }
    // A switch that fails leaves both with what they have.
    post.now(|_| silence());
    assert!(
        switch
            .session(&session, &owner, To::Tenant("acme-us"))
            .await
            .is_err()
    );
    let binding = town.sessions.binding(&session, &owner.principal).await.unwrap();
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
        .session(&session, &owner, To::Tenant("acme-eu"))
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
        .session(&session, &owner, To::Tenant("globex"))
        .await
        .unwrap();
    town.directory.suspend(&id("globex"), &by()).await.unwrap();
    assert!(town.sessions.binding(&session, &owner.principal).await.is_err());
    assert!(
        switch
            .session(&session, &owner, To::Tenant("globex"))
            .await
            .is_err()
    );
}

fn exchange(town: &Town, post: Arc<FakePost>) -> Arc<TokenExchange> {
    let settings = ExchangeSettings {
        destination: Destination::new("https://idp.example/token".parse().unwrap()),
        client_id: "toolhost".into(),
        client_secret: Secret::from("s3cr3t".to_owned()),
        audience: Some("https://api.example".into()),
        resource: None,
        scope_prefix: "tenant:".into(),
        issuer: config(ISSUER),
    };
    let (net, clock) = (town.net.clone(), town.clock.clone());
    Arc::new(TokenExchange::with_clock(settings, post, net, clock).unwrap())
}

#[tokio::test]
async fn n7_a_token_exchange_asks_as_rfc_8693_says_and_takes_a_token_of_the_hosts_client() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let granted = town.granting(
        |request| request.client = Some("toolhost".into()),
        "olga",
        "acme-eu",
    );
    let post = FakePost::new(move |_| answer(200, &granted));
    let switch = town.switch_by(exchange(&town, post.clone()));
    switch
        .session(&session, &owner, To::Tenant("acme-eu"))
        .await
        .unwrap();
    {
        let asked = post.asked.lock().unwrap();
        let form: std::collections::BTreeMap<String, String> =
            url::form_urlencoded::parse(&asked[0].body).into_owned().collect();
        assert_eq!(
            form["grant_type"],
            "urn:ietf:params:oauth:grant-type:token-exchange"
        );
        assert_eq!(claims(&form["subject_token"])["sub"], "olga");
        assert_eq!(form["scope"], "tenant:acme-eu");
        assert_eq!(form["audience"], "https://api.example");
        assert_eq!(form.len(), 6);
        assert!(
            asked[0]
                .authorization
                .as_ref()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("Basic ")
        );
    }
    for client in [None, Some("other")] {
        let body = town.granting(
            |request| request.client = client.map(Into::into),
            "olga",
            "acme-us",
        );
        post.now(move |_| answer(200, &body));
        assert!(
            switch
                .session(&session, &owner, To::Tenant("acme-us"))
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn a_caller_without_a_token_asks_no_remote_authority() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let bare = Presented {
        bearer: None,
        ..owner.clone()
    };
    let post = FakePost::new(|_| silence());
    let authorities: [Arc<dyn Authority>; 2] = [town.endpoint(post.clone()), exchange(&town, post.clone())];
    for authority in authorities {
        let error = town
            .switch_by(authority)
            .session(&session, &bare, To::Tenant("acme-eu"))
            .await;
        assert_eq!(error, Err(SwitchError::TenantUnavailable));
    }
    assert_eq!(post.count(), 0);
}

#[tokio::test]
async fn an_authority_that_everybody_can_listen_to_is_refused_at_load() {
    let town = Town::new(Reach::Authority).await;
    let post = FakePost::new(|_| silence());
    for (url, allow_http) in [
        ("http://app.example/switch", false),
        ("ftp://app.example/switch", true),
        ("https://user:pw@app.example/switch", true),
    ] {
        let settings = HttpAuthoritySettings {
            destination: Destination {
                allow_http,
                ..Destination::new(url.parse().unwrap())
            },
            token: "/access_token".into(),
            issuer: config(ISSUER),
        };
        let refused = HttpAuthority::new(settings, post.clone(), town.net.clone());
        assert!(matches!(refused, Err(ConfigError::Cleartext { .. })), "{url}");
    }
    assert_eq!(config(ISSUER).audience, [AUDIENCE]);
}

#[tokio::test]
async fn a_host_that_has_no_grant_knows_no_reach_but_home() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let granted = town.granting(|_| (), "olga", "acme-eu");
    let switch = town.switch_by(town.endpoint(FakePost::new(move |_| answer(200, &granted))));
    switch
        .session(&session, &owner, To::Tenant("acme-eu"))
        .await
        .unwrap();
    // Restarted: the choice is in the store, the grant was in memory. The role would reach the tenant in the tree.
    let restarted = Sessions::new(Rooms {
        tokens: Arc::new(AuthorityTokens::new(town.clock.clone())),
        ..town.rooms.clone()
    });
    let refused = restarted.binding(&session, &owner.principal).await.unwrap_err();
    assert_eq!(refused.public().code, ErrorCode::TenantUnavailable);
    let fresh = restarted.create(&owner.principal).await.unwrap();
    assert_eq!(
        tenant_of(&restarted.binding(&fresh, &owner.principal).await.unwrap()),
        "acme"
    );
}

#[tokio::test]
async fn n8_the_authoritys_issuer_is_the_configured_one_and_need_not_be_the_logins() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let key = dev_key();
    town.net.serve_keys(&support::jwks_url(support::OTHER), &[&key]);
    let mut request = town.request("olga", "ADMIN", Some("acme-eu"));
    request.issuer = support::OTHER.into();
    let token = json!({ "access_token": key.mint(&request, support::START).unwrap() });
    let settings = HttpAuthoritySettings {
        destination: Destination::new(AUTHORITY.parse().unwrap()),
        token: "/access_token".into(),
        issuer: config(support::OTHER),
    };
    let post = FakePost::new(move |_| answer(200, &token));
    let authority =
        HttpAuthority::with_clock(settings, post.clone(), town.net.clone(), town.clock.clone()).unwrap();
    let switch = town.switch_by(Arc::new(authority));
    switch
        .session(&session, &owner, To::Tenant("acme-eu"))
        .await
        .unwrap();
    let logins = town.granting(|_| (), "olga", "acme-us");
    post.now(move |_| answer(200, &logins));
    assert!(
        switch
            .session(&session, &owner, To::Tenant("acme-us"))
            .await
            .is_err()
    );
}
