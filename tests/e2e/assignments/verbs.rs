use std::time::Duration;

use serde_json::{Value, json};

use crate::assignments::World;

#[tokio::test]
async fn the_verbs_do_the_same_without_a_host() {
    let mut world = World::start().await;
    world.host.terminate();
    world.host.ended(Duration::from_secs(20)).await;
    let row = world.assign("acme", &["--tool", "http_sly", "--mode", "read-only"]);
    assert_eq!(row[0]["tools"], json!(["http_sly"]));
    let alone = world.done(&["plugin", "list", "--tenant", "acme"]);
    // Without a host nothing is served.
    let said =
        |rows: &Value| ["plugin", "tenant", "tools", "mode"].map(|member| rows[0][member].clone());
    assert_eq!(said(&alone), said(&row));
    let refused = world.says(&["plugin", "assign", "evli", "acme"]);
    assert!(
        refused.status != 0 && refused.stderr.contains("did you mean evil?"),
        "{refused:?}"
    );
    let world = world.again();
    let served = world.done(&["plugin", "list", "--tenant", "acme"]);
    assert_eq!(said(&served), said(&row));
    world.works("acme").await;
    world.is_unknown("globex", "http_sly").await;
}

#[tokio::test]
async fn what_is_not_there_is_refused_with_the_nearest_that_is() {
    let world = World::start().await;
    for (arguments, words) in [
        (
            &["assign", "evli", "acme"][..],
            &["evli", "did you mean evil?"][..],
        ),
        (&["assign", "Evil", "acme"], &["did you mean evil?"]),
        (&["assign", "zzz", "acme"], &["zzz", "evil"]),
        (&["unassign", "evli", "acme"], &["did you mean evil?"]),
        (
            &["assign", "evil", "acme", "--tool", "http_slu"],
            &["http_slu", "did you mean http_sly?"],
        ),
        (
            &["assign", "evil", "acme", "--tool", "HTTP_SLY"],
            &["HTTP_SLY", "no tool"],
        ),
        (
            &["assign", "evil", "umbrella"],
            &["umbrella", "does not exist"],
        ),
        (&["assign", "evil", "../acme"], &["a tenant id is"]),
        (
            &["list", "--tenant", "umbrella"],
            &["umbrella", "does not exist"],
        ),
        (
            &["assign", "evil", "acme", "--mode", "all"],
            &["read-only", "standard", "full"],
        ),
    ] {
        let ended = world.says(&[&["plugin"], arguments].concat());
        assert_eq!(ended.status, 2, "{arguments:?}: {ended:?}");
        for word in words {
            assert!(ended.stderr.contains(word), "{word}: {ended:?}");
        }
    }
    assert!(
        world.listed("acme").await.is_empty(),
        "nothing was assigned"
    );
}

#[tokio::test]
async fn a_change_is_in_the_tenants_chain_before_and_after_it() {
    let world = World::start().await;
    world.assign("acme", &["--tool", "kv", "--mode", "standard"]);
    world.done(&["plugin", "unassign", "evil", "acme"]);
    world.done(&["tenant", "set", "acme", "--mode", "read-only"]);
    let tail = world.says(&["audit", "tail", "acme", "-n", "50"]).stdout;
    let events: Vec<Value> = tail
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["event"] == "assignment_changed")
        .collect();
    let said = |event: &Value| {
        json!([
            event["plugin"],
            event["action"],
            event["tools"],
            event["mode"],
            event["done"]
        ])
    };
    let told: Vec<Value> = events.iter().map(said).collect();
    let mut expected = Vec::new();
    for (plugin, action, tools, mode) in [
        (json!("evil"), "set", json!(["kv"]), json!("standard")),
        (json!("evil"), "remove", Value::Null, Value::Null),
        (Value::Null, "set", Value::Null, json!("read-only")),
    ] {
        for done in [false, true] {
            expected.push(json!([plugin, action, tools, mode, done]));
        }
    }
    assert_eq!(told, expected);
    assert!(events.iter().all(|event| event["tenant"] == "acme"));
}

#[tokio::test]
async fn a_list_says_what_every_tenant_has_and_what_one_has() {
    let world = World::with("[tools]\nmode = \"standard\"").await;
    let all = world.done(&["plugin", "list"]);
    assert_eq!(
        (&all[0]["plugin"], &all[0]["mode"]),
        (&json!("evil"), &json!("standard"))
    );
    assert_eq!(
        json!(all[0]["tools"].as_array().unwrap().len()),
        all[0]["of"]
    );
    world.assign("acme", &["--tool", "http_sly"]);
    let text = world.says(&["plugin", "list", "--tenant", "acme"]).stdout;
    assert_eq!(
        text,
        "evil: tenant acme, assigned: tools: http_sly, mode standard\n"
    );
    let table = world
        .says(&["plugin", "list", "--tenant", "globex", "--output", "table"])
        .stdout;
    assert!(
        table.contains("as every tenant") && table.contains("all ("),
        "{table}"
    );
}
