//! An application's membership endpoint: E27.

use crate::support;

use std::sync::Arc;

use serde_json::{Value, json};
use support::TestClock;
use support::town::{FakePost, Town, answer, id, silence};
use toolhost_identity::{Binding, Caller, Principal};
use toolhost_tenancy::{
    Bearer, Destination, DirectoryError, MembershipDirectory, MembershipEndpoint, Reach,
    SingleDirectory, TenantDirectory,
};

fn directory(post: &Arc<FakePost>, clock: &Arc<TestClock>) -> MembershipDirectory {
    let endpoint = MembershipEndpoint {
        destination: Destination::new("https://app.example/members".parse().unwrap()),
        token: Some(Bearer::new("host-token")),
        max_age: 60,
    };
    MembershipDirectory::with_clock(&endpoint, post.clone(), clock.clone()).unwrap()
}

fn members() -> Value {
    json!({"tenants": [
        {"id": "acme", "parent": "holding", "display_name": "Acme"},
        {"id": "acme-eu", "parent": "acme"},
    ]})
}

async fn reaches(
    directory: &MembershipDirectory,
    who: &Arc<Principal>,
    tenant: &str,
) -> Result<bool, DirectoryError> {
    let tree = directory.tree_for(who).await?;
    Ok(Binding::active(who.clone(), &id(tenant), 1, &tree).is_ok())
}

#[tokio::test]
async fn an_answer_narrows_what_the_role_reaches_and_never_widens_it() {
    let town = Town::new(Reach::Tree).await;
    let post = FakePost::new(|_| answer(200, &members()));
    let directory = directory(&post, &town.clock);
    let owner = town.owner().await.principal;
    assert_eq!(reaches(&directory, &owner, "acme-eu").await, Ok(true));
    assert_eq!(
        reaches(&directory, &owner, "acme-us").await,
        Ok(false),
        "no member there"
    );
    let admin = town.who("adam", "ADMIN", Some("acme")).await.principal;
    assert_eq!(
        reaches(&directory, &admin, "acme-eu").await,
        Ok(false),
        "member, and no owner"
    );
    let asked = post.asked.lock().unwrap();
    assert_eq!(asked.len(), 2);
    let body: Value = serde_json::from_slice(&asked[0].body).unwrap();
    assert_eq!(body["subject"], "olga");
    assert_eq!(body["role"], "owner");
    assert_eq!(
        asked[0].authorization.as_ref().unwrap(),
        "Bearer host-token"
    );
}

#[tokio::test]
async fn e27_a_yes_lasts_sixty_seconds_and_not_one_more() {
    let town = Town::new(Reach::Tree).await;
    let post = FakePost::new(|_| answer(200, &members()));
    let directory = directory(&post, &town.clock);
    let owner = town.owner().await.principal;
    assert!(directory.cached_tree(&owner).is_none());
    assert_eq!(reaches(&directory, &owner, "acme-eu").await, Ok(true));
    post.now(|_| answer(200, &json!({"tenants": [{"id": "acme"}]})));
    town.clock.pass(59);
    assert!(directory.cached_tree(&owner).is_some());
    assert_eq!(reaches(&directory, &owner, "acme-eu").await, Ok(true));
    town.clock.pass(1);
    assert!(directory.cached_tree(&owner).is_none());
    assert_eq!(reaches(&directory, &owner, "acme-eu").await, Ok(false));
    post.now(|_| silence());
    directory.forget();
    assert!(reaches(&directory, &owner, "acme").await.is_err());
}

#[tokio::test]
async fn e27_whatever_is_no_clear_answer_is_no_tenant() {
    let town = Town::new(Reach::Tree).await;
    let post = FakePost::new(|_| silence());
    let directory = directory(&post, &town.clock);
    let owner = town.owner().await.principal;
    for body in [
        json!({}),
        json!([]),
        json!({"tenants": [{"id": "ACME"}]}),
        json!({"tenants": [{"id": "acme"}, {"id": "acme"}]}),
        json!({"tenants": [{"id": "acme", "parent": "acme"}]}),
        json!({"tenants": [{"id": "acme", "role": "superadmin"}]}),
    ] {
        post.now(move |_| answer(200, &body));
        assert!(reaches(&directory, &owner, "acme").await.is_err());
    }
    for status in [201, 302, 401, 404, 500] {
        post.now(move |_| answer(status, &members()));
        assert!(
            reaches(&directory, &owner, "acme").await.is_err(),
            "{status}"
        );
    }
    // A no is an answer, and is not kept. A failure is told for a moment to those that come after
    // it.
    town.clock.pass(3);
    post.now(|_| answer(200, &json!({"tenants": []})));
    let tree = directory.tree_for(&owner).await.unwrap();
    assert!(Caller::from_principal(owner.clone(), &tree).is_err());
    assert!(directory.cached_tree(&owner).is_none());
    post.now(|_| answer(200, &members()));
    assert_eq!(reaches(&directory, &owner, "acme-eu").await, Ok(true));
}

