//! `credentials = "authority"`: the authority's token and no other, and all of them at once.

use toolhost_harness::Says;

use super::*;

#[tokio::test]
async fn two_connections_send_one_token_and_change_together() {
    let world = World::start().await;
    let token = world.owner();
    let (session, other) = (world.session(&token).await, world.session(&token).await);
    let home = world.both_send(&token, &session, "acme").await;
    assert_eq!(
        world.authority.asked(),
        1,
        "once for both, and for the session beside it"
    );
    assert_eq!(world.both_send(&token, &other, "acme").await, home);
    assert_eq!(world.authority.asked(), 1);

    let switched = world.legacy(&token, &session, switch("globex")).await;
    assert_eq!(active(&switched), "globex", "{switched}");
    let away = world.both_send(&token, &session, "globex").await;
    assert_eq!(
        world.both_send(&token, &other, "acme").await,
        home,
        "another session"
    );
    let back = world.legacy(&token, &session, reset()).await;
    assert_eq!(active(&back), "acme", "{back}");
    let again = world.both_send(&token, &session, "acme").await;
    assert!(
        again != home && again != away,
        "a reset asks the authority too"
    );
    world.authority.is_content("/switch");
    let bearers = world.authority.upstream.seen();
    let login = format!("Bearer {token}");
    assert!(
        bearers
            .iter()
            .all(|seen| seen.header("authorization") == Some(&login))
    );
    world.no_login_went_out();
    let log = world.host.log();
    for secret in [&token, &home, &away, &again] {
        assert!(!log.contains(secret.rsplit('.').next().unwrap()), "{log}");
    }
}

#[tokio::test]
async fn a_call_that_needs_no_such_token_shows_its_own_to_nobody() {
    let world = World::start().await;
    let token = world.owner();
    let session = world.session(&token).await;
    let put = mcp::call("kv", json!({"operation": "put", "key": "k", "value": "v"}));
    world.legacy(&token, &session, put).await;
    world
        .legacy(&token, &session, mcp::call("list_tenants", json!({})))
        .await;
    assert_eq!(world.authority.asked(), 0);
}

#[tokio::test]
async fn calls_at_once_ask_the_authority_once() {
    let world = World::start().await;
    let token = world.owner();
    let calls = (0..20).map(|n| world.modern(&token, get(CONNECTIONS[n % 2]), json!({})));
    futures::future::join_all(calls).await;
    assert_eq!(world.application.seen().len(), 20);
    assert_eq!(world.authority.asked(), 1);
    world.no_login_went_out();
}

#[tokio::test]
async fn the_http_api_and_a_single_call_send_the_authoritys_token_too() {
    let world = World::start().await;
    let token = world.owner();
    for name in CONNECTIONS {
        let sent = reqwest::Client::new()
            .post(world.host.at("/api/v1/tools/http/call"))
            .bearer_auth(&token)
            .json(&json!({ "arguments": get(name)["params"]["arguments"] }));
        assert_eq!(sent.send().await.unwrap().status(), 200);
    }
    world.of(&world.shown(0), "acme");
    toolhost_harness::host::write(world.host.directory(), "token", &token);
    for name in CONNECTIONS {
        let arguments = get(name)["params"]["arguments"].to_string();
        let called = world.host.verb(&[
            "call", "http", "--args", &arguments, "--token", "@token", "--yes",
        ]);
        assert_eq!(called.status, 0, "{called:?}");
    }
    // Each is a process of its own.
    let shown = world.shown(2);
    assert!(
        shown
            .iter()
            .all(|token| world.authority.given().contains(token))
    );
    world.no_login_went_out();
}

#[tokio::test]
async fn who_has_fewer_scopes_does_not_use_what_others_were_given() {
    let world = World::start().await;
    let wide = world.token(&json!({ "scope": "read write" }));
    let narrow = world.token(&json!({ "scope": "read" }));
    let session = world.session(&wide).await;
    let home = world.both_send(&wide, &session, "acme").await;
    assert_ne!(world.both_send(&narrow, &session, "acme").await, home);
    world.legacy(&wide, &session, switch("globex")).await;
    let away = world.both_send(&wide, &session, "globex").await;
    assert_ne!(world.both_send(&narrow, &session, "globex").await, away);
    let last = world.authority.upstream.seen().pop().unwrap();
    assert_eq!(
        last.header("authorization"),
        Some(format!("Bearer {narrow}").as_str())
    );
    // Nobody answers: what another was given stays another's.
    world.authority.says(Says::Status(500));
    let before = world.application.seen().len();
    let less = world.token(&json!({ "scope": "less" }));
    let refused = world.legacy(&less, &session, get("billing")).await;
    assert!(refused.to_string().contains("not-connected"), "{refused}");
    assert_eq!(world.application.seen().len(), before);
    world.authority.says(Says::Status(403));
    tokio::time::sleep(std::time::Duration::from_millis(5_200)).await;
    let none = world.token(&json!({ "scope": "other" }));
    assert_eq!(
        code(&world.legacy(&none, &session, get("billing")).await),
        "tenant_unavailable"
    );
}
