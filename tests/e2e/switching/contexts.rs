//! MCP 2026-07-28: a switch gives a name, and each call brings it.

use super::*;

fn with_context(context: &Value) -> Value {
    json!({ "toolhost/tenant_context": context })
}

fn as_argument(context: &Value) -> Value {
    mcp::call(
        "list_invoices",
        json!({ "limit": 3, "tenant_context": context }),
    )
}

#[tokio::test]
async fn a_context_is_taken_in_meta_and_as_an_argument_and_for_its_own_calls_alone() {
    let world = World::free().await;
    let token = world.owner();
    let switched = world.modern(&token, switch("globex"), json!({})).await;
    let answer = &switched["result"]["structuredContent"];
    assert_eq!(answer["active_tenant_id"], "globex", "{switched}");
    let context = &answer["tenant_context"];
    let name = context.as_str().unwrap();
    assert!(
        name.len() >= 20 && !name.contains("globex"),
        "it says nothing: {name}"
    );

    is_of(
        &world
            .modern(&token, invoices(), with_context(context))
            .await,
        "globex",
    );
    is_of(
        &world.modern(&token, as_argument(context), json!({})).await,
        "globex",
    );
    is_of(
        &world
            .modern(&token, as_argument(context), with_context(context))
            .await,
        "globex",
    );
    is_of(&world.modern(&token, invoices(), json!({})).await, "acme");

    let home = world.modern(&token, reset(), with_context(context)).await;
    let back = &home["result"]["structuredContent"];
    assert_eq!(
        (&back["active_tenant_id"], &back["previous_tenant_id"]),
        (&json!("acme"), &json!("globex"))
    );
    is_of(
        &world
            .modern(&token, invoices(), with_context(&back["tenant_context"]))
            .await,
        "acme",
    );
    // A context never changes: the first one is where it was.
    is_of(
        &world
            .modern(&token, invoices(), with_context(context))
            .await,
        "globex",
    );
}

#[tokio::test]
async fn a_context_of_another_person_is_worth_nothing() {
    let world = World::free().await;
    let given = world
        .modern(&world.owner(), switch("globex"), json!({}))
        .await;
    let context = &given["result"]["structuredContent"]["tenant_context"];
    // An owner of the same tenant, who could switch there; and the same person by another client.
    let eve = world.token("eve", "owner");
    let client =
        json!({"tenantId": "acme", "sub": "ada", "role": "owner", "client_id": "client-2"});
    let unknown = json!("tc_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    for token in [eve, world.issuer.mint(&client)] {
        let theirs = world
            .modern(&token, invoices(), with_context(context))
            .await;
        let nobodys = world
            .modern(&token, invoices(), with_context(&unknown))
            .await;
        assert_eq!(code(&theirs), "not_found");
        assert_eq!(theirs, nobodys);
        assert_eq!(
            code(&world.modern(&token, as_argument(context), json!({})).await),
            "not_found"
        );
        // Nor can it be gone on from.
        let on = world.modern(&token, reset(), with_context(context)).await;
        assert_eq!(code(&on), "not_found");
    }
    assert!(world.spent().is_empty(), "nothing went out");
}

#[tokio::test]
async fn a_context_is_no_right_once_its_owner_is_an_admin() {
    let world = World::free().await;
    let given = world
        .modern(&world.owner(), switch("globex"), json!({}))
        .await;
    let context = &given["result"]["structuredContent"]["tenant_context"];
    let admin = world.token("ada", "admin");
    let refused = world
        .modern(&admin, invoices(), with_context(context))
        .await;
    assert_eq!(code(&refused), "tenant_unavailable");
    // An admin's tools have no such argument.
    assert_eq!(
        code(&world.modern(&admin, as_argument(context), json!({})).await),
        "invalid_arguments"
    );
    assert!(world.spent().is_empty());
}

#[tokio::test]
async fn the_argument_is_in_the_schemas_of_those_who_reach_several_tenants() {
    let world = World::free().await;
    let listed = async |token: &str| world.modern(token, mcp::list(), json!({})).await;
    let takes = |listed: &Value| {
        let tools = listed["result"]["tools"].as_array().unwrap().clone();
        let tool = tools
            .into_iter()
            .find(|tool| tool["name"] == "list_invoices")
            .unwrap();
        tool["inputSchema"]["properties"]
            .get("tenant_context")
            .is_some()
    };
    assert!(takes(&listed(&world.owner()).await));
    assert!(!takes(&listed(&world.token("bob", "admin")).await));
    let session = world.session(&world.owner()).await;
    assert!(!takes(
        &world.legacy(&world.owner(), &session, mcp::list()).await
    ));
}

#[tokio::test]
async fn a_context_that_cannot_be_read_is_refused_and_not_left_out() {
    let world = World::free().await;
    let token = world.owner();
    for bad in [json!(7), json!(null), json!(""), json!({"a": 1})] {
        let answer = world.modern(&token, invoices(), with_context(&bad)).await;
        assert_eq!(
            answer["error"]["data"]["code"], "invalid_request",
            "{answer}"
        );
        let answer = world.modern(&token, as_argument(&bad), json!({})).await;
        assert_eq!(
            answer["error"]["data"]["code"], "invalid_request",
            "{answer}"
        );
    }
    let given = world.modern(&token, switch("globex"), json!({})).await;
    let context = &given["result"]["structuredContent"]["tenant_context"];
    let two = world
        .modern(
            &token,
            as_argument(context),
            with_context(&json!("tc_other")),
        )
        .await;
    assert_eq!(two["error"]["data"]["code"], "invalid_request", "{two}");
    assert!(world.spent().is_empty());
}
