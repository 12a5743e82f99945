//! Every flow of more than one step, with another host between each two steps: swapped for the
//! other one, or killed and started again. What is printed is the table of flows, steps and who
//! answered.

use toolhost_harness::{RawUpstream, Say, mcp};

use super::*;
use crate::http_sessions::stream::{self, Stream};

/// What a person says to the form of the guest's question.
pub(crate) fn person() -> Value {
    json!({"username": "ada", "email": "ada@acme.test"})
}

pub(crate) fn asks() -> Value {
    json!({"elicitation": {}})
}

pub(crate) fn row(flow: &str, step: &str, by: &str) {
    println!("| {flow} | {step} | {by} |");
}

/// A world whose switches need a yes, with a tool that asks and a connection of accounts of users.
pub(crate) struct ConfirmedSwitches {
    pub(crate) world: World,
    pub(crate) tokens: RawUpstream,
}

impl ConfirmedSwitches {
    pub(crate) async fn start() -> Self {
        let town = Town::new(Layout::Schema).await;
        let (billing, issuer) = (
            Billing::start().await,
            Issuer::es256("https://issuer.test", "k1"),
        );
        let body = r#"{"access_token": "access-token-1", "refresh_token": "refresh-token-1"}"#;
        let tokens = RawUpstream::start(move |_| {
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            vec![Say::Bytes(answer.into_bytes())]
        })
        .await;
        let host = || asking(&town, &billing, &issuer, &tokens.url()).start();
        let one = host();
        for tenant in ["acme", "globex"] {
            keep_credential(&one, tenant, &[]);
            for plugin in ["billing", "conformance"] {
                assert_eq!(one.verb(&["plugin", "assign", plugin, tenant]).status, 0);
            }
        }
        let two = host();
        Self {
            tokens,
            world: World {
                town,
                billing,
                issuer,
                one,
                two,
            },
        }
    }
}

/// As [`builder`], with a person who is asked, and a login.
fn asking(town: &Town, billing: &Billing, issuer: &Issuer, tokens: &str) -> HostBuilder {
    let login = format!(
        "[connections.mail]\nbase = \"{tokens}\"\nallow_http = true\nallow_loopback = true\ncredentials = \"accounts\"\ncredential_of = \"user\"\n[providers.accounts]\nkind = \"oauth2-login\"\nissuer = \"https://idp.test\"\nauthorization_url = \"{tokens}/auth\"\ntoken_url = \"{tokens}/token\"\nclient_id = \"toolhost\"\nclient_secret_file = \"own.secret\"\nscope = [\"offline_access\"]\nallow_http = true\nallow_loopback = true"
    );
    builder_with(town, billing, issuer, "confirm")
        .plugin("conformance")
        .file("own.secret", "a-secret-of-the-client-0123")
        .config(&login)
}

pub(crate) async fn modern(host: &Host, token: &str, body: Value) -> Value {
    let request = mcp::modern(host.url(), body, asks()).bearer_auth(token);
    mcp::answer(request.send().await.unwrap()).await
}

/// The same call with the person's answer.
pub(crate) fn answered(mut call: Value, asked: &Value, id: &str, content: &Value) -> Value {
    call["params"]["requestState"] = asked["result"]["requestState"].clone();
    call["params"]["inputResponses"] = json!({id: {"action": "accept", "content": content}});
    call
}

pub(crate) fn question(asked: &Value) -> String {
    let requests = asked["result"]["inputRequests"].as_object();
    requests
        .unwrap_or_else(|| panic!("{asked}"))
        .keys()
        .next()
        .unwrap()
        .clone()
}

