use serde_json::json;

use crate::tenants::{Town, steps};

#[tokio::test]
async fn a_tenant_that_is_added_is_served_at_once_and_after_a_kill() {
    let town = Town::start();
    town.is_refused("globex").await;
    town.is_refused("org_Globex").await;
    let added = town.done(&[
        "tenant",
        "add",
        "globex",
        "--name",
        "Globex Ltd",
        "--key",
        "org_Globex",
    ]);
    assert_eq!(
        added,
        json!({"tenant": "globex", "name": "Globex Ltd", "keys": ["org_Globex"], "suspended": false, "served": true, "below": []})
    );
    assert!(town.key("globex").exists() && town.database("globex").exists());
    // By its id and by its key it is one tenant.
    assert_eq!(town.put("globex", "kept for globex").await, 200);
    assert!(town.has("org_Globex", "kept for globex").await);
    assert!(!town.has("acme", "kept for globex").await);
    let set = town.host.verb_with(
        &["credential", "set", "globex/billing", "--secret-file", "-"],
        "a-secret-of-globex-0123456789",
    );
    assert_eq!(set.status, 0, "{set:?}");
    let town = town.again();
    assert!(town.has("globex", "kept for globex").await);
    assert_eq!(town.names(), ["acme", "globex"]);
    assert_eq!(town.recorded("globex"), steps(&["add"]));
    assert_eq!(
        town.recorded("acme"),
        steps(&["add"]),
        "by the configuration, once"
    );
}

#[tokio::test]
async fn a_suspended_tenant_and_all_below_it_are_refused_at_once_until_they_are_resumed() {
    let town = Town::start();
    town.done(&["tenant", "add", "acme-eu", "--parent", "acme"]);
    assert_eq!(town.put("acme-eu", "kept").await, 200);
    assert_eq!(town.put("acme", "kept").await, 200);
    let suspended = town.done(&["tenant", "suspend", "acme"]);
    assert_eq!(
        (
            &suspended["suspended"],
            &suspended["served"],
            &suspended["below"]
        ),
        (&json!(true), &json!(false), &json!(["acme-eu"]))
    );
    town.is_refused("acme").await;
    town.is_refused("acme-eu").await;
    let below = town.done(&["tenant", "show", "acme-eu"]);
    assert_eq!(
        (&below["suspended"], &below["served"]),
        (&json!(false), &json!(false))
    );
    let town = town.again();
    town.is_refused("acme").await;
    town.done(&["tenant", "resume", "acme"]);
    assert!(town.has("acme", "kept").await && town.has("acme-eu", "kept").await);
    assert_eq!(town.recorded("acme"), steps(&["add", "suspend", "resume"]));
}

#[tokio::test]
async fn unknown_suspended_and_removed_look_the_same() {
    let town = Town::start();
    for name in ["resting", "gone"] {
        town.done(&["tenant", "add", name]);
        assert_eq!(town.put(name, "kept").await, 200);
    }
    town.done(&["tenant", "suspend", "resting"]);
    town.done(&["tenant", "remove", "gone", "--yes"]);
    let get = || json!({"operation": "get", "key": "k"});
    let unknown = town.call("nobody", get()).await;
    assert_eq!(
        (unknown.0, &unknown.2["code"]),
        (403, &"tenant_unavailable".into())
    );
    for other in ["resting", "gone", "GONE", "../acme"] {
        assert_eq!(town.call(other, get()).await, unknown, "{other}");
    }
}

#[tokio::test]
async fn what_a_tenant_is_called_changes_for_the_next_call() {
    let town = Town::start();
    town.done(&["tenant", "add", "globex", "--key", "org_Old"]);
    assert_eq!(town.put("org_Old", "kept").await, 200);
    town.done(&[
        "tenant",
        "set",
        "globex",
        "--key",
        "org_New",
        "--key",
        "org_Newer",
    ]);
    assert!(town.has("org_New", "kept").await && town.has("org_Newer", "kept").await);
    town.is_refused("org_Old").await;
    let named = town.done(&["tenant", "set", "globex", "--name", "Globex plc"]);
    assert_eq!(named["keys"], json!(["org_New", "org_Newer"]), "they stay");
    let bare = town.done(&["tenant", "set", "globex", "--no-keys"]);
    assert_eq!(
        (&bare["name"], &bare["keys"]),
        (&json!("Globex plc"), &json!([]))
    );
    town.is_refused("org_New").await;
    assert_eq!(
        town.recorded("globex"),
        steps(&["add", "set", "set", "set"])
    );
}

#[tokio::test]
async fn a_tenant_moves_with_all_below_it() {
    let town = Town::start();
    for (name, parent) in [("eu", "acme"), ("fr", "eu")] {
        town.done(&["tenant", "add", name, "--parent", parent]);
    }
    town.done(&["tenant", "add", "globex"]);
    town.done(&["tenant", "suspend", "globex"]);
    assert_eq!(town.put("fr", "kept").await, 200);
    let moved = town.done(&["tenant", "move", "eu", "--parent", "globex"]);
    assert_eq!(
        (&moved["parent"], &moved["below"]),
        (&json!("globex"), &json!(["fr"]))
    );
    town.is_refused("fr").await;
    let root = town.done(&["tenant", "move", "eu", "--root"]);
    assert_eq!(root.get("parent"), None);
    assert!(town.has("fr", "kept").await);
}
