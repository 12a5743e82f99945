use std::time::Duration;

use toolhost_harness::host;

use crate::tenants::{Town, steps};

#[tokio::test]
async fn the_verbs_do_the_same_without_a_host() {
    let mut town = Town::start();
    assert_eq!(town.put("acme", "kept for acme").await, 200);
    town.host.terminate();
    town.host.ended(Duration::from_secs(20)).await;
    town.done(&["tenant", "add", "globex", "--key", "org_Globex"]);
    town.done(&["tenant", "add", "globex-eu", "--parent", "globex"]);
    town.done(&["tenant", "add", "initech"]);
    town.refuses(
        &["tenant", "move", "globex", "--parent", "globex-eu"],
        &["below itself"],
    );
    town.done(&["tenant", "suspend", "globex-eu"]);
    assert!(town.key("initech").exists());
    town.done(&["tenant", "remove", "initech", "--yes"]);
    assert!(!town.key("initech").exists() && !town.database("initech").exists());
    let alone = town.done(&["tenant", "list"]);
    let town = town.again();
    assert_eq!(town.done(&["tenant", "list"]), alone);
    assert_eq!(town.put("org_Globex", "kept").await, 200);
    town.is_refused("globex-eu").await;
    town.is_refused("initech").await;
    assert!(town.has("acme", "kept for acme").await);
    assert_eq!(town.recorded("initech"), steps(&["add", "remove"]));
}

#[test]
fn looking_makes_no_data_directory_and_adding_does() {
    let directory = tempfile::tempdir().unwrap();
    let verb = |arguments: &[&str]| {
        host::run(
            directory.path(),
            &[arguments, &["--data-dir", "data"]].concat(),
        )
    };
    for arguments in [
        &["tenant", "list"][..],
        &["tenant", "show", "acme"],
        &["tenant", "suspend", "acme"],
        &["tenant", "remove", "acme", "--yes"],
    ] {
        let ended = verb(arguments);
        assert!(
            ended.status == 2 && ended.stderr.contains("nothing was kept"),
            "{ended:?}"
        );
    }
    assert!(!directory.path().join("data").exists());
    let added = verb(&["tenant", "add", "acme"]);
    assert_eq!(
        (added.status, added.stdout.as_str()),
        (0, "acme: active\n"),
        "{added:?}"
    );
    assert!(directory.path().join("data/keys/tenants/acme.key").exists());
    let nowhere = host::run(directory.path(), &["tenant", "list"]);
    assert!(
        nowhere.status == 2 && nowhere.stderr.contains("--data-dir"),
        "{nowhere:?}"
    );
}
