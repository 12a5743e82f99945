//! MCP 2025-11-25: the session holds the choice.

use super::*;

#[tokio::test]
async fn an_owner_switches_its_session_and_its_calls_carry_the_other_tenants_credential() {
    let world = World::free().await;
    let token = world.owner();
    let (session, other) = (world.session(&token).await, world.session(&token).await);
    let listed = world.legacy(&token, &session, mcp::list()).await;
    for tool in [
        "help",
        "list_tenants",
        "reset_tenant",
        "switch_tenant",
        "list_invoices",
    ] {
        assert!(names(&listed).contains(&tool), "{tool}: {listed}");
    }
    let before = world.legacy(&token, &session, tenants()).await;
    assert_eq!(ids(&before), ["acme", "globex"]);
    is_of(&world.legacy(&token, &session, invoices()).await, "acme");

    let switched = world.legacy(&token, &session, switch("globex")).await;
    let expected = json!({"active_tenant_id": "globex", "previous_tenant_id": "acme", "home_tenant_id": "acme"});
    assert_eq!(
        switched["result"]["structuredContent"], expected,
        "{switched}"
    );
    is_of(&world.legacy(&token, &session, invoices()).await, "globex");
    // The list comes from the login, and nobody else has switched (N5, N12).
    let after = world.legacy(&token, &session, tenants()).await;
    assert_eq!(ids(&after), ids(&before));
    assert_eq!(
        after["result"]["structuredContent"]["active_tenant_id"],
        "globex"
    );
    is_of(&world.legacy(&token, &other, invoices()).await, "acme");

    let home = world.legacy(&token, &session, reset()).await;
    assert_eq!(
        home["result"]["structuredContent"]["active_tenant_id"], "acme",
        "{home}"
    );
    is_of(&world.legacy(&token, &session, invoices()).await, "acme");
    let [a, b] = [bearer("acme"), bearer("globex")];
    assert_eq!(world.spent(), [a.clone(), b, a.clone(), a]);
}

/// The choice is no right: the reach is asked again with each request's own token.
#[tokio::test]
async fn a_session_whose_owner_was_made_an_admin_calls_nothing_at_the_other_tenant() {
    let world = World::free().await;
    let (owner, admin) = (world.owner(), world.token("ada", "admin"));
    let session = world.session(&owner).await;
    world.legacy(&owner, &session, switch("globex")).await;
    let refused = world.legacy(&admin, &session, invoices()).await;
    assert_eq!(code(&refused), "tenant_unavailable");
    assert!(world.spent().is_empty(), "nothing went out");
    // What leads back is there as long as it is of use.
    let listed = world.legacy(&admin, &session, mcp::list()).await;
    assert!(names(&listed).contains(&"reset_tenant"), "{listed}");
    let home = world.legacy(&admin, &session, reset()).await;
    assert_eq!(
        home["result"]["structuredContent"]["active_tenant_id"], "acme",
        "{home}"
    );
    let listed = world.legacy(&admin, &session, mcp::list()).await;
    assert!(!names(&listed).contains(&"reset_tenant"), "{listed}");
    is_of(&world.legacy(&admin, &session, invoices()).await, "acme");
}

#[tokio::test]
async fn a_switch_is_announced_to_whoever_listens() {
    let world = World::free().await;
    let token = world.owner();
    let session = world.session(&token).await;
    let mut stream = mcp::legacy(Method::GET, world.url(), &token, Some(&session), None).await;
    world.legacy(&token, &session, switch("globex")).await;
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

#[tokio::test]
async fn a_session_names_its_tenant_itself_and_takes_no_context_beside_it() {
    let world = World::free().await;
    let token = world.owner();
    let given = world.modern(&token, switch("globex"), json!({})).await;
    let context = &given["result"]["structuredContent"]["tenant_context"];
    let session = world.session(&token).await;
    let mut call = invoices();
    call["params"]["_meta"] = json!({"toolhost/tenant_context": context});
    let refused = world.legacy(&token, &session, call).await;
    assert_eq!(code(&refused), "invalid_request");
    let mut call = invoices();
    call["params"]["arguments"]["tenant_context"] = context.clone();
    assert_eq!(
        code(&world.legacy(&token, &session, call).await),
        "invalid_arguments"
    );
    assert!(world.spent().is_empty());
}
