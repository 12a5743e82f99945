//! The same through MCP, where the active tenant is a choice.

use reqwest::Method;
use serde_json::{Value, json};
use toolhost_harness::mcp;

use crate::assignments::{World, get, names};

fn sly() -> Value {
    mcp::call("http_sly", get())
}

fn switch(tenant: &str) -> Value {
    mcp::call("switch_tenant", json!({ "tenantId": tenant }))
}

#[tokio::test]
async fn in_a_session_the_list_is_that_of_the_active_tenant() {
    let world = World::start().await;
    world.assign("globex", &["--tool", "http_sly"]);
    let token = world.token("acme");
    let session = mcp::initialize(world.host.url(), &token, json!({})).await;
    let own = ["help", "list_tenants", "reset_tenant", "switch_tenant"];
    assert_eq!(
        names(&world.legacy(&token, &session, mcp::list()).await),
        own
    );
    let refused = world.legacy(&token, &session, sly()).await;
    assert_eq!(refused["error"]["data"]["code"], "not_found", "{refused}");
    world.legacy(&token, &session, switch("globex")).await;
    let listed = world.legacy(&token, &session, mcp::list()).await;
    assert!(names(&listed).contains(&"http_sly") && names(&listed).len() == own.len() + 1);
    let called = world.legacy(&token, &session, sly()).await;
    assert_eq!(
        called["result"]["_meta"]["toolhost/active_tenant"], "globex",
        "{called}"
    );
    world.done(&["plugin", "unassign", "evil", "globex"]);
    let refused = world.legacy(&token, &session, sly()).await;
    assert_eq!(refused["error"]["data"]["code"], "not_found", "{refused}");
    assert_eq!(
        names(&world.legacy(&token, &session, mcp::list()).await),
        own
    );
    assert_eq!(world.sent(), ["GET"]);
}

#[tokio::test]
async fn without_a_session_the_list_is_the_tokens_and_the_call_is_the_active_tenants() {
    let world = World::start().await;
    world.assign("acme", &["--tool", "http_sly"]);
    let token = world.token("acme");
    let switched = world.modern(&token, switch("globex"), json!({})).await;
    let context = json!({ "toolhost/tenant_context": switched["result"]["structuredContent"]["tenant_context"] });
    let at_home = world.modern(&token, mcp::list(), json!({})).await;
    assert!(names(&at_home).contains(&"http_sly"));
    let abroad = world.modern(&token, mcp::list(), context.clone()).await;
    assert_eq!(names(&abroad), names(&at_home), "the token alone counts");
    let good = world.modern(&token, sly(), json!({})).await;
    assert_eq!(
        good["result"]["_meta"]["toolhost/active_tenant"], "acme",
        "{good}"
    );
    // The active tenant does not have it, and nobody learns that another one does.
    let refused = world.modern(&token, sly(), context.clone()).await;
    let unknown = world
        .modern(&token, mcp::call("no_such_tool", get()), context.clone())
        .await;
    let plain = |answer: &Value, name: &str| answer["error"].to_string().replace(name, "NAME");
    assert_eq!(plain(&refused, "http_sly"), plain(&unknown, "no_such_tool"));
    let argument = mcp::call(
        "http_sly",
        json!({"connection": "echo", "path": "/echo", "tenant_context": context["toolhost/tenant_context"]}),
    );
    let refused = world.modern(&token, argument, json!({})).await;
    assert_eq!(refused["error"]["data"]["code"], "not_found", "{refused}");
    world.assign("globex", &["--tool", "http_sly"]);
    let good = world.modern(&token, sly(), context).await;
    assert_eq!(
        good["result"]["_meta"]["toolhost/active_tenant"], "globex",
        "{good}"
    );
    assert_eq!(world.sent(), ["GET", "GET"]);
}

#[tokio::test]
async fn a_call_that_waits_for_an_answer_does_not_go_on_once_the_tool_was_taken() {
    let world = World::start().await;
    world.assign("acme", &[]);
    let token = world.token("acme");
    let ask = || mcp::call("elicit", json!({"message": "sure?"}));
    let asked = world.modern(&token, ask(), json!({})).await;
    let result = &asked["result"];
    assert_eq!(result["resultType"], "input_required", "{asked}");
    let id = result["inputRequests"]
        .as_object()
        .unwrap()
        .keys()
        .next()
        .unwrap();
    let mut answered = ask();
    answered["params"]["requestState"] = result["requestState"].clone();
    answered["params"]["inputResponses"] =
        json!({ id: {"action": "accept", "content": {"yes": true}} });
    world.done(&["plugin", "unassign", "evil", "acme"]);
    let refused = world.modern(&token, answered.clone(), json!({})).await;
    assert_eq!(refused["error"]["data"]["code"], "not_found", "{refused}");
    // The answer was not used up: it was never looked at.
    world.assign("acme", &["--tool", "elicit"]);
    let good = world.modern(&token, answered, json!({})).await;
    assert!(good["result"]["content"].is_array(), "{good}");
}

#[tokio::test]
async fn whoever_listens_in_a_session_hears_of_a_change_with_the_next_call() {
    let world = World::start().await;
    let token = world.token("acme");
    let session = mcp::initialize(world.host.url(), &token, json!({})).await;
    let mut stream = mcp::legacy(Method::GET, world.host.url(), &token, Some(&session), None).await;
    world.legacy(&token, &session, mcp::list()).await;
    world.assign("acme", &[]);
    world.legacy(&token, &session, sly()).await;
    let mut heard = String::new();
    let listening = async {
        while !heard.contains("notifications/tools/list_changed") {
            let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
            heard.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), listening)
        .await
        .unwrap();
}
