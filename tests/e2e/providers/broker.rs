use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use toolhost_harness::{Issuer, Upstream};

use crate::providers::{World, connection, not_connected};

/// What the host is known by at the broker.
pub(crate) const TOKEN: &str = "the-hosts-own-secret-0123456789";

/// So long the host believes that there is none.
const THERE_IS_NONE: Duration = Duration::from_millis(2_100);

/// A credential that is newer is not asked for again because it was refused.
const NEW: Duration = Duration::from_millis(1_100);

type Keeps = Arc<Mutex<HashMap<String, String>>>;

/// An application's own store, by what it is asked.
pub(crate) struct Broker {
    pub upstream: Upstream,
    keeps: Keeps,
}

impl Broker {
    pub(crate) async fn start() -> Self {
        let keeps = Keeps::default();
        let router = Router::new()
            .route("/credentials", post(answer))
            .with_state(Arc::clone(&keeps));
        Self {
            upstream: Upstream::start(router).await,
            keeps,
        }
    }

    pub(crate) fn keep(&self, question: &Value, secret: &str) {
        self.keeps
            .lock()
            .unwrap()
            .insert(question.to_string(), secret.to_owned());
    }

    pub(crate) fn drop(&self, question: &Value) {
        self.keeps.lock().unwrap().remove(&question.to_string());
    }

    pub(crate) fn provider(&self) -> String {
        format!(
            "[providers.own]\nkind = \"broker\"\nurl = \"{}/credentials\"\ntoken_file = \"broker.secret\"\nallow_http = true\nallow_loopback = true",
            self.upstream.url()
        )
    }
}

async fn answer(
    State(keeps): State<Keeps>,
    headers: HeaderMap,
    Json(question): Json<Value>,
) -> Response {
    let authorization = headers
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    if authorization != Some(&format!("Bearer {TOKEN}")) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match keeps.lock().unwrap().get(&question.to_string()) {
        Some(secret) => {
            Json(json!({ "secret": secret, "external_tenant_id": "acct-7" })).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

pub(crate) fn of(tenant: &str) -> Value {
    json!({ "connection": "billing", "tenant": tenant })
}

pub(crate) async fn world(broker: &Broker, lines: &str) -> World {
    let lines = format!("credentials = \"own\"\n{lines}\n{}", broker.provider());
    World::start(|builder, url| {
        builder
            .file("broker.secret", TOKEN)
            .config(&connection(url, &lines))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tenant_has_what_the_broker_keeps_for_it_and_a_revoked_one_is_refused_at_once() {
    let broker = Broker::start().await;
    broker.keep(&of("acme"), "tok-of-acme-0123456789");
    let world = world(
        &broker,
        "headers = { x-account-id = \"{external_tenant_id}\" }",
    )
    .await;
    assert_eq!(world.invoices("acme").await, (200, None));
    assert_eq!(world.invoices("globex").await, not_connected());
    broker.keep(&of("globex"), "tok-of-globex-0123456789");
    tokio::time::sleep(THERE_IS_NONE).await;
    assert_eq!(world.invoices("globex").await, (200, None));
    assert_eq!(
        world.ledger.bearers(),
        ["tok-of-acme-0123456789", "tok-of-globex-0123456789"]
    );
    assert_eq!(
        world.ledger.seen()[0].header("x-account-id"),
        Some("acct-7")
    );

    broker.drop(&of("acme"));
    let dropped = Instant::now();
    while world.invoices("acme").await != not_connected() {
        assert!(dropped.elapsed() < Duration::from_secs(20), "T54");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.invoices("globex").await, (200, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_credential_is_asked_for_again_and_sent_once_more_where_that_is_harmless() {
    let broker = Broker::start().await;
    broker.keep(&of("acme"), "tok-old-0123456789");
    let lines = format!(
        "credentials = \"own\"\n{}\nfresh_for_ms = 300000",
        broker.provider()
    );
    let world = World::start(|builder, url| {
        builder
            .file("broker.secret", TOKEN)
            .config(&connection(url, &lines))
    })
    .await;
    assert_eq!(world.invoices("acme").await, (200, None));
    tokio::time::sleep(NEW).await;
    broker.keep(&of("acme"), "tok-new-0123456789");
    world.ledger.refuse("tok-old-0123456789");
    assert_eq!(world.invoices("acme").await, (200, None));
    assert_eq!(
        world.ledger.bearers(),
        [
            "tok-old-0123456789",
            "tok-old-0123456789",
            "tok-new-0123456789"
        ]
    );

    // A refund is not tried twice, whatever is known by then.
    tokio::time::sleep(NEW).await;
    broker.keep(&of("acme"), "tok-next-0123456789");
    world.ledger.refuse("tok-new-0123456789");
    let refund = json!({ "invoice_id": "in_1", "amount_cents": 5 });
    let (status, _) = world
        .call_as(world.issuer.token("acme"), "create_refund", refund)
        .await;
    assert_ne!(status, 200);
    let posted = world
        .ledger
        .seen()
        .iter()
        .filter(|seen| seen.method == "POST")
        .count();
    assert_eq!(posted, 1);
    assert_eq!(world.invoices("acme").await, (200, None));
    assert_eq!(
        world.ledger.bearers().last().unwrap(),
        "tok-next-0123456789"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_asked_for_by_issuer_and_subject_and_gets_no_tenants_credential() {
    let broker = Broker::start().await;
    let of_user = |issuer: &str| {
        let user = json!({ "issuer": issuer, "subject": "user-1" });
        json!({ "connection": "billing", "tenant": "acme", "user": user })
    };
    broker.keep(&of("acme"), "tok-of-the-tenant-0123");
    broker.keep(
        &of_user("https://other.test"),
        "tok-of-another-issuers-user",
    );
    let other = Issuer::es256("https://other.test", "k2");
    let lines = format!(
        "credentials = \"own\"\ncredential_of = \"user\"\n{}",
        broker.provider()
    );
    let world = World::start(|builder, url| {
        builder
            .file("broker.secret", TOKEN)
            .issuer(&other)
            .config(&connection(url, &lines))
    })
    .await;
    assert_eq!(world.invoices("acme").await, not_connected());
    let (status, _) = world
        .call_as(other.token("acme"), "list_invoices", json!({}))
        .await;
    assert_eq!(status, 200);
    assert_eq!(world.ledger.bearers(), ["tok-of-another-issuers-user"]);
    broker.keep(&of_user("https://issuer.test"), "tok-of-this-issuers-user");
    tokio::time::sleep(THERE_IS_NONE).await;
    assert_eq!(world.invoices("acme").await, (200, None));
    assert_eq!(
        world.ledger.bearers().last().unwrap(),
        "tok-of-this-issuers-user"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_does_not_know_the_host_serves_nobody() {
    let broker = Broker::start().await;
    broker.keep(&of("acme"), "tok-of-acme-0123456789");
    let lines = format!("credentials = \"own\"\n{}", broker.provider());
    let world = World::start(|builder, url| {
        builder
            .file("broker.secret", "another-secret-0123456789")
            .config(&connection(url, &lines))
    })
    .await;
    let unavailable = (503, Some("credential_unavailable".to_owned()));
    assert_eq!(world.invoices("acme").await, unavailable);
    assert!(world.ledger.seen().is_empty());
}
