//! A guest that knows `wasi:http` alone gets out the same way as any other: through the connections
//! that were granted, by the endpoints that were granted, with the credential that it never sees.
//! What a URL can be bent into does not help it (T7, T9, T13, T15, T44 to T46).

mod refusals;

use axum::Router;
use serde_json::{Value, json};
use toolhost_harness::leak::{encodings, encodings_of_parts};
use toolhost_harness::{LeakDetector, RawUpstream, Rig, Upstream, connection};
use toolhost_policy::{CheckedConnection, LimitsPatch};

const ACME: &str = "Tq9/acme+0123456789/aBcDeF==";

struct Scene {
    rig: Rig,
    echo: Upstream,
    billing: Upstream,
}

async fn scene_with(limits: impl FnOnce(&mut LimitsPatch)) -> Scene {
    let fine =
        || Router::new().fallback(|| async { ([("x-internal", "1"), ("etag", "\"1\"")], "fine") });
    let (echo, billing) = (Upstream::start(fine()).await, Upstream::start(fine()).await);
    let rig = Rig::for_plugin("wasi-http")
        .connection(connection("echo", &echo.url()))
        .connection(connection("billing", &billing.url()))
        .credential("acme", "echo", ACME)
        .credential("acme", "billing", "billing-of-acme-0123456789")
        .limits(limits)
        .build()
        .await;
    Scene { rig, echo, billing }
}

async fn scene() -> Scene {
    scene_with(|_| {}).await
}

impl Scene {
    async fn fetch(&self, request: Value) -> Value {
        self.rig
            .call("acme", "fetch", request)
            .await
            .unwrap()
            .structured
            .unwrap()
    }

    fn requests(&self) -> usize {
        self.echo.seen().len() + self.billing.seen().len()
    }

