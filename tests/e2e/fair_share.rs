//! One tenant's calls under load, and another's (T39, T40).

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use toolhost_harness::{
    Billing, Host, Issuer, Rig, RigBuilder, Upstream, connection, guests, text_of,
};
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tools::{CallOptions, CallOutcome, ModelArgs};

/// A call that goes on beside the test.
fn begin(
    rig: &Rig,
    tenant: &str,
    tool: &'static str,
) -> JoinHandle<Result<CallOutcome, PublicError>> {
    let (tools, binding) = (Arc::clone(&rig.tools), rig.binding(tenant));
    tokio::spawn(async move {
        tools
            .call(&binding, tool, ModelArgs::default(), CallOptions::default())
            .await
    })
}

fn refusal(error: &PublicError) -> (ErrorCode, &str) {
    (error.code, error.param.as_deref().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_takes_all_the_slots_it_gets_leaves_room_for_others() {
    let rig = Rig::for_plugin("evil")
        .slots(8)
        .limits(|limits| limits.cpu_ms = Some(1_500))
        .build()
        .await;
    let spinning: Vec<_> = (0..20).map(|_| begin(&rig, "acme", "spin")).collect();
    while rig.sandbox.free_slots() > 1 {
        tokio::task::yield_now().await;
    }
    let refused = rig.call("acme", "spin", json!({})).await.unwrap_err();
    assert_eq!(refusal(&refused), (ErrorCode::Busy, "server.slots"));
    assert!(refused.message.contains("share"), "{refused}");
    for tenant in ["globex", "initech"] {
        let output = rig
            .call(tenant, "spin_rounds", json!({"n": 1}))
            .await
            .unwrap();
        assert!(!text_of(&output).is_empty());
    }
    let held = begin(&rig, "globex", "spin");
    while rig.sandbox.free_slots() > 0 {
        tokio::task::yield_now().await;
    }
    let refused = rig
        .call("initech", "spin_rounds", json!({"n": 1}))
        .await
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::Busy);
    assert!(
        refused.message.contains("every slot"),
        "the host's own end: {refused}"
    );
    let mut codes = Vec::new();
    for call in spinning.into_iter().chain([held]) {
        codes.push(call.await.unwrap().unwrap_err().code);
    }
    let of = |code| codes.iter().filter(|known| **known == code).count();
    assert_eq!((of(ErrorCode::LimitExceeded), of(ErrorCode::Busy)), (8, 13));
}

/// Only slots are scarce: a plugin of many core instances cannot use up what another tenant's calls
/// need beside a free slot.
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_of_many_parts_takes_slots_and_nothing_else_from_other_tenants() {
    let rig = RigBuilder::default()
        .component(guests::with_instances(&guests::component("evil"), 50))
        .slots(16)
        .limits(|limits| limits.cpu_ms = Some(1_500))
        .build()
        .await;
    let spinning: Vec<_> = (0..20).map(|_| begin(&rig, "acme", "spin")).collect();
    while rig.sandbox.free_slots() > 2 {
        tokio::task::yield_now().await;
    }
    for tenant in ["globex", "initech"] {
        let output = rig
            .call(tenant, "spin_rounds", json!({"n": 1}))
            .await
            .unwrap();
        assert!(!text_of(&output).is_empty());
    }
    let mut codes = Vec::new();
    for call in spinning {
        codes.push(call.await.unwrap().unwrap_err().code);
    }
    let of = |code| codes.iter().filter(|known| **known == code).count();
    assert_eq!(
        (of(ErrorCode::LimitExceeded), of(ErrorCode::Busy)),
        (14, 6),
        "{codes:?}"
    );
}

/// By order and not by time: the late one gets a whole share of the threads, and the others six
/// parts of one.
#[tokio::test(flavor = "multi_thread")]
async fn the_one_call_of_a_tenant_ends_before_the_many_that_another_began_earlier() {
    let rig = Rig::for_plugin("evil")
        .slots(16)
        .limits(|limits| limits.cpu_ms = Some(400))
        .build()
        .await;
    let many: Vec<_> = (0..12).map(|_| begin(&rig, "acme", "spin")).collect();
    while rig.sandbox.free_slots() > 4 {
        tokio::task::yield_now().await;
    }
    let late = begin(&rig, "globex", "spin");
    assert_eq!(
        late.await.unwrap().unwrap_err().code,
        ErrorCode::LimitExceeded
    );
    let ended = many.iter().filter(|call| call.is_finished()).count();
    assert!(
        ended <= 2,
        "{ended} of those that share one tenant's turns ended first"
    );
    for call in many {
        call.await.unwrap().unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_a_minute_are_counted_for_each_tenant_and_the_refusal_names_its_key() {
    let rig = Rig::for_plugin("echo")
        .tenant_limits(|limits| limits.calls_per_minute = 3)
        .build()
        .await;
    let call = async |tenant| rig.call(tenant, "echo", json!({"message": "x"})).await;
    for _ in 0..3 {
        call("acme").await.unwrap();
    }
    let events = rig.audit.events().len();
    let error = call("acme").await.unwrap_err();
    assert_eq!(
        refusal(&error),
        (ErrorCode::RateLimitExceeded, "calls_per_minute")
    );
    assert!(
        error
            .retry_after
            .is_some_and(|seconds| (1..=21).contains(&seconds)),
        "{error:?}"
    );
    assert!(
        error.message.contains("[tenant_limits] calls_per_minute"),
        "{error}"
    );
    for _ in 0..50 {
        call("acme").await.unwrap_err();
    }
    // The first refusal of a source is recorded, by a task of its own.
    assert!(
        rig.audit.events().len() <= events + 1,
        "a flood does not fill the record"
    );
    call("globex").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_once_and_their_cpu_are_counted() {
    let rig = Rig::for_plugin("evil")
        .limits(|limits| limits.cpu_ms = Some(300))
        .tenant_limits(|limits| {
            limits.calls_at_once = 1;
            limits.cpu_ms_per_minute = 200;
        })
        .build()
        .await;
    let spinning = begin(&rig, "acme", "spin");
    while rig.sandbox.free_slots() == 8 {
        tokio::task::yield_now().await;
    }
    let error = rig
        .call("acme", "spin_rounds", json!({"n": 1}))
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&error),
        (ErrorCode::RateLimitExceeded, "calls_at_once")
    );
    spinning.await.unwrap().unwrap_err();
    let error = rig
        .call("acme", "spin_rounds", json!({"n": 1}))
        .await
        .unwrap_err();
    assert_eq!(
        refusal(&error),
        (ErrorCode::RateLimitExceeded, "cpu_ms_per_minute")
    );
    rig.call("globex", "spin_rounds", json!({"n": 1}))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_their_bytes_are_counted_over_calls_and_end_before_they_leave() {
    let router = Router::new()
        .route("/echo", get(|| async { "ok" }))
        .route("/echo", post(|| async { "ok" }));
    let upstream = Upstream::start(router).await;
    let rig = Rig::for_plugin("evil")
        .connection(connection("echo", &upstream.url()))
        .credential("acme", "echo", "tok-acme-0123456789")
        .credential("globex", "echo", "tok-globex-0123456789")
        .tenant_limits(|limits| {
            limits.requests_per_minute = 5;
            limits.sent_bytes_per_minute = 1_000;
        })
        .build()
        .await;
    let many = async |tenant, n: u32| {
        let args = json!({"connection": "echo", "path": "/echo", "n": n});
        let output = rig.call(tenant, "many_http", args).await.unwrap();
        output.structured.unwrap()
    };
    assert_eq!(many("acme", 3).await["answered"], 3);
    let refused = many("acme", 3).await;
    assert_eq!(refused["answered"], 2, "{refused}");
    let error = &refused["error"];
    assert_eq!(
        (&error["code"], &error["sent"]),
        (&json!("limit"), &json!(false))
    );
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("requests_per_minute"),
        "{error}"
    );
    assert_eq!(upstream.seen().len(), 5);
    let post = async || {
        let args = json!({
            "connection": "echo", "method": "POST", "path": "/echo", "body": "x".repeat(1_200), "n": 2,
            "headers": [["content-type", "text/plain"]],
        });
        rig.call("globex", "many_http", args)
            .await
            .unwrap()
            .structured
            .unwrap()
    };
    let refused = post().await;
    assert_eq!(refused["answered"], 1, "{refused}");
    assert!(
        refused.to_string().contains("sent_bytes_per_minute"),
        "{refused}"
    );
    assert_eq!(upstream.seen().len(), 6);
}

#[tokio::test]
async fn at_the_http_door_a_budget_is_429_with_a_time_to_come_back() {
    let (billing, issuer) = (
        Billing::start().await,
        Issuer::es256("https://issuer.test", "k1"),
    );
    let host = Host::with()
        .billing(&billing.url())
        .config(
            "[tenants.acme.limits]\ncalls_per_minute = 1\n[tenant_limits]\ncalls_per_minute = 2",
        )
        .issuer(&issuer)
        .start();
    let call = async |tenant: &str| {
        reqwest::Client::new()
            .post(host.at("/api/v1/tools/list_invoices/call"))
            .bearer_auth(issuer.token(tenant))
            .json(&json!({"arguments": {"limit": 1}}))
            .send()
            .await
            .unwrap()
    };
    assert_eq!(call("acme").await.status(), 200);
    let refused = call("acme").await;
    assert_eq!(refused.status(), 429);
    let seconds: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=61).contains(&seconds));
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(
        (&problem["code"], &problem["param"]),
        (&json!("rate_limit_exceeded"), &json!("calls_per_minute"))
    );
    for status in [200, 200, 429] {
        assert_eq!(call("globex").await.status(), status);
    }
    assert_eq!(billing.upstream.seen().len(), 3);
}
