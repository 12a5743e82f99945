use crate::tenants::Town;

#[tokio::test]
async fn what_was_restored_of_a_removed_tenant_is_served_or_destroyed_by_word_alone() {
    let town = Town::start();
    town.done(&["tenant", "add", "globex"]);
    assert_eq!(town.put("globex", "kept for globex").await, 200);
    assert_eq!(town.says(&["store", "backup", "before"]).status, 0);
    town.done(&["tenant", "remove", "globex", "--yes"]);
    town.refuses(
        &["tenant", "add", "globex", "--restored"],
        &["globex", "no restored backup"],
    );
    let restored = town.says(&["store", "restore", "before", "--tenant", "globex"]);
    assert_eq!(restored.status, 0, "{restored:?}");
    town.is_refused("globex").await;
    town.refuses(
        &["tenant", "add", "globex"],
        &["globex", "--restored", "remove it again"],
    );
    assert!(town.key("globex").exists());
    let town = town.again();
    town.refuses(&["tenant", "add", "globex"], &["--restored"]);
    town.done(&["tenant", "add", "globex", "--restored"]);
    assert!(town.has("globex", "kept for globex").await);
    town.done(&["tenant", "remove", "globex", "--yes"]);
    town.done(&["tenant", "add", "globex"]);
    assert!(!town.has("globex", "kept for globex").await);
}

#[tokio::test]
async fn tenants_that_the_file_does_not_list_are_named_at_the_start() {
    let town = Town::start();
    town.done(&["tenant", "add", "globex"]);
    assert!(!town.host.log().contains("does not list"));
    let town = town.again();
    let log = town.host.log();
    assert!(
        log.contains("does not list") && log.contains("globex"),
        "{log}"
    );
    assert_eq!(town.put("globex", "kept").await, 200, "they are served");
}
