//! MCP over HTTP by the clients that people use, and by requests that no client would make.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use toolhost_tests::billing::{NEVER, SLOW, invoice};
use toolhost_tests::clients::Client;
use toolhost_tests::{Billing, Host, Issuer, mcp};

const ISSUER: &str = "https://issuer.test";

/// A host before a billing system, for tenants acme and globex.
struct World {
    billing: Billing,
    issuer: Issuer,
    host: Host,
}

impl World {
    async fn start() -> Self {
        let (billing, issuer) = (Billing::start().await, Issuer::es256(ISSUER, "k1"));
        let host = Host::with().billing(&billing.url()).issuer(&issuer).start();
        Self { billing, issuer, host }
    }

    fn url(&self) -> &str {
        self.host.url()
    }

    fn token(&self, tenant: &str) -> String {
        self.issuer.token(tenant)
    }
}

/// A host with the fixture tools of the conformance suite, for one development tenant.
fn fixtures() -> Host {
    Host::with().plugin("conformance").arguments(&["--dev-tenant", "acme"]).start()
}

fn invoices(limit: u32) -> Value {
    mcp::call("list_invoices", json!({ "limit": limit }))
}

#[tokio::test]
async fn two_tenants_of_every_client_get_two_different_answers() {
    let world = World::start().await;
    for (client, mode, version) in Client::ALL {
        for tenant in ["acme", "globex"] {
            let calls = json!([
                {"name": "list_invoices", "arguments": {"limit": 3}},
                {"name": "list_invoices", "arguments": {"limit": 3, "tenant": "globex"}},
                {"name": "no_such_tool", "arguments": {}},
            ]);
            let plan = json!({"url": world.url(), "mode": mode, "token": world.token(tenant), "calls": calls});
            let said = client.run(&plan).await;
            let who = format!("{client:?} {mode} {tenant}: {said}");
            assert_eq!(said["protocol"], version, "{who}");
            assert_eq!(said["tools"], json!(["create_refund", "get_invoice", "list_invoices"]), "{who}");
            let results = &said["results"];
            assert_eq!(results[0]["structured"]["invoices"], json!([invoice(tenant)]), "{who}");
            assert_eq!(results[0]["isError"], false, "{who}");
            // The shape of an error: a flag, a sentence, and a code where programs look for it.
            assert_eq!(results[1]["isError"], true, "{who}");
            assert!(results[1]["content"][0]["text"].as_str().unwrap().contains("tenant"), "{who}");
            assert_eq!(results[1]["meta"]["toolhost/error"]["code"], "invalid_arguments", "{who}");
            assert_eq!(results[2]["error"]["code"], -32602, "{who}");
        }
    }
    // Each call carried the credential of its own tenant, and no token of a caller went any further.
    let seen = world.billing.upstream.seen();
    assert_eq!(seen.len(), 2 * Client::ALL.len());
    for (index, request) in seen.iter().enumerate() {
        let tenant = ["acme", "globex"][index % 2];
        assert_eq!(request.header("x-account-id"), Some(format!("acct_{tenant}").as_str()));
        assert!(!format!("{request:?}").contains(&world.token(tenant)[..20]));
    }
    let log = world.host.log();
    assert!(!log.contains("billing-secret") && !log.contains("eyJ"), "{log}");
}

#[tokio::test]
async fn progress_and_questions_reach_every_client_that_can_take_them() {
    let host = fixtures();
    for (client, mode, _) in Client::ALL {
        let plan = json!({
            "url": host.url(), "mode": mode, "sampling": "Paris",
            "elicitation": {"action": "accept", "content": {"username": "ada", "email": "a@b"}},
            "calls": [
                {"name": "test_tool_with_progress", "arguments": {}},
                {"name": "test_elicitation", "arguments": {"message": "who are you?"}},
                {"name": "test_sampling", "arguments": {"prompt": "capital?"}},
            ],
        });
        let said = client.run(&plan).await;
        let who = format!("{client:?} {mode}: {said}");
        let progress: Vec<f64> = serde_json::from_value(said["results"][0]["progress"].clone()).expect(&who);
        assert_eq!(progress, [0.0, 50.0, 100.0], "{who}");
        let text = |index: usize| said["results"][index]["content"][0]["text"].as_str().unwrap_or_default();
        assert!(text(1).contains("action=accept") && text(1).contains("ada"), "{who}");
        assert_eq!(text(2), "LLM response: Paris", "{who}");
    }
}

