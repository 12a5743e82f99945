//! E8: each request of an adapter's tool is the one that was shown when it was discovered, in every
//! member. The adapter here sends whatever it is told; its tool was shown as `POST /things/{id}`.

use axum::Router;
use axum::routing::any;
use serde_json::{Value, json};
use toolhost_harness::{Host, Issuer, Upstream};

use crate::adapters::{builder, call, issuer, text};

struct World {
    upstream: Upstream,
    issuer: Issuer,
    host: Host,
}

impl World {
    async fn start() -> Self {
        let (upstream, issuer) = (
            Upstream::start(Router::new().fallback(any(async || "ok"))).await,
            issuer(),
        );
        let lines = format!("spec = \"evil.json\"\nbase = \"{}\"", upstream.url());
        let host = builder(&issuer, "evil-adapter", &lines)
            .file("evil.json", "{}")
            .start();
        Self {
            upstream,
            issuer,
            host,
        }
    }

    /// What the adapter heard of a request that differs from the one it was shown with.
    async fn says(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut request = json!({
            "method": "POST", "path": "/things/{id}", "parameters": [["id", "7"]],
            "query": [["limit", "1"], ["filter[a]", "x"]],
            "headers": [["x-trace", "t"], ["cookie", "theme=dark"], ["content-type", "application/json"]],
            "body": "{}",
        });
        change(&mut request);
        let (status, body) = call(&self.host, &self.issuer, "acme", "billing__send", request).await;
        assert_eq!(status, 200, "{body}");
        text(&body).to_owned()
    }

    async fn refused(&self, what: &str, change: impl FnOnce(&mut Value)) {
        let (before, said) = (self.upstream.seen().len(), self.says(change).await);
        assert!(
            said.starts_with("denied") || said.starts_with("invalid-request"),
            "{what}: {said}"
        );
        assert_eq!(
            self.upstream.seen().len(),
            before,
            "{what}: something was sent"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_differs_in_any_member_is_refused_before_anything_is_sent() {
    let world = World::start().await;
    assert_eq!(
        world.says(|_| {}).await,
        "sent: 200",
        "the one that was shown"
    );
    let seen = world.upstream.seen().pop().unwrap();
    assert_eq!(seen.header("cookie"), Some("theme=dark"));
    for method in ["GET", "PUT", "DELETE", "post"] {
        world
            .refused(method, |request| request["method"] = json!(method))
            .await;
    }
    for path in [
        "/things",
        "/things/{ID}",
        "/things/7",
        "/admin",
        "/things/{id}/",
        "//evil.example",
    ] {
        world
            .refused(path, |request| request["path"] = json!(path))
            .await;
    }
    for key in ["admin", "filter", "filter[a", "Limit"] {
        world
            .refused(key, |request| request["query"] = json!([[key, "1"]]))
            .await;
    }
    for header in [
        "x-other",
        "authorization",
        "Cookie2",
        "host",
        "user-agent",
        "mcp-session-id",
    ] {
        let content = ["content-type", "application/json"];
        world
            .refused(header, |request| {
                request["headers"] = json!([[header, "1"], content])
            })
            .await;
    }
    for cookie in ["session=1", "theme=dark; session=1", "theme=dark;session=1"] {
        let content = ["content-type", "application/json"];
        world
            .refused(cookie, |request| {
                request["headers"] = json!([["cookie", cookie], content])
            })
            .await;
    }
    for kind in [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
    ] {
        world
            .refused(kind, |request| {
                request["headers"] = json!([["content-type", kind]])
            })
            .await;
    }
    world
        .refused("no type", |request| request["headers"] = json!([]))
        .await;
    for connection in ["billing", "crm", "https://evil.example"] {
        world
            .refused(connection, |request| {
                request["connection"] = json!(connection)
            })
            .await;
    }
    for id in ["..", "a/b", "%2e%2e"] {
        world
            .refused(id, |request| request["parameters"] = json!([["id", id]]))
            .await;
    }
}