    async fn refused(&self, request: Value) {
        let before = self.requests();
        let answer = self.fetch(request.clone()).await;
        assert!(
            answer["error"].is_string() && answer.get("status").is_none(),
            "{request}: {answer}"
        );
        assert_eq!(self.requests(), before, "{request} left the host");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_url_reaches_its_connection_with_the_credential() {
    let scene = scene().await;
    let answer = scene
        .fetch(json!({"url": "http://echo.test/echo/a%20b?q=1%262&n=3", "headers": [["x-probe", "1"]]}))
        .await;
    assert_eq!(
        (&answer["status"], &answer["body"]),
        (&json!(200), &json!("fine")),
        "{answer}"
    );
    assert!(
        !answer["headers"].to_string().contains("x-internal")
            && answer["headers"].to_string().contains("etag")
    );
    let seen = scene.echo.seen().remove(0);
    assert_eq!(
        (seen.method.as_str(), seen.uri.as_str()),
        ("GET", "/echo/a%20b?q=1%262&n=3")
    );
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Bearer {ACME}").as_str())
    );
    assert_ne!(
        seen.header("host"),
        Some("echo.test"),
        "the operator's address, not the guest's name for it"
    );
    let post = json!({"url": "http://billing.test/v1/invoices/7/refunds", "method": "POST", "body": "{}",
        "headers": [["content-type", "application/json"], ["idempotency-key", "k"]]});
    assert_eq!(scene.fetch(post).await["status"], 200);
    let seen = scene.billing.seen().remove(0);
    assert_eq!(
        seen.header("authorization"),
        Some("Bearer billing-of-acme-0123456789")
    );
    assert_eq!(
        (seen.uri.as_str(), &seen.body[..]),
        ("/v1/invoices/7/refunds", &b"{}"[..])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn host_and_length_are_the_hosts_own_whatever_a_guest_says() {
    let scene = scene().await;
    for (name, value) in [
        ("host", "evil.test"),
        ("content-length", "1"),
        ("content-length", "99999"),
    ] {
        let request = json!({"url": "http://echo.test/echo", "method": "POST", "body": "0123456789", "headers": [[name, value]]});
        let answer = scene.fetch(request).await;
        if let Some(seen) = scene.echo.seen().last() {
            assert_ne!(seen.header("host"), Some("evil.test"), "{answer}");
            assert_eq!(
                (seen.header("content-length"), seen.body.len()),
                (Some("10"), 10),
                "{answer}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_requests_have_the_same_bounds_as_through_our_own_import() {
    let scene = scene_with(|limits| {
        limits.request_bytes = Some(10_000);
        limits.response_bytes = Some(3);
        limits.http_calls = Some(4);
    })
    .await;
    let post = |bytes: usize| json!({"url": "http://echo.test/echo", "method": "POST", "body": "x".repeat(bytes)});
    scene.refused(post(10_001)).await;
    // The body of the answer is one byte too long: none of it is read.
    let answer = scene.fetch(post(10_000)).await;
    assert!(
        answer["error"].is_string() && answer["body"].as_str().is_none_or(str::is_empty),
        "{answer}"
    );
    assert_eq!(scene.echo.seen().len(), 1);
    let answer = scene
        .rig
        .call(
            "acme",
            "many",
            json!({"url": "http://echo.test/echo", "n": 9}),
        )
        .await
        .unwrap();
    let text = answer.structured.unwrap().to_string();
    assert!(scene.echo.seen().len() <= 5, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_without_a_credential_reaches_nothing() {
    let scene = scene().await;
    let answer = scene
        .rig
        .call("initech", "fetch", json!({"url": "http://echo.test/echo"}))
        .await
        .unwrap();
    assert!(answer.structured.unwrap()["error"].is_string());
    assert_eq!(scene.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_at_which_two_connections_are_granted_is_an_error_and_not_a_guess() {
    use std::sync::Arc;
    use toolhost_egress::Egress;
    use toolhost_policy::{ConnectionName, Grant, Limits, Manifest};

    let manifest = "[plugin]\nname = \"two\"\nversion = \"1\"\n\
        [[connection]]\nname = \"a\"\nprincipal = \"any\"\nbase = \"http://same.test\"\n\
        [[connection.allow]]\nmethod = \"GET\"\npath = \"/x\"\n\
        [[connection]]\nname = \"b\"\nprincipal = \"any\"\nbase = \"http://same.test\"\n\
        [[connection.allow]]\nmethod = \"GET\"\npath = \"/x\"\n\
        [[connection.allow]]\nmethod = \"GET\"\npath = \"/y\"\n";
    let manifest = Manifest::parse(manifest.as_bytes()).unwrap();
    let connections = ["a", "b"]
        .map(|name| {
            (
                ConnectionName::parse(name).unwrap(),
                CheckedConnection::new(connection(name, "http://127.0.0.1:9")).unwrap(),
            )
        })
        .into();
    let grant = Arc::new(Grant::resolve(&manifest, &connections, &Limits::default()).unwrap());
    let rig = Rig::for_plugin("echo").build().await;
    let egress = Egress::new(
        Arc::new(toolhost_net::Network::system().unwrap()),
        std::collections::BTreeMap::default(),
        Arc::new(toolhost_harness::Recorder::default()),
    )
    .unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    let call = egress.call(rig.binding("acme"), grant, 1, deadline);
    let resolve = |path: &str| {
        let url = format!("http://same.test{path}").parse().unwrap();
        Egress::resolve_absolute(&call, "GET", &url, vec![], None)
    };
    assert!(
        resolve("/x")
            .unwrap_err()
            .message
            .contains("two connections")
    );
    assert_eq!(resolve("/y").unwrap().connection, "b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reflected_credential_does_not_come_through_wasi_http_either() {
    let detector = LeakDetector::new([ACME]);
    for (name, spelt) in encodings(ACME).into_iter().chain(encodings_of_parts(ACME)) {
        let mut answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\netag: \"".to_vec();
        if spelt.iter().all(|byte| matches!(byte, 0x20..=0x7e)) {
            answer.extend_from_slice(&spelt);
        }
        answer.extend_from_slice(b"\"\r\n\r\n{\"echo\":\"");
        answer.extend_from_slice(&spelt);
        answer.extend_from_slice(b"\"}");
        let upstream = RawUpstream::saying(answer).await;
        let rig = Rig::for_plugin("wasi-http")
            .connection(connection("echo", &upstream.url()))
            .credential("acme", "echo", ACME)
            .build()
            .await;
        let answer = rig
            .call("acme", "fetch", json!({"url": "http://echo.test/echo"}))
            .await
            .unwrap();
        let answer = answer.structured.unwrap();
        let text = format!("{answer} {}", answer["body"].as_str().unwrap_or_default());
        assert_eq!(detector.find(text.as_bytes()), None, "{name}: {text}");
        assert!(upstream.received().contains(ACME));
    }
}