#[tokio::test]
async fn a_client_that_cannot_ask_is_told_so_and_one_that_declines_is_believed() {
    let host = fixtures();
    let calls = json!([{"name": "test_elicitation", "arguments": {"message": "who are you?"}}]);
    for (client, mode, version) in [Client::ALL[0], Client::ALL[2], Client::ALL[4], Client::ALL[5]] {
        let plan = json!({"url": host.url(), "mode": mode, "calls": calls});
        let said = client.run(&plan).await;
        let result = &said["results"][0];
        if version == "2026-07-28" {
            // The protocol has a code of its own for it, with what a client would have to declare.
            assert_eq!(result["error"]["code"], -32021, "{client:?} {mode}: {said}");
        } else {
            assert_eq!(result["structured"]["error"]["code"], "input_unsupported", "{client:?} {mode}: {said}");
        }
        let plan = json!({"url": host.url(), "mode": mode, "elicitation": {"action": "decline"}, "calls": calls});
        let said = client.run(&plan).await;
        let text = said["results"][0]["content"][0]["text"].as_str().unwrap_or_default();
        assert!(text.contains("action=decline"), "{client:?} {mode}: {said}");
    }
}

/// T27, T28: an id that somebody else got is no id.
#[tokio::test]
async fn a_session_of_another_caller_is_as_if_it_were_unknown() {
    let world = World::start().await;
    let url = world.url();
    let session = mcp::initialize(url, &world.token("acme"), json!({})).await;
    let others = [
        ("another tenant", world.token("globex")),
        ("another user", world.issuer.mint(&json!({"tenantId": "acme", "sub": "user-2"}))),
        ("another client", world.issuer.mint(&json!({"tenantId": "acme", "client_id": "client-2"}))),
    ];
    for (who, token) in &others {
        for (method, body) in
            [(Method::POST, Some(mcp::list())), (Method::GET, None), (Method::DELETE, None)]
        {
            let theirs = mcp::legacy(method.clone(), url, token, Some(&session), body.clone()).await;
            let unknown =
                mcp::legacy(method.clone(), url, token, Some("00000000-0000-0000-0000-000000000000"), body).await;
            assert_eq!(theirs.status(), 404, "{who} {method}");
            // And nothing tells the two apart.
            assert_eq!(unknown.status(), 404, "{who} {method}");
            let headers = |response: &reqwest::Response| {
                let mut headers = response.headers().clone();
                headers.remove("date");
                headers
            };
            assert_eq!(headers(&theirs), headers(&unknown), "{who} {method}");
            assert_eq!(theirs.text().await.unwrap(), unknown.text().await.unwrap(), "{who} {method}");
        }
    }
    // It is still its owner's, with a newer token too, until its owner ends it.
    let newer = world.issuer.mint(&json!({"tenantId": "acme", "jti": "2"}));
    for token in [world.token("acme"), newer] {
        let mine = mcp::legacy(Method::POST, url, &token, Some(&session), Some(invoices(3))).await;
        assert_eq!(mine.status(), 200);
        let answer = mcp::answer(mine).await;
        assert_eq!(answer["result"]["structuredContent"]["invoices"], json!([invoice("acme")]), "{answer}");
    }
    let token = world.token("acme");
    let ended = mcp::legacy(Method::DELETE, url, &token, Some(&session), None).await;
    assert_eq!(ended.status(), 204);
    let gone = mcp::legacy(Method::POST, url, &token, Some(&session), Some(mcp::list())).await;
    assert_eq!(gone.status(), 404);
}

/// A session is no proof of who calls: each request is its own token's.
#[tokio::test]
async fn a_session_without_a_token_or_with_an_expired_one_is_refused() {
    let world = World::start().await;
    let session = mcp::initialize(world.url(), &world.token("acme"), json!({})).await;
    let expired = world.issuer.mint(&json!({"tenantId": "acme", "exp": toolhost_tests::issuer::now() - 60}));
    for token in ["", "nonsense", expired.as_str()] {
        let response = mcp::legacy(Method::POST, world.url(), token, Some(&session), Some(mcp::list())).await;
        assert!(matches!(response.status().as_u16(), 400 | 401), "{token:?}: {}", response.status());
    }
    assert!(world.billing.upstream.seen().is_empty());
}

