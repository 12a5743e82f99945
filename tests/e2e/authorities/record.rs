//! Each switch stands in the host's chain: who, from where, to where, by which authority, and how
//! it ended.

use toolhost_harness::Says;

use super::*;

fn switches(host: &Host) -> Vec<Value> {
    let tail = host.verb(&["audit", "tail", "-n", "200"]).stdout;
    tail.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["event"] == "tenant_switched")
        .collect()
}

#[tokio::test]
async fn a_switch_a_reset_and_a_refusal_are_recorded_before_and_after() {
    let world = World::with(HTTP, HostBuilder::data).await;
    let token = world.owner();
    let session = world.session(&token).await;
    world.legacy(&token, &session, switch("globex")).await;
    world.legacy(&token, &session, reset()).await;
    world.modern(&token, switch("globex"), json!({})).await;
    world.authority.says(Says::Status(403));
    world.legacy(&token, &session, switch("initech")).await;
    world
        .legacy(&token, &session, switch("say \"yes\"\n"))
        .await;
    let events = switches(&world.host);
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            let text = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
            [text("action"), text("from"), text("to"), text("outcome")].join(" ")
        })
        .collect();
    assert_eq!(
        told,
        [
            "switch acme globex asked",
            "switch acme globex done",
            "reset globex acme asked",
            "reset globex acme done",
            "switch acme globex asked",
            "switch acme globex done",
            "switch acme initech asked",
            "switch acme initech tenant_unavailable",
            "switch acme - asked",
            "switch acme - tenant_unavailable",
        ]
    );
    for event in &events {
        assert_eq!(
            (
                &event["subject"],
                &event["issuer"],
                &event["by"],
                &event["kind"]
            ),
            (
                &json!("ada"),
                &json!("https://issuer.test"),
                &json!("http"),
                &json!("user")
            )
        );
    }
    assert_eq!(world.host.verb(&["audit", "verify"]).status, 0);
}

#[tokio::test]
async fn the_hosts_own_tree_is_recorded_as_local() {
    let issuer = Issuer::es256("https://issuer.test", "k1");
    let host = Host::with()
        .data()
        .issuer(&issuer)
        .config("role_claim = \"/role\"\nmay_grant = [\"owner\"]")
        .plugin("evil")
        .config("[tenancy]\nswitch = \"free\"\n[tenancy.authority]\nkind = \"local\"")
        .config("[tenants.acme]\n[tenants.globex]\nparent = \"acme\"")
        .config(
            "[connections.billing]\nbase = \"https://b.test\"\n[connections.echo]\nbase = \"https://e.test\"",
        )
        .start();
    let token = issuer.mint(&json!({"tenantId": "acme", "role": "owner"}));
    let session = mcp::initialize(host.url(), &token, json!({})).await;
    let sent = mcp::legacy(
        Method::POST,
        host.url(),
        &token,
        Some(&session),
        Some(switch("globex")),
    )
    .await;
    assert_eq!(active(&mcp::answer(sent).await), "globex");
    let events = switches(&host);
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event["by"] == "local"));
}
