//! One of many waits for all: A13. Whoever floods the host with questions to others delays itself
//! alone.

use crate::support;

use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use http::HeaderMap;
use serde_json::{Value, json};
use support::town::{Town, answer, id};
use support::{AUDIENCE, ISSUER, START, TestClock, World, directory, headers};
use toolhost_policy::Secret;
use toolhost_tenancy::{
    AuthError, Destination, DirectoryError, FetchError, Introspection, MembershipDirectory,
    MembershipEndpoint, Post, PostAnswer, PostRequest, Reach, Tenancy, TenantDirectory as _,
};

/// Answers what a test says, or never.
struct Endpoint {
    hangs: fn(&str) -> bool,
    answer: fn(&str) -> Result<PostAnswer, FetchError>,
    asked: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Endpoint")
    }
}

impl Endpoint {
    fn new(
        hangs: fn(&str) -> bool,
        answer: fn(&str) -> Result<PostAnswer, FetchError>,
    ) -> Arc<Self> {
        Arc::new(Self {
            hangs,
            answer,
            asked: Mutex::default(),
        })
    }

    fn count(&self, of: &str) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|body| body.contains(of))
            .count()
    }
}

impl Post for Endpoint {
    fn post(&self, request: PostRequest) -> BoxFuture<'_, Result<PostAnswer, FetchError>> {
        Box::pin(async move {
            let body = String::from_utf8(request.body.to_vec()).unwrap();
            self.asked.lock().unwrap().push(body.clone());
            if (self.hangs)(&body) {
                std::future::pending::<()>().await;
            }
            (self.answer)(&body)
        })
    }
}

fn active() -> Value {
    json!({"active": true, "iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": START + 600, "tenantId": "acme"})
}

fn introspecting(post: &Arc<Endpoint>) -> (Arc<Tenancy>, Arc<TestClock>) {
    let world = World::new();
    let endpoint = Introspection {
        destination: Destination::new("https://idp.example/introspect".parse().unwrap()),
        client_id: "host".into(),
        client_secret: Secret::from("s".to_owned()),
    };
    let (net, clock) = (world.net.clone(), world.clock.clone());
    let tenancy = Tenancy::with_clock(
        vec![support::config(ISSUER)],
        directory(),
        None,
        net,
        clock.clone(),
    );
    let tenancy = tenancy
        .unwrap()
        .with_introspection(ISSUER, &endpoint, post.clone())
        .unwrap();
    (Arc::new(tenancy), clock)
}

fn bearer(token: &str) -> HeaderMap {
    headers(&[&format!("Bearer {token}")])
}

async fn admit(tenancy: &Tenancy, token: &str, from: &str) -> Result<(), AuthError> {
    tenancy
        .admit_from(&bearer(token), Some(from.parse().unwrap()))
        .await
        .map(drop)
}

/// Lets everything that can go on go on.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a13_made_up_tokens_of_one_address_delay_neither_others_nor_those_that_are_known() {
    let post = Endpoint::new(|body| body.contains("made-up"), |_| answer(200, &active()));
    let (tenancy, clock) = introspecting(&post);
    assert!(admit(&tenancy, "known", "192.0.2.1").await.is_ok());
    let flood: Vec<_> = (0..400)
        .map(|n| {
            let tenancy = Arc::clone(&tenancy);
            tokio::spawn(async move { admit(&tenancy, &format!("made-up-{n}"), "192.0.2.1").await })
        })
        .collect();
    settle().await;
    assert_eq!(post.count("made-up"), 8, "a share of the places");
    assert!(admit(&tenancy, "another", "192.0.2.2").await.is_ok());
    // From the very address of the flood, and asked about anew.
    clock.pass(60);
    assert!(admit(&tenancy, "known", "192.0.2.1").await.is_ok());
    assert_eq!(post.count("token=known"), 2);
    // More than may wait were refused at once, and refused as what may be tried again.
    let ended: Vec<_> = flood.iter().filter(|one| one.is_finished()).collect();
    assert_eq!(ended.len(), 400 - 8 - 256);
    for one in flood {
        if one.is_finished() {
            let error = one.await.unwrap().unwrap_err();
            assert_eq!(
                (error.clone(), error.status()),
                (AuthError::Overloaded, 503)
            );
        } else {
            one.abort();
        }
    }
}