#[tokio::test]
async fn foreign_origins_and_names_are_refused_before_anything_else() {
    let world = World::start().await;
    let token = world.token("acme");
    let status = async |name: &'static str, value: &str| {
        let request = mcp::modern(world.url(), mcp::list(), json!({})).bearer_auth(&token);
        request.header(name, value).send().await.unwrap().status().as_u16()
    };
    let own = format!("http://{}", world.host.address());
    assert_eq!(status("origin", &own).await, 200);
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1", &format!("{own}.evil.example")] {
        assert_eq!(status("origin", origin).await, 403, "{origin}");
    }
    for name in ["evil.example", "localhost:1", "127.0.0.1"] {
        assert_eq!(status("host", name).await, 403, "{name}");
    }
}

#[tokio::test]
async fn a_token_in_the_query_string_is_refused_even_beside_a_good_one() {
    let world = World::start().await;
    let token = world.token("acme");
    for name in ["access_token", "Access_Token", "token"] {
        let url = format!("{}?{name}={token}", world.url());
        for request in [
            mcp::modern(&url, mcp::list(), json!({})),
            mcp::modern(&url, mcp::list(), json!({})).bearer_auth(&token),
        ] {
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 400, "{name}");
            assert!(!response.text().await.unwrap().contains("eyJ"));
        }
    }
    assert!(!world.host.log().contains(&token[..40]), "a URL is not logged with its query");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_and_the_host_goes_on() {
    let world = World::start().await;
    let token = world.token("acme");
    let message = "x".repeat(2 << 20);
    let large = mcp::modern(world.url(), mcp::call("get_invoice", json!({ "id": message })), json!({}));
    let response = large.bearer_auth(&token).send().await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "limit_exceeded");
    // One that only claims to be large is refused before it is read.
    let claims = mcp::modern(world.url(), mcp::list(), json!({})).bearer_auth(&token).build().unwrap();
    let mut claims = claims;
    claims.headers_mut().insert("content-length", "99999999".parse().unwrap());
    let refused = tokio::time::timeout(Duration::from_secs(5), reqwest::Client::new().execute(claims)).await;
    assert!(refused.is_ok(), "the host waits for a body that it would not take");
    let after = mcp::modern(world.url(), mcp::list(), json!({})).bearer_auth(&token).send().await.unwrap();
    assert_eq!(after.status(), 200);
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_call_with_it() {
    let world = World::start().await;
    let token = world.token("acme");
    // The stateless protocol: closing the connection is cancelling.
    let call = mcp::modern(world.url(), invoices(NEVER), json!({})).bearer_auth(&token).send();
    let waiting = tokio::time::timeout(Duration::from_millis(600), call).await;
    assert!(waiting.is_err(), "nobody answered");
    world.billing.asked(1).await;
    world.billing.dropped(1).await;
    // The API likewise.
    let body = json!({"arguments": {"limit": NEVER}});
    let api = world.host.at("/api/v1/tools/list_invoices/call");
    let call = reqwest::Client::new().post(api).bearer_auth(&token).json(&body).send();
    assert!(tokio::time::timeout(Duration::from_millis(600), call).await.is_err());
    world.billing.dropped(2).await;
    // An older client says that it cancels.
    let calls = json!([{"name": "list_invoices", "arguments": {"limit": NEVER}, "abort_ms": 400}]);
    for client in [Client::TypeScript1, Client::TypeScript2] {
        let plan = json!({"url": world.url(), "mode": "legacy", "token": token, "calls": calls});
        let said = client.run(&plan).await;
        assert!(said["results"][0]["error"].is_object(), "{said}");
    }
    world.billing.dropped(4).await;
    let after = mcp::modern(world.url(), invoices(3), json!({})).bearer_auth(&token).send().await.unwrap();
    assert_eq!(mcp::answer(after).await["result"]["isError"], false);
}

