//! What it may answer: N8, N11.

use std::sync::Arc;

use serde_json::json;
use toolhost_identity::PrincipalKind;
use toolhost_policy::ErrorCode;
use toolhost_tenancy::{
    Destination, HttpAuthority, HttpAuthoritySettings, PostAnswer, Reach, SwitchError, SwitchTarget,
};

use crate::authority::at;
use crate::support::town::{AUTHORITY, FakePost, Town, answer, silence};
use crate::support::{ISSUER, config, dev_key};

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
        forged.mint(&request, crate::support::START).unwrap()
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
            town.granting(
                |request| request.client = Some("x".into()),
                "olga",
                "acme-eu",
            ),
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
            town.granting(
                |request| request.kind = PrincipalKind::Machine,
                "olga",
                "acme-eu",
            ),
        ),
        ("elsewhere", json!({ "token": good })),
        ("no text", json!({ "access_token": 7 })),
        ("no object", json!([good])),
    ];
    for (what, body) in tokens.drain(..) {
        post.now(move |_| answer(200, &body));
        let result = switch
            .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
            .await;
        assert!(result.is_err(), "{what}");
        assert!(
            switch
                .context(None, &owner, SwitchTarget::Tenant("acme-eu"))
                .await
                .is_err(),
            "{what}"
        );
    }
    for status in [201, 204, 301, 302, 307, 400, 401, 403, 404, 429, 500, 503] {
        let body = json!({ "access_token": good });
        post.now(move |_| answer(status, &body));
        assert!(
            switch
                .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
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
            .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
            .await
            .is_err()
    );
    post.now(|_| silence());
    let error = switch
        .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
        .await
        .unwrap_err();
    assert_eq!(error.public().code, ErrorCode::Upstream);
    assert_eq!(at(&town, &session, &owner).await, ("acme".into(), 0));
    assert!(town.deps.tokens.is_empty());
    let body = json!({ "access_token": good });
    post.now(move |_| answer(200, &body));
    switch
        .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
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
            .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
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
        switch
            .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
            .await,
        Err(SwitchError::TenantUnavailable)
    );
    assert_eq!(at(&town, &session, &owner).await, ("acme".into(), 0));
}

#[tokio::test]
async fn n8_the_authoritys_issuer_is_the_configured_one_and_need_not_be_the_logins() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let key = dev_key();
    town.net
        .serve_keys(&crate::support::jwks_url(crate::support::OTHER), &[&key]);
    let mut request = town.request("olga", "ADMIN", Some("acme-eu"));
    request.issuer = crate::support::OTHER.into();
    let token = json!({ "access_token": key.mint(&request, crate::support::START).unwrap() });
    let settings = HttpAuthoritySettings {
        destination: Destination::new(AUTHORITY.parse().unwrap()),
        token: "/access_token".into(),
        issuer: config(crate::support::OTHER),
    };
    let post = FakePost::new(move |_| answer(200, &token));
    let authority =
        HttpAuthority::with_clock(settings, post.clone(), town.net.clone(), town.clock.clone())
            .unwrap();
    let switch = town.switch_by(Arc::new(authority));
    switch
        .session(&session, &owner, SwitchTarget::Tenant("acme-eu"))
        .await
        .unwrap();
    let logins = town.granting(|_| (), "olga", "acme-us");
    post.now(move |_| answer(200, &logins));
    assert!(
        switch
            .session(&session, &owner, SwitchTarget::Tenant("acme-us"))
            .await
            .is_err()
    );
}
