//! What a plugin may try on its way out, through the real sandbox and a real socket: protected
//! headers, broken fields, other paths, other connections, other tenants' credentials (T7 to T9,
//! T13, T15, T39, T44 to T46).

mod budgets;
mod connections;
mod endpoints;
mod headers;

use axum::Router;
use serde_json::{Value, json};
use toolhost_harness::{Rig, Upstream, connection};
use toolhost_policy::{Connection, LimitsPatch};

const ACME: &str = "tok-acme-0123456789abcdef";
const GLOBEX: &str = "tok-globex-fedcba9876543210";

struct Scene {
    rig: Rig,
    echo: Upstream,
    billing: Upstream,
}

async fn fine() -> Upstream {
    Upstream::start(Router::new().fallback(|| async { "fine" })).await
}

async fn scene() -> Scene {
    scene_with(|_| {}, |_| {}).await
}

async fn scene_with(
    change: impl FnOnce(&mut Connection),
    limits: impl FnOnce(&mut LimitsPatch),
) -> Scene {
    let (echo, billing) = (fine().await, fine().await);
    let mut connected = connection("echo", &echo.url());
    change(&mut connected);
    let rig = rig(connected, connection("billing", &billing.url()), limits).await;
    Scene { rig, echo, billing }
}

async fn rig(echo: Connection, billing: Connection, limits: impl FnOnce(&mut LimitsPatch)) -> Rig {
    Rig::for_plugin("evil")
        .connection(echo)
        .connection(billing)
        .credential("acme", "echo", ACME)
        .credential("globex", "echo", GLOBEX)
        .credential("acme", "billing", "billing-of-acme-0123456789")
        .limits(limits)
        .build()
        .await
}

async fn probe(rig: &Rig, tenant: &str, request: Value) -> Value {
    rig.call(tenant, "http", request)
        .await
        .unwrap()
        .structured
        .unwrap()
}

fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or("answered")
}

impl Scene {
    async fn probe(&self, request: Value) -> Value {
        probe(&self.rig, "acme", request).await
    }

    /// The request is refused under this code, and nothing has left.
    async fn refused(&self, request: Value, expected: &str) {
        let before = self.requests();
        let answer = self.probe(request.clone()).await;
        assert_eq!(code(&answer), expected, "{request}: {answer}");
        assert_eq!(answer["error"]["sent"], false, "{request}");
        assert_eq!(self.requests(), before, "{request} left the host");
    }

    fn requests(&self) -> usize {
        self.echo.seen().len() + self.billing.seen().len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_request_carries_the_tenants_own_credential_and_nothing_of_the_guests_identity() {
    let scene = scene().await;
    let request = json!({"connection": "echo", "path": "/echo/{id}", "parameters": [["id", "a b/c"]], "headers": [["x-probe", "1"]]});
    // The slash is refused; the same without it goes out.
    scene.refused(request, "invalid-request").await;
    let request = json!({"connection": "echo", "path": "/echo/{id}", "parameters": [["id", "a b"]],
        "query": [["q", "x&n=2"]], "headers": [["x-probe", "1"], ["Accept", "text/plain"]]});
    assert_eq!(scene.probe(request).await["status"], 200);
    let seen = scene.echo.seen().remove(0);
    assert_eq!(
        (seen.method.as_str(), seen.uri.as_str()),
        ("GET", "/echo/a%20b?q=x%26n%3D2")
    );
    assert_eq!(
        seen.header("authorization"),
        Some(format!("Bearer {ACME}").as_str())
    );
    let mut names: Vec<_> = seen
        .headers
        .keys()
        .map(|name| name.as_str().to_owned())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "accept",
            "accept-encoding",
            "authorization",
            "host",
            "user-agent",
            "x-probe"
        ]
    );
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
}
