//! A token without a tenant claim.

use super::*;

#[tokio::test]
async fn a_caller_without_a_tenant_lists_switches_and_asks_for_help_and_nothing_else() {
    let world = World::free().await;
    let token = world
        .issuer
        .mint(&json!({"sub": "sue", "role": "superadmin"}));
    let session = world.session(&token).await;
    let four = ["help", "list_tenants", "reset_tenant", "switch_tenant"];
    assert_eq!(
        names(&world.legacy(&token, &session, mcp::list()).await),
        four
    );
    assert_eq!(
        names(&world.modern(&token, mcp::list(), json!({})).await),
        four
    );
    assert_eq!(
        code(&world.legacy(&token, &session, invoices()).await),
        "tenant_required"
    );
    assert_eq!(
        code(&world.modern(&token, invoices(), json!({})).await),
        "tenant_required"
    );
    assert_eq!(
        code(&world.legacy(&token, &session, reset()).await),
        "home_tenant_unavailable"
    );
    assert_eq!(
        code(&world.modern(&token, reset(), json!({})).await),
        "home_tenant_unavailable"
    );
    let help = world
        .legacy(
            &token,
            &session,
            mcp::call("help", json!({"topic": "tenancy"})),
        )
        .await;
    assert_eq!(
        help["result"]["structuredContent"]["topic"], "tenancy",
        "{help}"
    );
    let listed = world.legacy(&token, &session, tenants()).await;
    assert_eq!(ids(&listed), ["acme", "globex", "initech"]);
    assert!(world.spent().is_empty());

    let switched = world.legacy(&token, &session, switch("globex")).await;
    let expected =
        json!({"active_tenant_id": "globex", "previous_tenant_id": null, "home_tenant_id": null});
    assert_eq!(
        switched["result"]["structuredContent"], expected,
        "{switched}"
    );
    is_of(&world.legacy(&token, &session, invoices()).await, "globex");
    let listed = world.legacy(&token, &session, mcp::list()).await;
    assert!(names(&listed).contains(&"list_invoices"));
    // There is still nowhere to go back to (N14).
    assert_eq!(
        code(&world.legacy(&token, &session, reset()).await),
        "home_tenant_unavailable"
    );
    is_of(&world.legacy(&token, &session, invoices()).await, "globex");
}

#[tokio::test]
async fn a_caller_without_a_tenant_and_without_a_role_reaches_nothing() {
    let world = World::free().await;
    for role in ["owner", "admin"] {
        let token = world.issuer.mint(&json!({"sub": "mallory", "role": role}));
        let session = world.session(&token).await;
        assert!(ids(&world.legacy(&token, &session, tenants()).await).is_empty());
        // A tool that can do nothing for this caller is not listed.
        assert!(names(&world.legacy(&token, &session, mcp::list()).await).is_empty());
        assert!(names(&world.modern(&token, mcp::list(), json!({})).await).is_empty());
        assert_eq!(
            code(&world.legacy(&token, &session, switch("acme")).await),
            "tenant_unavailable"
        );
        assert_eq!(
            code(&world.legacy(&token, &session, invoices()).await),
            "tenant_required"
        );
    }
    assert!(world.spent().is_empty());
}

#[tokio::test]
async fn the_http_api_has_the_hosts_own_tools_for_a_caller_without_a_tenant_and_no_others() {
    let world = World::free().await;
    let token = world
        .issuer
        .mint(&json!({"sub": "sue", "role": "superadmin"}));
    let client = reqwest::Client::new();
    let list = client
        .get(world.host.at("/api/v1/tools"))
        .bearer_auth(&token);
    let listed: Value = list.send().await.unwrap().json().await.unwrap();
    let listed = listed["tools"].as_array().unwrap().iter();
    let listed: Vec<&str> = listed.map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(
        listed,
        ["help", "list_tenants", "reset_tenant", "switch_tenant"]
    );
    let call = client
        .post(world.host.at("/api/v1/tools/list_invoices/call"))
        .json(&json!({}));
    let response = call.bearer_auth(&token).send().await.unwrap();
    assert_eq!(response.status(), 403);
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], "tenant_required");
    assert!(world.spent().is_empty());
}
