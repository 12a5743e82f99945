//! A token that ends is renewed before it does, or is gone. Nothing takes its place.

use std::time::Duration;

use toolhost_harness::Says;

use super::*;

/// Between two looks. How fast the machine is changes how often somebody looks, and nothing that is
/// asserted.
const PAUSE: Duration = Duration::from_millis(100);

/// The token that one call sends; `None` once there is no tenant for it.
async fn sends(world: &World, token: &str, session: &str) -> Option<String> {
    let before = world.application.seen().len();
    let answer = world.legacy(token, session, get("billing")).await;
    if answer.to_string().contains("200") {
        return world.shown(before).pop();
    }
    assert_eq!(code(&answer), "tenant_unavailable");
    assert_eq!(world.application.seen().len(), before);
    None
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_stays_with_its_tenant() {
    let world = World::start().await;
    world.authority.lasts(6);
    let token = world.owner();
    let session = world.session(&token).await;
    world.legacy(&token, &session, switch("globex")).await;
    let first = sends(&world, &token, &session).await.unwrap();
    let second = loop {
        tokio::time::sleep(PAUSE).await;
        let sent = sends(&world, &token, &session)
            .await
            .expect("no gap between the two");
        if sent != first {
            break sent;
        }
    };
    // It does not answer: what it gave holds until its end and no longer, and the home token is not
    // sent instead.
    world.authority.says(Says::Status(503));
    let given = world.authority.given();
    while let Some(sent) = sends(&world, &token, &session).await {
        assert!(sent == second || given.contains(&sent), "{sent}");
        tokio::time::sleep(PAUSE).await;
    }
    world.authority.is_content("/switch");
    world.no_login_went_out();
}

#[tokio::test]
async fn a_tenant_that_the_authority_takes_away_is_gone_with_the_renewal() {
    let world = World::start().await;
    world.authority.lasts(6);
    let token = world.owner();
    let session = world.session(&token).await;
    world.legacy(&token, &session, switch("globex")).await;
    let first = sends(&world, &token, &session).await;
    world.authority.says(Says::Status(403));
    while let Some(sent) = sends(&world, &token, &session).await {
        assert_eq!(Some(sent), first);
        tokio::time::sleep(PAUSE).await;
    }
    assert!(
        world.authority.asked() >= 2,
        "it was asked before its token ended"
    );
}

#[tokio::test]
async fn a_host_that_was_killed_asks_for_the_token_of_a_context_anew() {
    let world = World::with(HTTP, HostBuilder::data).await;
    let token = world.owner();
    let switched = world.modern(&token, switch("globex"), json!({})).await;
    let context = switched["result"]["structuredContent"]["tenant_context"].clone();
    let meta = json!({ "toolhost/tenant_context": context });
    world.modern(&token, get("billing"), meta.clone()).await;
    let kept = std::process::Command::new("grep")
        .args([
            "-rlF",
            world.authority.given()[0].rsplit('.').next().unwrap(),
            "data",
        ])
        .current_dir(world.host.directory())
        .output()
        .unwrap();
    assert!(
        kept.stdout.is_empty(),
        "a token stands on the disk: {kept:?}"
    );
    let world = World {
        host: world.host.killed_and_started(),
        ..world
    };
    let before = world.application.seen().len();
    for name in CONNECTIONS {
        world.modern(&token, get(name), meta.clone()).await;
    }
    world.of(&world.shown(before), "globex");
    assert_eq!(world.authority.asked(), 2);
    // It is asked with that request's own bearer: another caller's does not bring the tenant back.
    let eve = world.token(&json!({ "sub": "eve" }));
    assert_eq!(
        code(&world.modern(&eve, get("billing"), meta).await),
        "not_found"
    );
    assert_eq!(world.authority.asked(), 2);
}
