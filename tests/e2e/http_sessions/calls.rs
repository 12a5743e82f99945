//! Calls in a session, and what its events say of them.

use super::*;
use toolhost_harness::billing::NEVER;

#[tokio::test]
async fn a_calls_events_have_its_whole_answer() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let mut stream = world.events(&token, &id, None).await;
    let first = stream.next().await.unwrap();
    assert_eq!((first.kind.as_str(), &first.id), ("session", &None));
    assert_eq!(first.json()["active_tenant_id"], "acme");
    let mut body = invoices();
    body["call_id"] = json!("mine-1");
    let answer = json_of(world.call(&token, &id, &body)).await;
    let started = stream.next().await.unwrap();
    assert_eq!(started.kind, "call_started");
    assert_eq!(
        started.json(),
        json!({"call_id": "mine-1", "tool": "list_invoices", "tenant_id": "acme"})
    );
    let finished = stream.next().await.unwrap();
    assert_eq!(finished.kind, "call_finished");
    let event = finished.json();
    assert_eq!(
        (&event["call_id"], &event["result"]),
        (&json!("mine-1"), &answer)
    );
    // A call that fails says so there too, and gets a name where it brought none.
    let failed = problem(world.call(
        &token,
        &id,
        &json!({"tool": "get_invoice", "arguments": {"id": "in_1"}}),
    ))
    .await;
    assert_eq!(failed.1, "tool_failed");
    let event = stream.until("call_finished").await.json();
    assert_eq!(event["error"]["code"], "tool_failed", "{event}");
    assert!(
        event["call_id"].as_str().unwrap().starts_with("c_"),
        "{event}"
    );
}

#[tokio::test]
async fn progress_is_among_the_events_and_only_grows() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let mut stream = world.events(&token, &id, None).await;
    let body = json!({"tool": "test_tool_with_progress", "arguments": {}});
    let called = world.call(&token, &id, &body).send().await.unwrap();
    assert_eq!(called.status(), 200, "{}", called.text().await.unwrap());
    let mut last = -1.0;
    loop {
        let event = stream.next().await.unwrap();
        match event.kind.as_str() {
            "call_progress" => {
                let done = event.json()["done"].as_f64().unwrap();
                assert!(done > last, "{event:?}");
                last = done;
            }
            "call_finished" => break,
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_switch_is_an_event_whoever_made_it() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let mut stream = world.events(&token, &id, None).await;
    world.switch(&token, &id, "globex").await;
    let event = stream.until("active_tenant_changed").await.json();
    assert_eq!(
        event,
        json!({"active_tenant_id": "globex", "previous_tenant_id": "acme", "generation": 1})
    );
    // A switch over MCP, seen through this door.
    let mcp = toolhost_harness::mcp::initialize(world.host.url(), &token, json!({})).await;
    let mut stream = world.events(&token, &mcp, None).await;
    let switch = toolhost_harness::mcp::call("switch_tenant", json!({"tenantId": "globex"}));
    let url = world.host.url();
    toolhost_harness::mcp::legacy(Method::POST, url, &token, Some(&mcp), Some(switch)).await;
    let event = stream.until("active_tenant_changed").await.json();
    assert_eq!(event["active_tenant_id"], "globex");
    // And a stream that begins later begins with how it is.
    let mut late = world.events(&token, &id, None).await;
    assert_eq!(
        late.next().await.unwrap().json()["active_tenant_id"],
        "globex"
    );
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_call_and_the_events_say_so() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let mut stream = world.events(&token, &id, None).await;
    let body = json!({"tool": "list_invoices", "arguments": {"limit": NEVER}});
    let call = tokio::spawn(world.call(&token, &id, &body).send());
    stream.until("call_started").await;
    world.billing.asked(1).await;
    call.abort();
    let event = stream.until("call_finished").await.json();
    assert_eq!(event["error"]["code"], "cancelled", "{event}");
    world.billing.dropped(1).await;
}

#[tokio::test]
async fn an_ended_session_cancels_its_calls() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let body = json!({"tool": "list_invoices", "arguments": {"limit": NEVER}});
    let call = tokio::spawn(world.call(&token, &id, &body).send());
    world.billing.asked(1).await;
    let ended = world.ask(Method::DELETE, &format!("/api/v1/sessions/{id}"), &token);
    assert_eq!(ended.send().await.unwrap().status(), 204);
    let answer = call.await.unwrap().unwrap();
    assert_eq!(answer.status().as_u16(), 499);
    world.billing.dropped(1).await;
}

#[tokio::test]
async fn a_call_that_expects_another_tenant_does_nothing() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let call = |expects: &str| {
        world
            .call(&token, &id, &invoices())
            .header("toolhost-expect-tenant", expects)
    };
    is_of(call("acme").send().await.unwrap(), "acme").await;
    let refused = problem(call("globex")).await;
    assert_eq!((refused.0, refused.1.as_str()), (409, "tenant_mismatch"));
    assert_eq!(world.billing.upstream.seen().len(), 1);
}
