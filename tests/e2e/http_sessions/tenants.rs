//! `/api/v1/tenants`: what a login reaches, and nothing of the rest.

use super::*;

#[tokio::test]
async fn each_role_sees_what_it_reaches_whatever_is_active() {
    let world = World::free().await;
    let ids = |listed: &Value| -> Vec<String> {
        let tenants = listed["tenants"]
            .as_array()
            .unwrap_or_else(|| panic!("{listed}"));
        tenants
            .iter()
            .map(|tenant| tenant["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let owner = world.owner();
    for (token, expected) in [
        (owner.clone(), vec!["acme", "globex"]),
        (world.token("ada", "admin"), vec!["acme"]),
        (
            world.token("sue", "superadmin"),
            vec!["acme", "globex", "initech"],
        ),
        (
            world.claims(&json!({"tenantId": null, "role": "owner"})),
            vec![],
        ),
    ] {
        let listed = world.get("/api/v1/tenants", &token).await;
        assert_eq!(ids(&listed), expected, "{listed}");
        assert!(listed.get("next_cursor").is_none());
    }
    let shown = world.get("/api/v1/tenants/globex", &owner).await;
    assert_eq!(
        shown,
        json!({"id": "globex", "display_name": "Globex", "parent_id": "acme"})
    );
    // What stands above the caller's own is none of its business.
    let below = world.claims(&json!({"tenantId": "globex"}));
    assert_eq!(
        world.get("/api/v1/tenants/globex", &below).await["parent_id"],
        json!(null)
    );
    let rest = world.get("/api/v1/tenants?cursor=acme", &owner).await;
    assert_eq!(ids(&rest), ["globex"]);
    for odd in [
        "/api/v1/tenants?cursor=A%20b",
        "/api/v1/tenants?role=superadmin",
        "/api/v1/tenants/acme?x",
    ] {
        assert_eq!(
            problem(world.ask(Method::GET, odd, &owner)).await.0,
            400,
            "{odd}"
        );
    }
}

#[tokio::test]
async fn unknown_and_out_of_reach_are_one_answer() {
    let world = World::free().await;
    let owner = world.owner();
    let unknown = problem(world.ask(Method::GET, "/api/v1/tenants/nobody", &owner)).await;
    assert_eq!(unknown.0, 404);
    for id in ["initech", "ACME", "acme%20", "..%2Facme", "%FF", "s%00"] {
        let answer =
            problem(world.ask(Method::GET, &format!("/api/v1/tenants/{id}"), &owner)).await;
        assert_eq!(answer, unknown, "{id}");
    }
    // Tenants are changed by the operator alone.
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        for path in ["/api/v1/tenants", "/api/v1/tenants/acme"] {
            let sue = world.token("sue", "superadmin");
            let answer = world
                .ask(method.clone(), path, &sue)
                .json(&json!({"id": "x"}))
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 405, "{method} {path}");
        }
    }
}