/// The guest's answer has what the person said.
fn knows_ada(result: &Value) {
    let text = result["content"][0]["text"].as_str();
    assert!(text.is_some_and(|text| text.contains("ada")), "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_host_asked_is_answered_at_another_once_and_after_a_restart() {
    let mut asking = ConfirmedSwitches::start().await;
    println!("| flow | step | answered by |\n|---|---|---|");
    stateless(&asking.world, "swapped").await;
    over_http(&asking.world).await;
    switched(&asking.world).await;
    let token = asking.world.token();
    let call = mcp::call("test_elicitation", json!({"message": "who?"}));
    let asked = modern(&asking.world.one, &token, call.clone()).await;
    row("question, stateless, restarted", "asked", "one");
    asking.world.one = asking.world.one.killed_and_started();
    let done = modern(
        &asking.world.one,
        &token,
        answered(call, &asked, &question(&asked), &person()),
    )
    .await;
    knows_ada(&done["result"]);
    row(
        "question, stateless, restarted",
        "answered",
        "one, after kill -9 and a start",
    );
}

async fn stateless(world: &World, flow: &str) {
    let (token, call) = (
        world.token(),
        mcp::call("test_elicitation", json!({"message": "who?"})),
    );
    let asked = modern(&world.one, &token, call.clone()).await;
    row(&format!("question, stateless, {flow}"), "asked", "one");
    let answer = answered(call, &asked, &question(&asked), &person());
    let done = modern(&world.two, &token, answer.clone()).await;
    knows_ada(&done["result"]);
    row(&format!("question, stateless, {flow}"), "answered", "two");
    for host in [&world.one, &world.two] {
        let again = modern(host, &token, answer.clone()).await;
        assert_eq!(again["error"]["data"]["code"], "invalid_request", "{again}");
    }
    row(
        &format!("question, stateless, {flow}"),
        "answered again",
        "refused by both",
    );
}

async fn over_http(world: &World) {
    let flow = "question, HTTP session";
    let (token, one, two) = (world.token(), &world.one, &world.two);
    let id = session(one, &token).await;
    row(flow, "session", "one");
    let mut body = json!({"tool": "test_elicitation", "arguments": {"message": "who?"}, "accepts": ["elicitation"]});
    let asked = json_of(call(two, &token, &id, &body)).await;
    row(flow, "asked", "two");
    let asked = &asked["input_required"];
    body["state"] = asked["state"].clone();
    body["answers"] =
        json!([{"id": asked["requests"][0]["id"], "action": "accept", "content": person()}]);
    let done = json_of(call(one, &token, &id, &body)).await;
    knows_ada(&done);
    row(flow, "answered", "one");
    assert_eq!(
        outcome(call(two, &token, &id, &body)).await.1,
        "invalid_request"
    );
    row(flow, "answered again", "refused by two");
}

async fn switched(world: &World) {
    let (token, one, two) = (world.token(), &world.one, &world.two);
    // Without a session: the yes comes to the other host, and the context is used at the first.
    let to = mcp::call("switch_tenant", json!({"tenantId": "globex"}));
    let asked = modern(one, &token, to.clone()).await;
    row("switch_tenant, stateless", "asked", "one");
    let yes = answered(to, &asked, "switch", &json!({}));
    let done = modern(two, &token, yes.clone()).await;
    let context = &done["result"]["structuredContent"]["tenant_context"];
    assert!(context.is_string(), "{done}");
    row(
        "switch_tenant, stateless",
        "answered, gives a tenant_context",
        "two",
    );
    let again = modern(one, &token, yes).await;
    assert_eq!(again["error"]["data"]["code"], "invalid_request", "{again}");
    row(
        "switch_tenant, stateless",
        "answered again",
        "refused by one",
    );
    let there = mcp::call(
        "list_invoices",
        json!({"limit": 3, "tenant_context": context}),
    );
    let done = modern(one, &token, there).await;
    assert_eq!(
        done["result"]["_meta"]["toolhost/active_tenant"], "globex",
        "{done}"
    );
    row("switch_tenant, stateless", "a call with the context", "one");
    // In a session of the HTTP API.
    let id = session(one, &token).await;
    let mut body = json!({"tool": "switch_tenant", "arguments": {"tenantId": "globex"}, "accepts": ["elicitation"]});
    let asked = json_of(call(one, &token, &id, &body)).await;
    row("switch_tenant, HTTP session", "asked", "one");
    body["state"] = asked["input_required"]["state"].clone();
    body["answers"] = json!([{"id": "switch", "action": "accept"}]);
    let done = json_of(call(two, &token, &id, &body)).await;
    assert_eq!(done["structured"]["active_tenant_id"], "globex", "{done}");
    row("switch_tenant, HTTP session", "answered", "two");
    let seen = until("the switch", SOON, async || {
        active(one, &token, &id).await.as_deref() == Some("globex")
    });
    seen.await;
    row("switch_tenant, HTTP session", "shown", "one");
}

/// A call in an older session that asks; its stream, and the question.
async fn asked_in_session(
    host: &Host,
    token: &str,
    id: &str,
    call: Value,
) -> (Stream, stream::Event) {
    let response = mcp::legacy(Method::POST, host.url(), token, Some(id), Some(call)).await;
    let mut stream = Stream::from_response(response).await;
    let asked = stream.next().await.unwrap();
    assert_eq!(asked.json()["method"], "elicitation/create", "{asked:?}");
    (stream, asked)
}

async fn say(
    host: &Host,
    token: &str,
    session: &str,
    asked: &stream::Event,
    content: &Value,
) -> Response {
    let answer = json!({"jsonrpc": "2.0", "id": asked.json()["id"], "result": {"action": "accept", "content": content}});
    mcp::legacy(Method::POST, host.url(), token, Some(session), Some(answer)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_elicitation_of_one_host_is_answered_at_another_and_one_of_a_dead_host_is_an_error() {
    let mut asking = ConfirmedSwitches::start().await;
    let token = asking.world.token();
    let (one, two) = (&asking.world.one, &asking.world.two);
    let id = mcp::initialize(one.url(), &token, asks()).await;
    let flow = "elicitation, session of 2025-11-25";
    row(flow, "initialize", "one");
    let ask = || mcp::call("test_elicitation", json!({"message": "who?"}));
    let (mut stream, asked) = asked_in_session(one, &token, &id, ask()).await;
    row(flow, "asked on the call's stream", "one");
    let said = say(two, &token, &id, &asked, &person()).await;
    assert_eq!(said.status(), 202, "{}", said.text().await.unwrap());
    row(flow, "answered", "two: 202 once one has it");
    let done = stream.next().await.unwrap().json();
    knows_ada(&done["result"]);
    row(flow, "the call's result on its stream", "one");
    // The same for the host's own question, the other way round.
    let to = mcp::call("switch_tenant", json!({"tenantId": "globex"}));
    let (mut stream, asked) = asked_in_session(two, &token, &id, to).await;
    row("switch_tenant, session of 2025-11-25", "asked", "two");
    assert_eq!(
        say(one, &token, &id, &asked, &json!({})).await.status(),
        202
    );
    row("switch_tenant, session of 2025-11-25", "answered", "one");
    let events = stream.rest().await;
    let done = events.last().unwrap().json();
    assert_eq!(
        done["result"]["structuredContent"]["active_tenant_id"], "globex",
        "{done}"
    );
    row("switch_tenant, session of 2025-11-25", "switched", "two");
    // Of a stranger it is no answer.
    let eve = asking
        .world
        .issuer
        .mint(&json!({"tenantId": "acme", "sub": "eve", "role": "owner"}));
    let (stream, asked) = asked_in_session(one, &token, &id, ask()).await;
    assert_eq!(say(two, &eve, &id, &asked, &person()).await.status(), 404);
    // The host that asked dies.
    asking.world.one.kill();
    drop(stream);
    let two = &asking.world.two;
    row(flow, "asked, and killed", "one");
    let from = Instant::now();
    let said = say(two, &token, &id, &asked, &person()).await;
    assert_eq!(said.status(), 400);
    let problem: Value = said.json().await.unwrap();
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("call the tool again"),
        "{problem}"
    );
    assert!(
        from.elapsed() < Duration::from_secs(60),
        "{:?}",
        from.elapsed()
    );
    row(flow, "answered", "two: 400, nobody waits for it any more");
    let last = asked.id.unwrap();
    let resume = ask_stream(two, &token, &id, &last);
    let mut stream = Stream::open(resume).await;
    let end = stream.next().await.unwrap().json();
    assert_eq!(
        (&end["id"], &end["error"]["code"]),
        (&json!(1), &json!(-32603)),
        "{end}"
    );
    row(
        flow,
        "stream resumed with Last-Event-ID",
        "two: the call's error",
    );
}

fn ask_stream(host: &Host, token: &str, session: &str, last: &str) -> RequestBuilder {
    reqwest::Client::new()
        .get(host.url())
        .timeout(Duration::from_secs(30))
        .bearer_auth(token)
        .header("accept", "text/event-stream")
        .header("mcp-protocol-version", "2025-11-25")
        .header("mcp-session-id", session)
        .header("last-event-id", last)
}
