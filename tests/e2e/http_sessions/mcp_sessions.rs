//! MCP 2025-11-25: a session, and the events of its answers, outlast a connection and the host.

use reqwest::Response;
use toolhost_harness::mcp;

use super::*;

impl World {
    async fn post(&self, token: &str, session: &str, body: Value) -> Response {
        mcp::legacy(
            Method::POST,
            self.host.url(),
            token,
            Some(session),
            Some(body),
        )
        .await
    }

    fn resume(&self, token: &str, session: &str, last: &str) -> RequestBuilder {
        self.ask(Method::GET, "/mcp", token)
            .header("accept", "text/event-stream")
            .header("mcp-protocol-version", "2025-11-25")
            .header("mcp-session-id", session)
            .header("last-event-id", last)
    }
}

fn waits(milliseconds: u64) -> Value {
    mcp::call("wait", json!({ "milliseconds": milliseconds }))
}

#[tokio::test]
async fn an_answer_whose_connection_was_lost_is_fetched_by_the_id_of_its_stream() {
    let world = World::free().await;
    let token = world.owner();
    let session = mcp::initialize(world.host.url(), &token, json!({})).await;
    let response = world.post(&token, &session, waits(700)).await;
    let first = first_id(response).await;
    // The call goes on, and its answer is there when it is asked for: while it runs, and
    // afterwards.
    for pause in [0, 1_500] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let mut stream = Stream::open(world.resume(&token, &session, &first)).await;
        let rest = stream.rest().await;
        assert_eq!(rest.len(), 1, "{rest:?}");
        assert_eq!(
            rest[0].json()["result"]["content"][0]["text"],
            "waited 700 ms"
        );
        // Nothing comes after the answer, and that is no loss.
        let mut nothing =
            Stream::open(world.resume(&token, &session, rest[0].id.as_ref().unwrap())).await;
        assert!(nothing.rest().await.is_empty());
    }
    let gone = problem(world.resume(&token, &session, "00000000000000aa.0")).await;
    assert_eq!((gone.0, gone.1.as_str()), (410, "not_found"));
    for odd in ["", "0", "1/1", "1-00000000", "x", "00000000000000AA.0"] {
        assert_eq!(
            problem(world.resume(&token, &session, odd)).await.0,
            400,
            "{odd}"
        );
    }
    for other in world.others() {
        assert_eq!(problem(world.resume(&other, &session, &first)).await.0, 404);
    }
    let other = mcp::initialize(world.host.url(), &token, json!({})).await;
    assert_eq!(problem(world.resume(&token, &other, &first)).await.0, 410);
}

#[tokio::test]
async fn an_answer_that_was_there_at_once_is_kept_as_any_other() {
    let world = World::free().await;
    let token = world.owner();
    let session = mcp::initialize(world.host.url(), &token, json!({})).await;
    let help = || mcp::call("help", json!({}));
    // The first call shows the session's client; the next one need not go through the transport.
    mcp::answer(world.post(&token, &session, help()).await).await;
    let mut stream = Stream::from_response(world.post(&token, &session, help()).await).await;
    let answer = stream.rest().await.pop().unwrap();
    let id = answer.id.clone().unwrap();
    let before = format!("{}.0", id.split_once('.').unwrap().0);
    for pause in [0, 300] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let mut stream = Stream::open(world.resume(&token, &session, &before)).await;
        let rest = stream.rest().await;
        assert_eq!(rest.len(), 1, "{rest:?}");
        assert_eq!((&rest[0].id, &rest[0].data), (&answer.id, &answer.data));
    }
    for other in world.others() {
        assert_eq!(
            problem(world.resume(&other, &session, &before)).await.0,
            404
        );
    }
    // One that is not there at once goes on when its connection is lost.
    let first = first_id(world.post(&token, &session, waits(400)).await).await;
    let mut stream = Stream::open(world.resume(&token, &session, &first)).await;
    let rest = stream.rest().await;
    assert_eq!(
        rest[0].json()["result"]["content"][0]["text"],
        "waited 400 ms"
    );
}

