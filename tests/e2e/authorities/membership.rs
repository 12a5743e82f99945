//! An application says of which tenants a caller is a member (E27).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};

use super::*;

/// The tenants of ada, or a status.
#[derive(Clone)]
struct Members(Arc<Mutex<Result<Vec<&'static str>, u16>>>);

async fn members(
    State(members): State<Members>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<axum::Json<Value>, StatusCode> {
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let expected = json!({"issuer": "https://issuer.test", "subject": "ada", "client": "client-1", "tenant": "acme", "role": "owner"});
    if headers["authorization"] != "Bearer a-token-of-the-host-0123456789" || asked != expected {
        return Err(StatusCode::IM_A_TEAPOT);
    }
    match &*members.0.lock().unwrap() {
        Ok(ids) => Ok(axum::Json(
            json!({"tenants": ids.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>() }),
        )),
        Err(status) => Err(StatusCode::from_u16(*status).unwrap()),
    }
}

struct Club {
    members: Members,
    endpoint: Upstream,
    issuer: Issuer,
    host: Host,
}

impl Club {
    async fn with_tenants(ids: Vec<&'static str>) -> Self {
        let members_of = Members(Arc::new(Mutex::new(Ok(ids))));
        let router = Router::new()
            .route("/members", post(members))
            .with_state(members_of.clone());
        let endpoint = Upstream::start(router).await;
        let issuer = Issuer::es256("https://issuer.test", "k1");
        let host = Host::with()
            .data()
            .issuer(&issuer)
            .config("role_claim = \"/role\"\nmay_grant = [\"owner\"]")
            .plugin("evil")
            .file("token", "a-token-of-the-host-0123456789\n")
            .config("[connections.billing]\nbase = \"https://b.test\"\n[connections.echo]\nbase = \"https://e.test\"")
            .config("[tenants.acme]\n[tenants.globex]\nparent = \"acme\"\n[tenants.initech]\nparent = \"acme\"")
            .config("[tenancy]\nswitch = \"free\"")
            .config(&format!(
                "[tenancy.membership]\nurl = \"{}/members\"\ntoken_file = \"token\"\nmax_age = 1\ntimeout = 2\nallow_http = true\nallow_loopback = true",
                endpoint.url()
            ))
            .start();
        Self {
            members: members_of,
            endpoint,
            issuer,
            host,
        }
    }

    fn now(&self, members: Result<Vec<&'static str>, u16>) {
        *self.members.0.lock().unwrap() = members;
    }

    fn token(&self) -> String {
        self.issuer
            .mint(&json!({"tenantId": "acme", "sub": "ada", "role": "owner"}))
    }

    async fn status(&self) -> (u16, Value) {
        let sent = reqwest::Client::new()
            .get(self.host.at("/api/v1/tools"))
            .bearer_auth(self.token())
            .send()
            .await
            .unwrap();
        (
            sent.status().as_u16(),
            sent.json::<Value>().await.unwrap()["code"].clone(),
        )
    }

    async fn says(&self, session: &str, body: Value) -> Value {
        let sent = mcp::legacy(
            Method::POST,
            self.host.url(),
            &self.token(),
            Some(session),
            Some(body),
        )
        .await;
        mcp::answer(sent).await
    }
}

const MORE_THAN_A_SECOND: Duration = Duration::from_millis(1_300);

#[tokio::test]
async fn a_membership_that_ended_is_refused_within_its_age() {
    let club = Club::with_tenants(vec!["acme", "globex", "unheard-of"]).await;
    let session = mcp::initialize(club.host.url(), &club.token(), json!({})).await;
    let listed = club
        .says(&session, mcp::call("list_tenants", json!({})))
        .await;
    let text = listed["result"]["structuredContent"]["tenants"].to_string();
    assert!(
        text.contains("globex") && !text.contains("initech") && !text.contains("unheard-of"),
        "{text}"
    );
    assert_eq!(
        code(&club.says(&session, switch("initech")).await),
        "tenant_unavailable"
    );
    assert_eq!(
        active(&club.says(&session, switch("globex")).await),
        "globex"
    );
    let put = || mcp::call("kv", json!({"operation": "put", "key": "k", "value": "v"}));
    assert_eq!(
        club.says(&session, put()).await["result"]["isError"],
        json!(false)
    );
    club.now(Ok(vec!["acme"]));
    tokio::time::sleep(MORE_THAN_A_SECOND).await;
    assert_eq!(
        code(&club.says(&session, put()).await),
        "tenant_unavailable"
    );
    club.now(Ok(vec!["globex"]));
    tokio::time::sleep(MORE_THAN_A_SECOND).await;
    assert_eq!(
        club.status().await,
        (403, json!("tenant_unavailable")),
        "no member at home"
    );
    // No question had the caller's token.
    let seen = club.endpoint.seen();
    assert!(
        seen.iter()
            .all(|seen| !format!("{seen:?}").contains(&club.token()[..40]))
    );
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_serves_nobody() {
    let club = Club::with_tenants(vec!["acme"]).await;
    assert_eq!(club.status().await.0, 200);
    for answer in [Err(500), Err(403), Err(204)] {
        club.now(answer);
        tokio::time::sleep(MORE_THAN_A_SECOND).await;
        assert_eq!(club.status().await, (503, json!("busy")), "nobody knows");
    }
    club.now(Ok(vec!["acme"]));
    // A failure is told for two seconds to those that come after it.
    for _ in 0..300 {
        if club.status().await.0 == 200 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("it is never asked again");
}

/// The endpoint narrows: what the host itself suspends or removes stays so, whatever an application
/// says.
#[tokio::test]
async fn a_tenant_that_is_suspended_here_is_not_served_because_an_application_names_it() {
    let club = Club::with_tenants(vec!["acme", "globex"]).await;
    let session = mcp::initialize(club.host.url(), &club.token(), json!({})).await;
    assert_eq!(
        active(&club.says(&session, switch("globex")).await),
        "globex"
    );
    assert_eq!(club.host.verb(&["tenant", "suspend", "globex"]).status, 0);
    let put = mcp::call("kv", json!({"operation": "put", "key": "k", "value": "v"}));
    assert_eq!(
        code(&club.says(&session, put).await),
        "tenant_unavailable",
        "at once"
    );
    assert_eq!(club.host.verb(&["tenant", "suspend", "acme"]).status, 0);
    assert_eq!(club.status().await, (403, json!("tenant_unavailable")));
}