#[tokio::test]
async fn a13_a_token_is_asked_about_once_and_a_no_is_remembered_for_a_moment() {
    let post = Endpoint::new(
        |_| false,
        |body| {
            if body.contains("silent") {
                return Err(FetchError("nobody answers".into()));
            }
            answer(
                200,
                &if body.contains("bad") {
                    json!({"active": false})
                } else {
                    active()
                },
            )
        },
    );
    let (tenancy, clock) = introspecting(&post);
    let many = (0..50).map(|_| admit(&tenancy, "good", "192.0.2.1"));
    assert!(
        futures::future::join_all(many)
            .await
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(post.count("good"), 1);
    for (token, status, lasts) in [("bad", 401, 5), ("silent", 503, 2)] {
        for _ in 0..20 {
            let error = admit(&tenancy, token, "192.0.2.1").await.unwrap_err();
            assert_eq!(error.status(), status);
        }
        assert_eq!(post.count(token), 1, "{token}");
        clock.pass(lasts);
        assert!(admit(&tenancy, token, "192.0.2.1").await.is_err());
        assert_eq!(post.count(token), 2, "{token}");
    }
}

#[tokio::test]
async fn a13_an_application_that_hangs_for_one_tenant_is_waited_for_by_no_other() {
    let town = Town::new(Reach::Tree).await;
    let post = Endpoint::new(
        |body| body.contains(r#""tenant":"acme""#),
        |_| answer(200, &json!({"tenants": [{"id": "globex"}]})),
    );
    let endpoint = MembershipEndpoint {
        destination: Destination::new("https://app.example/members".parse().unwrap()),
        token: None,
        max_age: 60,
    };
    let members = MembershipDirectory::with_clock(&endpoint, post.clone(), town.clock.clone());
    let members = Arc::new(members.unwrap());
    let ask = |principal: Arc<toolhost_identity::Principal>| {
        let members = Arc::clone(&members);
        tokio::spawn(async move { members.tree_for(&principal).await })
    };
    let one = town.who("olga", "OWNER", Some("acme")).await.principal;
    let mut waiting: Vec<_> = (0..400).map(|_| ask(one.clone())).collect();
    settle().await;
    assert_eq!(
        post.count("olga"),
        1,
        "one question however many wait for it"
    );
    for n in 0..40 {
        waiting.push(ask(town
            .who(&format!("user-{n}"), "OWNER", Some("acme"))
            .await
            .principal));
    }
    settle().await;
    assert_eq!(
        post.count("acme"),
        8,
        "a tenant has its share of the places"
    );
    let other = town.who("otto", "OWNER", Some("globex")).await.principal;
    let tree = members.tree_for(&other).await.unwrap();
    assert!(tree.get(&id("globex")).is_some());
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a13_a_membership_that_could_not_be_asked_for_is_not_asked_for_again_at_once() {
    let town = Town::new(Reach::Tree).await;
    let post = Endpoint::new(|_| false, |_| Err(FetchError("nobody answers".into())));
    let endpoint = MembershipEndpoint {
        destination: Destination::new("https://app.example/members".parse().unwrap()),
        token: None,
        max_age: 60,
    };
    let members =
        MembershipDirectory::with_clock(&endpoint, post.clone(), town.clock.clone()).unwrap();
    let who = town.owner().await.principal;
    for _ in 0..20 {
        assert!(matches!(
            members.tree_for(&who).await,
            Err(DirectoryError::Unavailable(_))
        ));
    }
    assert_eq!(post.count(""), 1);
    town.clock.pass(2);
    assert!(members.tree_for(&who).await.is_err());
    assert_eq!(post.count(""), 2);
}
