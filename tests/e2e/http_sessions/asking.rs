//! A program that can put a question to a person, and one that cannot.

use super::*;

#[tokio::test]
async fn a_switch_that_needs_a_yes_is_refused_to_whoever_cannot_ask() {
    let world = World::start("", false).await;
    let token = world.owner();
    let id = world.session(&token).await;
    let switch = json!({"tool": "switch_tenant", "arguments": {"tenantId": "globex"}});
    let refused = problem(world.call(&token, &id, &switch)).await;
    assert_eq!((refused.0, refused.1.as_str()), (422, "input_unsupported"));
    assert!(
        refused.2.contains("accepts"),
        "it says what to do: {}",
        refused.2
    );
    let mut able = switch.clone();
    able["accepts"] = json!(["elicitation"]);
    let asked = json_of(world.call(&token, &id, &able)).await;
    let question = &asked["input_required"]["requests"][0];
    assert!(
        question["parameters"]["message"]
            .as_str()
            .unwrap()
            .contains("Globex (globex)"),
        "{asked}"
    );
    is_of(
        world.call(&token, &id, &invoices()).send().await.unwrap(),
        "acme",
    )
    .await;
    let answered = |action: &str, state: &Value| {
        let mut body = able.clone();
        body["state"] = state.clone();
        body["answers"] = json!([{"id": question["id"], "action": action}]);
        body
    };
    let state = &asked["input_required"]["state"];
    let eve = world.token("eve", "owner");
    let theirs = world.session(&eve).await;
    let stolen = problem(world.call(&eve, &theirs, &answered("accept", state))).await;
    assert_eq!(stolen.1, "invalid_request");
    // A state that somebody else has tried is not used up by it, and this is another one.
    let asked = json_of(world.call(&token, &id, &able)).await;
    let state = &asked["input_required"]["state"];
    let switched = json_of(world.call(&token, &id, &answered("accept", state))).await;
    assert_eq!(
        switched["structured"]["active_tenant_id"], "globex",
        "{switched}"
    );
    is_of(
        world.call(&token, &id, &invoices()).send().await.unwrap(),
        "globex",
    )
    .await;
    let again = problem(world.call(&token, &id, &answered("accept", state))).await;
    assert_eq!(again.1, "invalid_request");
    let asked = json_of(world.call(&token, &id, &able)).await;
    let no = problem(world.call(
        &token,
        &id,
        &answered("decline", &asked["input_required"]["state"]),
    ))
    .await;
    assert_eq!((no.0, no.1.as_str()), (403, "forbidden"));
}

#[tokio::test]
async fn a_tool_that_asks_is_answered_in_a_second_call() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let mut body = json!({"tool": "test_elicitation", "arguments": {"message": "who?"}});
    assert_eq!(
        problem(world.call(&token, &id, &body)).await.1,
        "input_unsupported"
    );
    body["accepts"] = json!(["elicitation"]);
    let asked = json_of(world.call(&token, &id, &body)).await;
    let asked = &asked["input_required"];
    body["state"] = asked["state"].clone();
    let answer = json!({"username": "ada", "email": "ada@acme.test"});
    body["answers"] =
        json!([{"id": asked["requests"][0]["id"], "action": "accept", "content": answer}]);
    let mut changed = body.clone();
    changed["arguments"]["message"] = json!("another");
    assert_eq!(
        problem(world.call(&token, &id, &changed)).await.1,
        "invalid_request"
    );
    let done = json_of(world.call(&token, &id, &body)).await;
    assert!(
        done["content"][0]["text"].as_str().unwrap().contains("ada"),
        "{done}"
    );
}

#[tokio::test]
async fn answers_to_nothing_are_refused() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    let mut body = invoices();
    body["answers"] = json!([]);
    assert_eq!(
        problem(world.call(&token, &id, &body)).await.1,
        "invalid_request"
    );
    for (member, value) in [
        ("accepts", json!(["telepathy"])),
        ("state", json!(1)),
        ("tenant", json!("globex")),
        ("call_id", json!("")),
        ("call_id", json!("a b")),
        ("call_id", json!("x".repeat(65))),
    ] {
        let mut body = invoices();
        body[member] = value;
        assert_eq!(
            problem(world.call(&token, &id, &body)).await.1,
            "invalid_request",
            "{body}"
        );
    }
    assert!(world.billing.upstream.seen().is_empty());
}
