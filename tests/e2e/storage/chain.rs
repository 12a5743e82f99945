use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use toolhost_harness::billing;

use crate::storage::World;

fn segment(world: &World, tenant: &str) -> PathBuf {
    world
        .host
        .directory()
        .join(format!("data/audit/tenants/{tenant}/000001.jsonl"))
}

#[tokio::test]
async fn a_call_leaves_its_records_in_its_tenants_chain_and_nowhere_else() {
    let world = World::start().await;
    world.set("acme", &billing::token("acme"));
    world.invoices("acme").await;
    let tail = world.host.verb(&["audit", "tail", "acme", "-n", "100"]);
    let events: Vec<Value> = tail
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<&str> = events
        .iter()
        .filter_map(|event| event["event"].as_str())
        .collect();
    for name in [
        "credential_changed",
        "call_started",
        "egress_intent",
        "egress_outcome",
        "call_finished",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(!tail.stdout.contains("globex") && !tail.stdout.contains(&billing::token("acme")));
    let host = world.host.verb(&["audit", "tail"]).stdout;
    for name in [
        "tenant_changed",
        "grant_approved",
        "host_started",
        "configuration_loaded",
    ] {
        assert!(host.contains(name), "{name}: {host}");
    }
    assert!(!host.contains("call_started"), "{host}");
}

#[tokio::test]
async fn a_record_that_is_changed_cut_or_dropped_is_found() {
    let mut world = World::start().await;
    world.set("acme", &billing::token("acme"));
    for _ in 0..3 {
        world.invoices("acme").await;
    }
    let verify = |world: &World| {
        world
            .host
            .verb(&["audit", "verify", "acme", "--output", "json"])
    };
    assert_eq!(verify(&world).status, 0, "{:?}", verify(&world));
    let exported = world.host.verb(&["audit", "export", "acme"]);
    assert_eq!(exported.status, 0);
    std::fs::write(world.host.directory().join("head.jsonl"), &exported.stdout).unwrap();
    world.host.terminate();
    world.host.ended(Duration::from_secs(20)).await;

    let path = segment(&world, "acme");
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let damages = [
        whole.replacen("list_invoices", "list_invoicez", 1),
        lines
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != 3)
            .map(|(_, line)| format!("{line}\n"))
            .collect(),
        lines[..lines.len() - 2]
            .iter()
            .map(|line| format!("{line}\n"))
            .collect(),
        lines[1..].iter().map(|line| format!("{line}\n")).collect(),
    ];
    for (number, damaged) in damages.iter().enumerate() {
        std::fs::write(&path, damaged).unwrap();
        let found = verify(&world);
        assert_ne!(found.status, 0, "damage {number}: {found:?}");
    }
    std::fs::write(&path, &whole).unwrap();
    let known = ["audit", "verify", "acme", "--head", "head.jsonl"];
    let found = world.host.verb(&known);
    assert_eq!(found.status, 0, "{found:?}");
}

#[tokio::test]
async fn every_answered_call_is_in_the_chain_after_a_kill() {
    let mut world = World::start().await;
    world.set("acme", &billing::token("acme"));
    let mut answered = 0;
    for _ in 0..3 {
        for _ in 0..7 {
            assert_eq!(world.invoices("acme").await, (200, None));
            answered += 1;
        }
        let World {
            billing,
            issuer,
            host,
        } = world;
        world = World {
            billing,
            issuer,
            host: host.killed_and_started(),
        };
        let verified = world.host.verb(&["audit", "verify"]);
        assert_eq!(verified.status, 0, "{verified:?}");
        let all = world.host.verb(&["audit", "export", "acme"]).stdout;
        assert_eq!(all.matches("\"call_finished\"").count(), answered);
    }
}
