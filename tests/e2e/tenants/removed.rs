use crate::tenants::{Town, steps};

const SECRET: &str = "a-secret-of-globex-0123456789";

fn set(town: &Town) -> i32 {
    let set = ["credential", "set", "globex/billing", "--secret-file", "-"];
    town.host.verb_with(&set, SECRET).status
}

#[tokio::test]
async fn a_removed_tenant_leaves_nothing_and_starts_empty_when_it_is_added_again() {
    let town = Town::start();
    town.done(&["tenant", "add", "globex", "--key", "org_Globex"]);
    assert_eq!(town.put("globex", "kept for globex").await, 200);
    assert_eq!(set(&town), 0);
    let backup = town.says(&["store", "backup", "before"]);
    assert_eq!(backup.status, 0, "{backup:?}");

    town.refuses(&["tenant", "remove", "globex"], &["--yes", "globex"]);
    assert!(
        town.has("globex", "kept for globex").await,
        "nothing was removed"
    );
    let removed = town.says(&["tenant", "remove", "globex", "--yes"]);
    assert_eq!(removed.status, 0, "{removed:?}");
    for word in ["globex", "key", "records", "1 credentials"] {
        assert!(removed.stdout.contains(word), "{word}: {removed:?}");
    }
    town.is_refused("globex").await;
    town.is_refused("org_Globex").await;
    assert!(!town.key("globex").exists() && !town.database("globex").exists());
    assert_eq!(town.names(), ["acme"]);
    town.refuses(
        &["tenant", "remove", "globex", "--yes"],
        &["does not exist"],
    );
    assert_ne!(set(&town), 0, "there is nothing to keep a credential in");
    assert!(town.has("acme", "").await, "the others are served");

    let town = town.again();
    town.is_refused("globex").await;
    town.done(&["tenant", "add", "globex"]);
    assert!(!town.has("globex", "kept for globex").await);
    town.is_refused("org_Globex").await;
    let list = town.done(&["credential", "list", "globex"]);
    assert_eq!(
        (
            list["credentials"].as_array().unwrap().len(),
            list["unusable"].as_array().unwrap().len()
        ),
        (0, 0),
        "{list}"
    );
    assert_eq!(set(&town), 0, "the vault expects nothing of the one before");
    assert_eq!(town.put("globex", "another").await, 200);
    assert_eq!(town.says(&["store", "check"]).status, 0);
    assert_eq!(
        town.says(&["audit", "verify"]).status,
        0,
        "its chain stays and goes on"
    );
    assert_eq!(
        town.recorded("globex")[..6],
        [
            steps(&["add", "remove"]),
            vec![("remove".to_owned(), false)],
            vec![("add".to_owned(), false)]
        ]
        .concat()[..],
        "the second removal was not recorded"
    );
}

#[tokio::test]
async fn a_tenant_that_is_removed_and_added_in_one_breath_is_served_empty() {
    let town = Town::start();
    town.done(&["tenant", "add", "globex"]);
    for round in ["first", "second", "third"] {
        assert_eq!(town.put("globex", round).await, 200);
        assert_eq!(set(&town), 0, "{round}");
        town.done(&["tenant", "remove", "globex", "--yes"]);
        town.is_refused("globex").await;
        town.done(&["tenant", "add", "globex"]);
        assert!(!town.has("globex", round).await);
    }
    assert_eq!(set(&town), 0);
}

#[tokio::test]
async fn a_tenant_with_others_below_it_is_not_removed() {
    let town = Town::start();
    town.done(&["tenant", "add", "acme-eu", "--parent", "acme"]);
    assert_eq!(town.put("acme", "kept").await, 200);
    town.refuses(
        &["tenant", "remove", "acme", "--yes"],
        &["acme", "below it", "move or remove"],
    );
    assert!(town.has("acme", "kept").await);
    town.done(&["tenant", "remove", "acme-eu", "--yes"]);
    town.done(&["tenant", "remove", "acme", "--yes"]);
    assert!(town.names().is_empty());
    assert_eq!(
        town.says(&["tenant", "list"]).stdout,
        "there are no tenants\n"
    );
}
