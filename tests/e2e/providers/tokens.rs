use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use toolhost_harness::Upstream;

use crate::providers::servers::Accounts;
use crate::providers::{World, connection, not_connected};

const SECRET: &str = "a-secret-of-the-client-0123";

fn provider(kind: &str, token_url: &str, lines: &str) -> String {
    format!(
        "credentials = \"tokens\"\n[providers.tokens]\nkind = \"{kind}\"\ntoken_url = \"{token_url}\"\nallow_http = true\nallow_loopback = true\n{lines}\n[data]\ndir = \"data\""
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_own_client_gets_its_tokens_from_a_real_server_and_a_wrong_one_none() {
    let accounts =
        tokio::task::block_in_place(|| Accounts::start(SECRET, "http://127.0.0.1:4999/x"));
    let token_url = format!("{}/token", accounts.issuer);
    let world = World::start(|builder, url| {
        builder.config(&connection(url, &provider("oauth2-client", &token_url, "")))
    })
    .await;
    assert_eq!(world.invoices("acme").await, not_connected());
    world.set("acme/billing", SECRET, &["client_id=toolhost"]);
    world.set(
        "globex/billing",
        "not-the-secret-of-the-client",
        &["client_id=toolhost"],
    );
    assert_eq!(world.invoices("acme").await, (200, None));
    assert_eq!(world.invoices("globex").await, not_connected());
    assert_eq!(world.invoices("acme").await, (200, None));
    let bearers = world.ledger.bearers();
    assert_eq!(
        (bearers.len(), &bearers[0]),
        (2, &bearers[1]),
        "one token for both calls"
    );
    assert!(!bearers[0].contains(SECRET) && bearers[0].len() > 20);

    assert_eq!(
        world
            .host
            .verb(&["credential", "remove", "acme/billing"])
            .status,
        0
    );
    assert_eq!(world.invoices("acme").await, not_connected(), "T54");
}

/// An authorization server that takes its time and counts.
async fn slow(State(count): State<Arc<AtomicU64>>) -> Json<Value> {
    let number = count.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(500)).await;
    // The first one ends before a call that begins now might; the others last.
    let life = if number == 0 { 30 } else { 3_600 };
    Json(
        json!({ "access_token": format!("at-number-{number}-0123456789"), "token_type": "Bearer", "expires_in": life }),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_calls_that_need_one_expired_token_make_one_refresh() {
    let count = Arc::new(AtomicU64::new(0));
    let router = Router::new()
        .route("/token", post(slow))
        .with_state(Arc::clone(&count));
    let server = Upstream::start(router).await;
    let token_url = format!("{}/token", server.url());
    let world = World::start(|builder, url| {
        builder
            .server("slots = 128")
            .config("[tenant_limits]\ncalls_per_minute = 6000")
            .config(&connection(
                url,
                &provider("oauth2-client", &token_url, "client_id = \"toolhost\""),
            ))
    })
    .await;
    world.set("acme/billing", SECRET, &[]);
    assert_eq!(world.invoices("acme").await, (200, None));
    let calls = (0..100).map(|_| world.invoices("acme"));
    for answer in futures::future::join_all(calls).await {
        assert_eq!(answer, (200, None));
    }
    assert_eq!(
        count.load(Ordering::SeqCst),
        2,
        "the one that ended, and one after it"
    );
    let bearers = world.ledger.bearers();
    assert_eq!(bearers.len(), 101);
    assert!(
        bearers[1..]
            .iter()
            .all(|bearer| bearer == "at-number-1-0123456789")
    );
}

/// RFC 8693, as strict as section 2.1 lets a server be.
async fn exchange(
    State(secret): State<String>,
    headers: axum::http::HeaderMap,
    body: String,
) -> axum::response::Response {
    use axum::response::IntoResponse;
    let form: std::collections::BTreeMap<String, String> =
        url::form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect();
    let expected = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        (
            "requested_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
        ("audience", "https://billing.example.com"),
        ("scope", "read write"),
    ];
    let is_known = headers
        .get("authorization")
        .is_some_and(|value| value.as_bytes() == secret.as_bytes());
    if !is_known
        || form.len() != 6
        || expected
            .iter()
            .any(|(name, value)| form.get(*name).is_none_or(|own| own != value))
    {
        return (
            axum::http::StatusCode::BAD_REQUEST,
            Json(json!({ "error": "invalid_request" })),
        )
            .into_response();
    }
    let subject = &form["subject_token"];
    Json(json!({
        "access_token": format!("exchanged-for-{subject}"), "token_type": "Bearer", "expires_in": 3_600,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }))
    .into_response()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_token_is_exchanged_and_the_callers_own_goes_nowhere() {
    let expected = reqwest::Client::new()
        .get("http://127.0.0.1:1/")
        .basic_auth("toolhost", Some(SECRET))
        .build()
        .unwrap();
    let expected = expected.headers()["authorization"]
        .to_str()
        .unwrap()
        .to_owned();
    let router = Router::new()
        .route("/token", post(exchange))
        .with_state(expected);
    let server = Upstream::start(router).await;
    let lines = "client_id = \"toolhost\"\nclient_secret_file = \"own.secret\"\nsubject_token_type = \"jwt\"\naudience = [\"https://billing.example.com\"]\nscope = [\"read\", \"write\"]";
    let token_url = format!("{}/token", server.url());
    let world = World::start(|builder, url| {
        builder.file("own.secret", SECRET).config(&connection(
            url,
            &provider("token-exchange", &token_url, lines),
        ))
    })
    .await;
    for tenant in ["acme", "globex"] {
        world.set(
            &format!("{tenant}/billing"),
            &format!("subject-of-{tenant}-0123"),
            &[],
        );
        assert_eq!(world.invoices(tenant).await, (200, None));
    }
    assert_eq!(
        world.ledger.bearers(),
        [
            "exchanged-for-subject-of-acme-0123",
            "exchanged-for-subject-of-globex-0123"
        ]
    );
    // T16: neither caller's token is in anything that was sent.
    let signature = world
        .issuer
        .token("acme")
        .rsplit('.')
        .next()
        .unwrap()
        .to_owned();
    for asked in server.seen() {
        assert!(
            !String::from_utf8_lossy(&asked.body).contains("client-1")
                && !asked.uri.contains(&signature)
        );
    }
}

/// A token endpoint whose answer is what the refresh token says.
async fn moody(body: String) -> axum::response::Response {
    use axum::response::IntoResponse;
    let form: std::collections::BTreeMap<String, String> =
        url::form_urlencoded::parse(body.as_bytes())
            .into_owned()
            .collect();
    let good = |more: Value| {
        let mut answer =
            json!({ "access_token": "at-0123456789", "token_type": "Bearer", "expires_in": 3_600 });
        for (name, value) in more.as_object().unwrap() {
            answer[name] = value.clone();
        }
        answer
    };
    let (status, headers, answer) = match form["refresh_token"].trim_start_matches("refresh-mode-")
    {
        "down" => (503, vec![], json!("busy")),
        "limited" => (
            429,
            vec![("retry-after", "3")],
            json!({ "error": "rate_limited" }),
        ),
        "revoked" => (400, vec![], json!({ "error": "invalid_grant" })),
        "created" => (201, vec![], good(json!({}))),
        "null-refresh" => (200, vec![], good(json!({ "refresh_token": null }))),
        "empty-refresh" => (200, vec![], good(json!({ "refresh_token": "" }))),
        "null-life" => (200, vec![], good(json!({ "expires_in": null }))),
        "zero-life" => (200, vec![], good(json!({ "expires_in": 0 }))),
        "real-life" => (200, vec![], good(json!({ "expires_in": 3599.0 }))),
        "text-life" => (200, vec![], good(json!({ "expires_in": "3600" }))),
        "odd-type" => (200, vec![], good(json!({ "token_type": null, "more": {} }))),
        // What was rotated is stored, whatever is wrong with the rest.
        "rotated" => (
            200,
            vec![],
            json!({ "access_token": 7, "refresh_token": "refresh-mode-created" }),
        ),
        other => panic!("{other}"),
    };
    let status = axum::http::StatusCode::from_u16(status).unwrap();
    let mut response = (status, Json(answer)).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_no_refusal_and_a_good_token_is_used_however_its_answer_is_written() {
    let server = Upstream::start(Router::new().route("/token", post(moody))).await;
    let lines = provider(
        "oauth2-refresh",
        &format!("{}/token", server.url()),
        "client_id = \"toolhost\"\nclient_auth = \"none\"",
    );
    let world = World::start(|builder, url| builder.config(&connection(url, &lines))).await;
    let mode = async |mode: &str| {
        world.set("acme/billing", &format!("refresh-mode-{mode}"), &[]);
        world
            .call_as(world.issuer.token("acme"), "list_invoices", json!({}))
            .await
    };
    let (status, revoked) = mode("revoked").await;
    assert_eq!((status, &revoked["code"]), (424, &json!("not_connected")));
    for (name, wait) in [("down", Value::Null), ("limited", json!(3))] {
        let (status, body) = mode(name).await;
        assert_eq!(
            (status, &body["code"]),
            (503, &json!("credential_unavailable")),
            "{name}: {body}"
        );
        assert_eq!(body["retry_after"], wait, "{name}: {body}");
        // The other door.
        let call = toolhost_harness::mcp::modern(
            world.host.url(),
            toolhost_harness::mcp::call("list_invoices", json!({})),
            json!({}),
        );
        let answer = call
            .bearer_auth(world.issuer.token("acme"))
            .send()
            .await
            .unwrap();
        let answer = toolhost_harness::mcp::answer(answer).await;
        assert!(
            answer.to_string().contains("credential_unavailable"),
            "{name}: {answer}"
        );
        assert_eq!(answer["result"]["isError"], true);
    }
    for name in [
        "created",
        "null-refresh",
        "empty-refresh",
        "null-life",
        "zero-life",
        "real-life",
        "text-life",
        "odd-type",
    ] {
        let (status, body) = mode(name).await;
        assert_eq!(status, 200, "{name}: {body}");
    }
    let (status, body) = mode("rotated").await;
    assert_eq!(
        (status, &body["code"]),
        (503, &json!("credential_unavailable")),
        "{body}"
    );
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(
        world.invoices("acme").await,
        (200, None),
        "the next one was kept"
    );
}
