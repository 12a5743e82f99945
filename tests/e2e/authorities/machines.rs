//! Programs: whose headers, and what they may not use.

use super::*;

async fn asked(world: &World, headers: &[(&str, &str)], body: Value) -> (u16, Value) {
    let machine = world.token(&json!({"gty": "client-credentials", "sub": "svc@clients"}));
    let mut request = mcp::modern(world.host.url(), body, json!({})).bearer_auth(machine);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), mcp::answer(response).await)
}

#[tokio::test]
async fn the_headers_have_the_names_that_the_operator_gave_them() {
    let world = World::with(HTTP, |host| {
        host.config("[tenancy.machine]\ntenant_header = \"X-Org\"\nuser_header = \"x-for\"")
    })
    .await;
    let list = mcp::list;
    assert_eq!(
        asked(&world, &[("x-org", "acme"), ("x-for", "u")], list())
            .await
            .0,
        200
    );
    let usual = [("snc-tenant", "acme"), ("snc-userid", "u")];
    assert_eq!(
        asked(&world, &usual, list()).await.0,
        403,
        "nobody reads the usual ones"
    );
    assert_eq!(
        asked(&world, &[("x-org", "globex"), ("x-for", "u")], list())
            .await
            .0,
        403
    );
    assert_eq!(asked(&world, &[("x-org", "acme")], list()).await.0, 403);
}

/// Before any look-up: the authority would be asked for the token.
#[tokio::test]
async fn a_connection_for_people_refuses_a_machine_before_anybody_is_asked() {
    let world = World::with(HTTP, |host| {
        let application = "https://api.app.test";
        host.config(&format!("[connections.unused]\nbase = \"{application}\""))
    })
    .await;
    let usual = [("snc-tenant", "acme"), ("snc-userid", "u")];
    let (_, open) = asked(&world, &usual, get("billing")).await;
    assert!(open.to_string().contains("200"), "{open}");
    assert_eq!(world.authority.asked(), 1);
    let config = world.host.directory().join("host.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(
        &config,
        text.replace("principal = \"any\"", "principal = \"user\""),
    )
    .unwrap();
    let world = World {
        host: world.host.killed_and_started(),
        ..world
    };
    let (_, refused) = asked(&world, &usual, get("billing")).await;
    assert!(refused.to_string().contains("denied"), "{refused}");
    assert_eq!(world.authority.asked(), 1, "not even the authority");
    assert_eq!(world.application.seen().len(), 1);
}
