//! Without a session: the name that a switch gave, in a header.

use super::*;

impl World {
    fn tool(&self, token: &str, tool: &str, arguments: Value) -> RequestBuilder {
        self.ask(Method::POST, &format!("/api/v1/tools/{tool}/call"), token)
            .json(&json!({ "arguments": arguments }))
    }

    async fn context(&self, token: &str, tenant: &str) -> String {
        let given = json_of(self.tool(token, "switch_tenant", json!({ "tenantId": tenant }))).await;
        given["structured"]["tenant_context"]
            .as_str()
            .unwrap_or_else(|| panic!("no context: {given}"))
            .to_owned()
    }
}

#[tokio::test]
async fn a_header_brings_back_what_a_switch_gave() {
    let world = World::free().await;
    let token = world.owner();
    let context = world.context(&token, "globex").await;
    let call = || world.tool(&token, "list_invoices", json!({"limit": 3}));
    is_of(call().send().await.unwrap(), "acme").await;
    let with = || call().header("toolhost-tenant-context", &context);
    is_of(with().send().await.unwrap(), "globex").await;
    is_of(
        with()
            .header("toolhost-expect-tenant", "globex")
            .send()
            .await
            .unwrap(),
        "globex",
    )
    .await;
    let refused = problem(with().header("toolhost-expect-tenant", "acme")).await;
    assert_eq!((refused.0, refused.1.as_str()), (409, "tenant_mismatch"));
    let listed = world
        .ask(Method::GET, "/api/v1/tools", &token)
        .header("toolhost-tenant-context", &context);
    let listed = listed.send().await.unwrap();
    assert_eq!(listed.headers()["toolhost-active-tenant"], "globex");
    // A switch from there gives another name, and this one stays what it is.
    let home = world
        .tool(&token, "reset_tenant", json!({}))
        .header("toolhost-tenant-context", &context);
    let home = json_of(home).await;
    assert_eq!(home["structured"]["previous_tenant_id"], "globex", "{home}");
    is_of(with().send().await.unwrap(), "globex").await;
}

#[tokio::test]
async fn anothers_context_is_as_unknown_as_none() {
    let world = World::free().await;
    let token = world.owner();
    let context = world.context(&token, "globex").await;
    for other in world.others() {
        let call = |name: &str| {
            world
                .tool(&other, "list_invoices", json!({"limit": 3}))
                .header("toolhost-tenant-context", name)
        };
        let theirs = problem(call(&context)).await;
        assert_eq!((theirs.0, theirs.1.as_str()), (404, "not_found"));
        assert_eq!(theirs, problem(call("tc_unknown")).await);
    }
    assert!(world.billing.upstream.seen().is_empty());
}

#[tokio::test]
async fn a_session_and_a_context_together_are_an_error() {
    let world = World::free().await;
    let token = world.owner();
    let (context, id) = (
        world.context(&token, "globex").await,
        world.session(&token).await,
    );
    for body in [
        invoices(),
        json!({"tool": "list_tenants"}),
        json!({"tool": "reset_tenant"}),
    ] {
        let both = world
            .call(&token, &id, &body)
            .header("toolhost-tenant-context", &context);
        let refused = problem(both).await;
        assert_eq!((refused.0, refused.1.as_str()), (400, "invalid_request"));
    }
    assert!(world.billing.upstream.seen().is_empty());
}

#[tokio::test]
async fn the_hosts_own_tools_are_listed_and_called_as_over_mcp() {
    let world = World::free().await;
    let token = world.owner();
    let listed = world.get("/api/v1/tools", &token).await;
    let names: Vec<&str> = listed["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    for tool in [
        "help",
        "list_tenants",
        "reset_tenant",
        "switch_tenant",
        "list_invoices",
    ] {
        assert_eq!(
            names.iter().filter(|name| **name == tool).count(),
            1,
            "{tool}"
        );
    }
    let tenants = json_of(world.tool(&token, "list_tenants", json!({}))).await;
    assert_eq!(
        tenants["structured"]["tenants"][1]["id"], "globex",
        "{tenants}"
    );
    let help = json_of(world.tool(&token, "help", json!({"topic": "tenancy"}))).await;
    assert_eq!(help["structured"]["topic"], "tenancy", "{help}");
    let odd = problem(world.tool(&token, "list_tenants", json!({"tenant": "globex"}))).await;
    assert_eq!(odd.1, "invalid_arguments");
    let nowhere =
        problem(world.tool(&token, "switch_tenant", json!({"tenantId": "initech"}))).await;
    assert_eq!(
        nowhere,
        problem(world.tool(&token, "switch_tenant", json!({"tenantId": "nobody"}))).await
    );
    assert_eq!(nowhere.1, "tenant_unavailable");
}

#[tokio::test]
async fn where_nobody_switches_a_context_counts_for_nothing() {
    let world = World::start("[tenancy]\nswitch = \"off\"", false).await;
    let token = world.owner();
    let refused = problem(world.tool(&token, "switch_tenant", json!({"tenantId": "globex"}))).await;
    assert_eq!(refused.1, "not_found");
    let with = world
        .tool(&token, "list_invoices", json!({"limit": 3}))
        .header("toolhost-tenant-context", "tc_x");
    assert_eq!(problem(with).await.1, "not_found");
    let id = world.session(&token).await;
    is_of(
        world.call(&token, &id, &invoices()).send().await.unwrap(),
        "acme",
    )
    .await;
    let tenants = world.get("/api/v1/tenants", &token).await;
    assert_eq!(tenants["tenants"].as_array().unwrap().len(), 1, "{tenants}");
}
