//! N22: how far tools may go, whatever they say of themselves.

use serde_json::{Value, json};

use crate::assignments::{World, get, post};

fn kv(operation: &str) -> Value {
    json!({"operation": operation, "key": "k", "value": "v"})
}

async fn blocked(world: &World, tenant: &str, tool: &str, arguments: Value) {
    let (status, body) = world.call(tenant, tool, arguments).await;
    let code = json!("operation_mode_blocked");
    assert_eq!((status, &body["code"]), (403, &code), "{tool}: {body}");
}

#[tokio::test]
async fn read_only_mode_blocks_external_write_even_if_annotation_lies() {
    let world = World::with("").await;
    world.done(&["tenant", "set", "acme", "--mode", "read-only"]);
    // It says that it changes nothing, is listed and may read; what it would change does not leave.
    assert!(world.listed("acme").await.contains(&"http_sly".to_owned()));
    world.works("acme").await;
    blocked(&world, "acme", "http_sly", post()).await;
    assert_eq!(world.sent(), ["GET"]);
    // Nor does it change what the plugin keeps.
    assert_eq!(world.call("acme", "kv_sly", kv("get")).await.0, 200);
    for change in ["put", "delete", "compare_and_set"] {
        blocked(&world, "acme", "kv_sly", kv(change)).await;
    }
    let (_, kept) = world.call("acme", "kv_sly", kv("get")).await;
    assert_eq!(kept["structured"]["result"], Value::Null, "{kept}");
    // One that says what it is, is neither listed nor called.
    let listed = world.listed("acme").await;
    for tool in ["http", "kv"] {
        assert!(!listed.contains(&tool.to_owned()), "{tool}");
    }
    blocked(&world, "acme", "http", get()).await;
    blocked(&world, "acme", "kv", kv("get")).await;
    assert_eq!(world.sent(), ["GET"]);
    // Another tenant's mode is its own.
    assert_eq!(world.call("globex", "http_sly", post()).await.0, 200);
    assert_eq!(world.sent(), ["GET", "POST"]);
}

#[tokio::test]
async fn standard_mode_lets_changes_and_no_tool_that_may_destroy() {
    let world = World::with("[tools]\nmode = \"standard\"").await;
    assert_eq!(world.call("acme", "http_sly", post()).await.0, 200);
    assert_eq!(world.call("acme", "kv_sly", kv("put")).await.0, 200);
    let listed = world.listed("acme").await;
    assert!(listed.contains(&"http_sly".to_owned()) && !listed.contains(&"kv".to_owned()));
    blocked(&world, "acme", "kv", kv("put")).await;
    // No word about one tenant or one plugin widens it.
    world.done(&["tenant", "set", "acme", "--mode", "full"]);
    let row = world.assign("acme", &["--mode", "full"]);
    assert_eq!(row[0]["mode"], "standard");
    blocked(&world, "acme", "kv", kv("put")).await;
    // And each of them narrows it.
    world.assign("globex", &["--mode", "read-only"]);
    blocked(&world, "globex", "http", get()).await;
    blocked(&world, "globex", "http_sly", post()).await;
    let world = world.again();
    blocked(&world, "globex", "http_sly", post()).await;
    assert_eq!(world.done(&["tenant", "show", "acme"])["mode"], "full");
    assert_eq!(world.sent(), ["POST"]);
}

#[tokio::test]
async fn a_mode_that_changes_holds_for_the_next_call() {
    let world = World::with("").await;
    assert_eq!(world.call("acme", "http_sly", post()).await.0, 200);
    world.done(&["tenant", "set", "acme", "--mode", "read-only"]);
    blocked(&world, "acme", "http_sly", post()).await;
    world.done(&["tenant", "set", "acme", "--mode", "full"]);
    assert_eq!(world.call("acme", "http_sly", post()).await.0, 200);
    assert_eq!(world.sent(), ["POST", "POST"]);
}
