//! What is refused, and that nobody learns why.

use super::*;

/// N21: forbidden, unknown and impossible are one answer.
#[tokio::test]
async fn a_tenant_out_of_reach_is_answered_as_one_that_is_not_there() {
    let world = World::free().await;
    let (owner, admin) = (world.owner(), world.token("bob", "admin"));
    for (token, forbidden) in [(&admin, "globex"), (&admin, "initech"), (&owner, "initech")] {
        let session = world.session(token).await;
        let unknown = world.legacy(token, &session, switch("umbrella")).await;
        assert_eq!(code(&unknown), "tenant_unavailable");
        for tenant in [forbidden, "", "../acme", "default", "GLOBEX"] {
            assert_eq!(
                world.legacy(token, &session, switch(tenant)).await,
                unknown,
                "{tenant}"
            );
        }
        is_of(&world.legacy(token, &session, invoices()).await, "acme");
        let unknown = world.modern(token, switch("umbrella"), json!({})).await;
        assert_eq!(
            world.modern(token, switch(forbidden), json!({})).await,
            unknown
        );
    }
    assert!(!world.spent().contains(&bearer("globex")));
}

#[tokio::test]
async fn an_admin_sees_its_own_tenant_and_nobody_sees_what_is_above_its_own() {
    let world = World::free().await;
    let admin = world.token("bob", "admin");
    assert_eq!(
        ids(&world.modern(&admin, tenants(), json!({})).await),
        ["acme"]
    );
    let below = world
        .issuer
        .mint(&json!({"tenantId": "globex", "sub": "carl", "role": "owner"}));
    let listed = world.modern(&below, tenants(), json!({})).await;
    assert_eq!(ids(&listed), ["globex"]);
    assert!(!listed.to_string().contains("acme"), "{listed}");
    let all = world
        .modern(&world.token("sue", "superadmin"), tenants(), json!({}))
        .await;
    assert_eq!(ids(&all), ["acme", "globex", "initech"]);
}

#[tokio::test]
async fn a_call_that_expects_another_tenant_is_refused_before_anything_goes_out() {
    let world = World::free().await;
    let token = world.owner();
    let expects = |tenant: &str| json!({ "toolhost/expect_tenant": tenant });
    let refused = world.modern(&token, invoices(), expects("globex")).await;
    assert_eq!(code(&refused), "tenant_mismatch");
    assert!(world.spent().is_empty(), "nothing went out");
    is_of(
        &world.modern(&token, invoices(), expects("acme")).await,
        "acme",
    );
    // The host's own tools too.
    let refused = world
        .modern(&token, switch("globex"), expects("globex"))
        .await;
    assert_eq!(code(&refused), "tenant_mismatch");
    // In a session, what counts is what the session chose.
    let session = world.session(&token).await;
    world.legacy(&token, &session, switch("globex")).await;
    for (tenant, good) in [("acme", false), ("globex", true)] {
        let mut call = invoices();
        call["params"]["_meta"] = expects(tenant);
        let answer = world.legacy(&token, &session, call).await;
        if good {
            is_of(&answer, "globex");
        } else {
            assert_eq!(code(&answer), "tenant_mismatch");
        }
    }
    assert_eq!(world.spent(), [bearer("acme"), bearer("globex")]);
}

#[tokio::test]
async fn arguments_that_the_hosts_tools_do_not_have_are_refused() {
    let world = World::free().await;
    let token = world.owner();
    for call in [
        mcp::call("switch_tenant", json!({})),
        mcp::call("switch_tenant", json!({"tenantId": ["globex"]})),
        mcp::call(
            "switch_tenant",
            json!({"tenantId": "globex", "force": true}),
        ),
        mcp::call("reset_tenant", json!({"tenantId": "globex"})),
        mcp::call("list_tenants", json!({"all": true})),
        mcp::call("help", json!({"topic": "secrets"})),
    ] {
        let session = world.session(&token).await;
        assert_eq!(
            code(&world.legacy(&token, &session, call).await),
            "invalid_arguments"
        );
        is_of(&world.legacy(&token, &session, invoices()).await, "acme");
    }
}