#[tokio::test]
async fn on_sigterm_calls_in_flight_finish_and_the_host_exits_with_0() {
    let mut world = World::start().await;
    let token = world.token("acme");
    let session = mcp::initialize(world.url(), &token, json!({})).await;
    // A stream that waits for nothing in particular does not keep the host from ending.
    let stream = mcp::legacy(Method::GET, world.url(), &token, Some(&session), None).await;
    assert_eq!(stream.status(), 200);
    let call = mcp::modern(world.url(), invoices(SLOW), json!({})).bearer_auth(&token);
    let in_flight = tokio::spawn(async move { mcp::answer(call.send().await.unwrap()).await });
    let old = mcp::legacy(Method::POST, world.url(), &token, Some(&session), Some(invoices(SLOW)));
    let (old, ()) = tokio::join!(old, async {
        world.billing.asked(2).await;
        world.host.terminate();
        tokio::time::sleep(Duration::from_millis(200)).await;
        // Nobody new is let in.
        assert!(reqwest::get(world.host.at("/health")).await.is_err());
    });
    for answer in [in_flight.await.unwrap(), mcp::answer(old).await] {
        assert_eq!(answer["result"]["structuredContent"]["invoices"], json!([invoice("acme")]), "{answer}");
    }
    let status = world.host.ended(Duration::from_secs(5)).await;
    assert_eq!(status.code(), Some(0), "{}", world.host.log());
}

#[tokio::test]
async fn a_second_signal_ends_a_host_that_waits_for_a_call() {
    let mut world = World::start().await;
    let call = mcp::modern(world.url(), invoices(NEVER), json!({})).bearer_auth(world.token("acme"));
    let in_flight = tokio::spawn(async move { call.send().await.is_err() });
    world.billing.asked(1).await;
    world.host.terminate();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(world.host.runs(), "it waits for the call");
    world.host.terminate();
    assert_eq!(world.host.ended(Duration::from_secs(3)).await.code(), Some(1));
    assert!(in_flight.await.unwrap());
}

#[tokio::test]
async fn an_upstream_that_never_answers_is_a_typed_error_and_others_are_served_meanwhile() {
    let (billing, issuer) = (Billing::start().await, Issuer::es256(ISSUER, "k1"));
    let limits = "[limits]\nwall_ms = 1500";
    let host = Host::with().billing(&billing.url()).issuer(&issuer).config(limits).start();
    let token = issuer.token("acme");
    let call = mcp::modern(host.url(), invoices(NEVER), json!({})).bearer_auth(&token);
    let waiting = tokio::spawn(async move { mcp::answer(call.send().await.unwrap()).await });
    billing.asked(1).await;
    let other = mcp::modern(host.url(), invoices(3), json!({})).bearer_auth(issuer.token("globex"));
    let other = mcp::answer(other.send().await.unwrap()).await;
    assert_eq!(other["result"]["structuredContent"]["invoices"], json!([invoice("globex")]), "{other}");
    let answer = waiting.await.unwrap();
    assert_eq!(answer["result"]["_meta"]["toolhost/error"]["code"], "timeout", "{answer}");
    assert_eq!(answer["result"]["isError"], true);
}

#[tokio::test]
async fn answers_that_nobody_asked_for_are_taken_as_a_first_call() {
    let host = fixtures();
    let with = |responses: Value, state: Option<&str>| {
        let mut body = mcp::call("test_input_required_result_elicitation", json!({}));
        body["params"]["inputResponses"] = responses;
        if let Some(state) = state {
            body["params"]["requestState"] = json!(state);
        }
        mcp::modern(host.url(), body, json!({"elicitation": {}}))
    };
    let forged = json!({"user_name": {"action": "accept", "content": {"name": "Mallory"}}});
    // Without the state that goes with them they are nobody's answers; the question is put again.
    let answer = mcp::answer(with(forged.clone(), None).send().await.unwrap()).await;
    assert_eq!(answer["result"]["resultType"], "input_required", "{answer}");
    let state = answer["result"]["requestState"].as_str().unwrap();
    let tampered = mcp::answer(with(forged.clone(), Some(&format!("{state}x"))).send().await.unwrap()).await;
    assert_eq!(tampered["error"]["code"], -32602, "{tampered}");
    let done = mcp::answer(with(forged.clone(), Some(state)).send().await.unwrap()).await;
    assert_eq!(done["result"]["content"][0]["text"], "Hello, Mallory!", "{done}");
    // And once is all.
    let again = mcp::answer(with(forged, Some(state)).send().await.unwrap()).await;
    assert_eq!(again["error"]["code"], -32602, "{again}");
}