#[tokio::test]
async fn a_session_goes_on_after_the_host_was_killed_with_what_its_client_can_do() {
    let mut world = World::lasting().await;
    let token = world.owner();
    let session = mcp::initialize(world.host.url(), &token, json!({"elicitation": {}})).await;
    world
        .post(
            &token,
            &session,
            mcp::call("switch_tenant", json!({"tenantId": "globex"})),
        )
        .await;
    let response = world.post(&token, &session, waits(10)).await;
    let mut stream = Stream::from_response(response).await;
    let answer = stream.rest().await.pop().unwrap();
    let id = answer.id.unwrap();
    let before = format!("{}.0", id.split_once('.').unwrap().0);
    // What was answered is written behind the answer, within moments.
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.host = world.host.killed_and_started();
    let mut stream = Stream::open(world.resume(&token, &session, &before)).await;
    assert_eq!(stream.next().await.unwrap().data, answer.data);
    // Several requests at once take the session up once.
    let calls = (10..14).map(|id| {
        let mut call = mcp::call("list_invoices", json!({"limit": 3}));
        call["id"] = json!(id);
        world.post(&token, &session, call)
    });
    for response in futures::future::join_all(calls).await {
        let answer = mcp::answer(response).await;
        assert_eq!(
            answer["result"]["_meta"]["toolhost/active_tenant"], "globex",
            "{answer}"
        );
    }
    // The client said that it can be asked, at the handshake that the new process has not seen.
    let response = world
        .post(
            &token,
            &session,
            mcp::call("test_elicitation", json!({"message": "who?"})),
        )
        .await;
    let mut stream = Stream::from_response(response).await;
    let asked = stream.next().await.unwrap().json();
    assert_eq!(asked["method"], "elicitation/create", "{asked}");
    for other in world.others() {
        let body = mcp::call("list_invoices", json!({"limit": 3}));
        assert_eq!(world.post(&other, &session, body).await.status(), 404);
    }
    let ended = mcp::legacy(
        Method::DELETE,
        world.host.url(),
        &token,
        Some(&session),
        None,
    )
    .await;
    assert_eq!(ended.status(), 204);
    assert_eq!(
        world.post(&token, &session, mcp::list()).await.status(),
        404
    );
}

#[tokio::test]
async fn an_ended_session_does_not_come_back_with_the_host() {
    let mut world = World::lasting().await;
    let token = world.owner();
    let session = mcp::initialize(world.host.url(), &token, json!({})).await;
    mcp::legacy(
        Method::DELETE,
        world.host.url(),
        &token,
        Some(&session),
        None,
    )
    .await;
    world.host = world.host.killed_and_started();
    assert_eq!(
        world.post(&token, &session, mcp::list()).await.status(),
        404
    );
}

#[tokio::test]
async fn what_no_request_asked_for_is_kept_while_nobody_listens() {
    let world = World::free().await;
    let token = world.owner();
    let session = mcp::initialize(world.host.url(), &token, json!({})).await;
    let quiet = mcp::legacy(Method::GET, world.host.url(), &token, Some(&session), None).await;
    let first = first_id(quiet).await;
    world
        .post(
            &token,
            &session,
            mcp::call("switch_tenant", json!({"tenantId": "globex"})),
        )
        .await;
    let mut stream = Stream::open(world.resume(&token, &session, &first)).await;
    let event = stream.next().await.unwrap();
    assert_eq!(event.json()["method"], "notifications/tools/list_changed");
    let other = mcp::initialize(world.host.url(), &token, json!({})).await;
    assert_eq!(problem(world.resume(&token, &other, &first)).await.0, 400);
}

#[tokio::test]
async fn a_client_that_says_too_much_of_itself_gets_no_session() {
    let world = World::free().await;
    let token = world.owner();
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x".repeat(9_000), "version": "1"},
    }});
    let response = mcp::legacy(Method::POST, world.host.url(), &token, None, Some(hello)).await;
    assert_eq!(response.status(), 413);
    assert!(!response.headers().contains_key("mcp-session-id"));
    assert_eq!(
        world.get("/api/v1/sessions", &token).await,
        json!({"sessions": []})
    );
}

/// The id that a stream begins with; then its connection is lost.
async fn first_id(mut response: Response) -> String {
    assert_eq!(response.status(), 200);
    let chunk = response.chunk().await.unwrap().unwrap();
    let text = std::str::from_utf8(&chunk).unwrap();
    let id = text.lines().find_map(|line| line.strip_prefix("id:"));
    id.unwrap_or_else(|| panic!("no id: {text}"))
        .trim()
        .to_owned()
}
