//! What the authority is asked, and with whose token: N7.

use std::sync::Arc;

use serde_json::json;
use toolhost_tenancy::{
    Authority, Destination, HttpAuthority, HttpAuthoritySettings, IssuerConfigError, Reach,
    SwitchError, SwitchTarget, VerifiedCaller,
};

use crate::authority::{at, exchange};
use crate::support::town::{AUTHORITY, FakePost, Town, answer, claims, silence};
use crate::support::{AUDIENCE, ISSUER, config};

#[tokio::test]
async fn n7_the_endpoint_gets_the_callers_token_and_the_tenant_and_nothing_else_does() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let granted = town.granting(|_| (), "olga", "globex");
    let post = FakePost::new(move |_| answer(200, &granted));
    let switch = town.switch_by(town.endpoint(post.clone()));
    switch
        .session(&session, &owner, SwitchTarget::Tenant("globex"))
        .await
        .unwrap();
    {
        let asked = post.asked.lock().unwrap();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].destination.url.as_str(), AUTHORITY);
        assert_eq!(&asked[0].body[..], br#"{"tenantId":"globex"}"#);
        let authorization = asked[0].authorization.as_ref().unwrap();
        assert!(authorization.is_sensitive());
        let sent = claims(
            authorization
                .to_str()
                .unwrap()
                .strip_prefix("Bearer ")
                .unwrap(),
        );
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
async fn a_caller_without_a_token_asks_no_remote_authority() {
    let town = Town::new(Reach::Authority).await;
    let owner = town.owner().await;
    let session = town.sessions.create(&owner.principal).await.unwrap();
    let bare = VerifiedCaller {
        bearer: None,
        ..owner.clone()
    };
    let post = FakePost::new(|_| silence());
    let authorities: [Arc<dyn Authority>; 2] =
        [town.endpoint(post.clone()), exchange(&town, post.clone())];
    for authority in authorities {
        let error = town
            .switch_by(authority)
            .session(&session, &bare, SwitchTarget::Tenant("acme-eu"))
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
        assert!(
            matches!(refused, Err(IssuerConfigError::Cleartext { .. })),
            "{url}"
        );
    }
    assert_eq!(config(ISSUER).audience, [AUDIENCE]);
}
