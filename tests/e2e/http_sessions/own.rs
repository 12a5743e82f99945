//! A session is its owner's alone: T28, E25.

use super::*;

#[tokio::test]
async fn an_owner_begins_lists_shows_and_ends_its_sessions() {
    let world = World::free().await;
    let token = world.owner();
    let (one, two) = (world.session(&token).await, world.session(&token).await);
    assert_ne!(one, two);
    let listed = world.get("/api/v1/sessions", &token).await;
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 2, "{listed}");
    let shown = world.get(&format!("/api/v1/sessions/{one}"), &token).await;
    assert_eq!(shown["active_tenant_id"], "acme", "{shown}");
    assert_eq!(
        (&shown["home_tenant_id"], &shown["idle_seconds"]),
        (&json!("acme"), &json!(1800))
    );
    // A new token of the same person is the same owner.
    let again = world.claims(&json!({"jti": "another"}));
    assert_eq!(
        world.get(&format!("/api/v1/sessions/{one}"), &again).await["id"],
        one.as_str()
    );
    for status in [204, 404] {
        let ended = world.ask(Method::DELETE, &format!("/api/v1/sessions/{one}"), &token);
        assert_eq!(ended.send().await.unwrap().status(), status);
    }
    let listed = world.get("/api/v1/sessions", &token).await;
    assert_eq!(listed["sessions"][0]["id"], two.as_str(), "{listed}");
    assert_eq!(problem(world.call(&token, &one, &invoices())).await.0, 404);
}

#[tokio::test]
async fn anothers_session_is_answered_as_one_that_never_was() {
    let world = World::free().await;
    let token = world.owner();
    let id = world.session(&token).await;
    is_of(
        world.call(&token, &id, &invoices()).send().await.unwrap(),
        "acme",
    )
    .await;
    let requests = |id: &str, token: &str| {
        let at = |rest: &str| format!("/api/v1/sessions/{id}{rest}");
        [
            world.ask(Method::GET, &at(""), token),
            world.ask(Method::DELETE, &at(""), token),
            world.call(token, id, &invoices()),
            world.call(
                token,
                id,
                &json!({"what": "is wrong is told to the owner alone"}),
            ),
            world.ask(Method::GET, &at("/events"), token),
            world
                .ask(Method::GET, &at("/events"), token)
                .header("last-event-id", "1-00000000"),
        ]
    };
    for other in world.others() {
        let theirs = requests(&id, &other).into_iter();
        for (index, (theirs, unknown)) in theirs.zip(requests("s_unknown", &other)).enumerate() {
            let theirs = problem(theirs).await;
            assert_eq!(
                (theirs.0, theirs.1.as_str()),
                (404, "not_found"),
                "request {index}"
            );
            assert_eq!(theirs, problem(unknown).await, "request {index}");
        }
        assert_eq!(
            world.get("/api/v1/sessions", &other).await,
            json!({"sessions": []})
        );
    }
    is_of(
        world.call(&token, &id, &invoices()).send().await.unwrap(),
        "acme",
    )
    .await;
}

#[tokio::test]
async fn a_session_is_no_right_and_its_reach_is_asked_at_each_call() {
    let world = World::free().await;
    let (owner, admin) = (world.owner(), world.token("ada", "admin"));
    let id = world.session(&owner).await;
    let switched = world.switch(&owner, &id, "globex").await;
    assert_eq!(
        switched["structured"]["active_tenant_id"], "globex",
        "{switched}"
    );
    is_of(
        world.call(&owner, &id, &invoices()).send().await.unwrap(),
        "globex",
    )
    .await;
    let refused = problem(world.call(&admin, &id, &invoices())).await;
    assert_eq!((refused.0, refused.1.as_str()), (403, "tenant_unavailable"));
    let home = json!({"tool": "reset_tenant"});
    let home = json_of(world.call(&admin, &id, &home)).await;
    assert_eq!(home["structured"]["active_tenant_id"], "acme", "{home}");
    is_of(
        world.call(&admin, &id, &invoices()).send().await.unwrap(),
        "acme",
    )
    .await;
}

#[tokio::test]
async fn a_caller_without_a_tenant_has_a_session_for_the_hosts_own_tools() {
    let world = World::free().await;
    let token = world.claims(&json!({"tenantId": null, "role": "superadmin"}));
    let id = world.session(&token).await;
    assert_eq!(
        problem(world.call(&token, &id, &invoices())).await.1,
        "tenant_required"
    );
    let reset = problem(world.call(&token, &id, &json!({"tool": "reset_tenant"}))).await;
    assert_eq!(
        (reset.0, reset.1.as_str()),
        (409, "home_tenant_unavailable")
    );
    let listed = json_of(world.call(&token, &id, &json!({"tool": "list_tenants"}))).await;
    assert_eq!(
        listed["structured"]["tenants"].as_array().unwrap().len(),
        3,
        "{listed}"
    );
    world.switch(&token, &id, "globex").await;
    is_of(
        world.call(&token, &id, &invoices()).send().await.unwrap(),
        "globex",
    )
    .await;
}