#[tokio::test]
async fn one_callers_tenants_are_not_anothers() {
    let town = Town::new(Reach::Tree).await;
    let post = FakePost::new(|request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let tenant = if body["subject"] == "olga" {
            "acme"
        } else {
            "globex"
        };
        answer(200, &json!({"tenants": [{"id": tenant}]}))
    });
    let directory = directory(&post, &town.clock);
    let olga = town.who("olga", "SUPERADMIN", Some("acme")).await.principal;
    let otto = town
        .who("otto", "SUPERADMIN", Some("globex"))
        .await
        .principal;
    for _ in 0..2 {
        assert_eq!(reaches(&directory, &olga, "acme").await, Ok(true));
        assert_eq!(reaches(&directory, &olga, "globex").await, Ok(false));
        assert_eq!(reaches(&directory, &otto, "globex").await, Ok(true));
        assert_eq!(reaches(&directory, &otto, "acme").await, Ok(false));
    }
    assert_eq!(post.count(), 2);
}

#[tokio::test]
async fn an_answer_among_the_hosts_own_tenants_adds_none_and_revives_none() {
    let town = Town::new(Reach::Tree).await;
    let named = json!({"tenants": [
        {"id": "acme"}, {"id": "acme-eu-fr", "parent": "acme"}, {"id": "unheard-of"}, {"id": "globex", "suspended": true},
    ]});
    let post = FakePost::new(move |_| answer(200, &named));
    let directory = directory(&post, &town.clock).with_tenants(town.directory.clone());
    let owner = town.owner().await.principal;
    let tree = directory.tree_for(&owner).await.unwrap();
    let ids: Vec<&str> = tree.iter().map(|tenant| tenant.id.as_str()).collect();
    assert_eq!(ids, ["acme", "acme-eu-fr", "globex"]);
    assert!(!tree.is_available(&id("globex")), "suspended there");
    assert_eq!(
        tree.get(&id("acme-eu-fr")).unwrap().parent,
        None,
        "where it stands is the host's to say"
    );
    assert_eq!(reaches(&directory, &owner, "acme-eu-fr").await, Ok(false));
    assert!(
        Arc::ptr_eq(&tree, &directory.cached_tree(&owner).unwrap()),
        "it is made once"
    );
    // What the host suspends is not served at once, though the one between the two is no member's.
    town.directory
        .suspend(&id("acme-eu"), &support::town::by())
        .await
        .unwrap();
    let tree = directory.cached_tree(&owner).unwrap();
    assert!(!tree.is_available(&id("acme-eu-fr")) && tree.is_available(&id("acme")));
    assert_eq!(post.count(), 1);
}

#[tokio::test]
async fn a_single_tenant_is_every_tokens_as_long_as_the_directory_serves_it() {
    let town = Town::new(Reach::Tree).await;
    let single = SingleDirectory::new(town.directory.clone(), id("acme-eu"));
    let nobodys = town.who("nick", "ADMIN", None).await.principal;
    let another = town.who("olga", "OWNER", Some("acme")).await.principal;
    let by = support::town::by();
    let tree = single.cached_tree(&nobodys).unwrap();
    assert_eq!(tree.len(), 1);
    assert_eq!(
        Binding::home(nobodys.clone(), &tree).unwrap().tenant(),
        &id("acme-eu")
    );
    assert!(Binding::home(another, &tree).is_err());
    town.directory.suspend(&id("acme"), &by).await.unwrap();
    let tree = single.cached_tree(&nobodys).unwrap();
    assert!(
        Binding::home(nobodys.clone(), &tree).is_err(),
        "one above it is suspended"
    );
    town.directory.resume(&id("acme"), &by).await.unwrap();
    for gone in ["acme-eu-fr", "acme-eu"] {
        town.directory.remove(&id(gone), &by).await.unwrap();
    }
    let tree = single.cached_tree(&nobodys).unwrap();
    assert!(Binding::home(nobodys, &tree).is_err());
}
