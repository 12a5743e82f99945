use std::time::Duration;

use toolhost_harness::{billing, host};

use crate::storage::World;

#[tokio::test]
async fn a_credential_that_is_set_rotated_and_removed_holds_for_the_next_call() {
    let world = World::start().await;
    let refused = (424, Some("not_connected".to_owned()));
    assert_eq!(world.invoices("acme").await, refused);
    world.set("acme", &billing::token("acme"));
    assert_eq!(world.invoices("acme").await, (200, None));
    assert_eq!(
        world.invoices("globex").await,
        refused,
        "another tenant has none"
    );

    // The upstream does not know the new one, which shows that it is the one that is sent.
    let rotated = world.host.verb_with(
        &["credential", "rotate", "acme/billing", "--secret-file", "-"],
        "another-secret-0123456789",
    );
    assert_eq!(rotated.status, 0, "{rotated:?}");
    assert_ne!(world.invoices("acme").await, (200, None));
    let sent = world.billing.upstream.seen();
    let last = sent.last().unwrap();
    assert_eq!(
        last.header("authorization"),
        Some("Bearer another-secret-0123456789")
    );
    assert_eq!(
        last.header("x-account-id"),
        Some("acct_acme"),
        "attributes stay"
    );

    assert_eq!(
        world
            .host
            .verb(&["credential", "remove", "acme/billing"])
            .status,
        0
    );
    assert_eq!(world.invoices("acme").await, refused);
    assert_eq!(
        world
            .host
            .verb(&["credential", "remove", "acme/billing"])
            .status,
        2
    );
}

#[tokio::test]
async fn the_list_says_everything_but_the_secret() {
    let world = World::start().await;
    let secret = billing::token("acme");
    world.set("acme", &secret);
    world.invoices("acme").await;
    for format in ["text", "table", "json"] {
        let list = world.host.verb(&["credential", "list", "--output", format]);
        assert_eq!(list.status, 0, "{list:?}");
        assert!(
            list.stdout.contains("billing") && !list.stdout.contains(&secret),
            "{}",
            list.stdout
        );
    }
    let list = world
        .host
        .verb(&["credential", "list", "acme", "--output", "json"])
        .json();
    let one = &list["credentials"][0];
    assert_eq!(
        (&one["tenant"], &one["connection"]),
        (&"acme".into(), &"billing".into())
    );
    assert_eq!(one["attributes"]["external_tenant_id"], "acct_acme");
    assert_eq!(one["fingerprint"].as_str().unwrap().len(), 8);
    assert!(one["version"].as_u64().unwrap() > 0 && one["created_at"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn the_verbs_do_the_same_without_a_host() {
    let mut world = World::start().await;
    world.host.terminate();
    world.host.ended(Duration::from_secs(20)).await;
    world.set("acme", &billing::token("acme"));
    let alone = world
        .host
        .verb(&["credential", "list", "--output", "json"])
        .json();
    let World {
        billing,
        issuer,
        host,
    } = world;
    let world = World {
        billing,
        issuer,
        host: host.killed_and_started(),
    };
    let served = world
        .host
        .verb(&["credential", "list", "--output", "json"])
        .json();
    assert_eq!(alone["credentials"], served["credentials"]);
    assert_eq!(world.invoices("acme").await, (200, None));
}

#[tokio::test]
async fn what_cannot_be_done_is_said_with_what_to_change() {
    let world = World::start().await;
    let says = |arguments: &[&str], stdin: &str, what: &str| {
        let ended = world.host.verb_with(arguments, stdin);
        assert_eq!(ended.status, 2, "{ended:?}");
        assert!(ended.stderr.contains(what), "{what}: {ended:?}");
        assert!(!ended.stderr.contains("tok_live"), "{ended:?}");
    };
    let set = ["credential", "set", "initech/billing", "--secret-file", "-"];
    says(&set, "tok_live_0123456789", "[tenants.initech]");
    says(
        &["credential", "set", "acme", "--secret-file", "-"],
        "tok_live_0123456789",
        "TENANT/CONNECTION",
    );
    says(
        &["credential", "set", "acme/billing", "--secret-file", "-"],
        "",
        "secret",
    );
    says(
        &["credential", "set", "acme/billing", "tok_live_0123456789"],
        "",
        "never an argument",
    );
    says(&["credential", "set", "acme/billing"], "", "--secret-file");
    says(
        &[
            "credential",
            "set",
            "acme/billing",
            "--secret-file",
            "-",
            "--attribute",
            "tok_live_1",
        ],
        "x",
        "NAME=VALUE",
    );
    let elsewhere = host::run(
        world.host.directory(),
        &["credential", "list", "--data-dir", "nowhere"],
    );
    assert_eq!(elsewhere.status, 2, "{elsewhere:?}");
    assert!(
        !world.host.directory().join("nowhere").exists(),
        "looking makes nothing"
    );
}

#[tokio::test]
async fn a_second_host_on_a_data_directory_is_refused_with_the_firsts_process_id() {
    let world = World::start().await;
    let second = host::run(
        world.host.directory(),
        &["run", "--yes", "--listen", "127.0.0.1:0"],
    );
    assert_eq!(second.status, 2, "{second:?}");
    assert!(
        second.stderr.contains(&world.host.pid().to_string()),
        "{second:?}"
    );
    assert_eq!(
        world.host.verb(&["credential", "list"]).status,
        0,
        "the first still answers"
    );
}

#[tokio::test]
async fn what_lasts_needs_a_directory_and_says_so() {
    let place = tempfile::tempdir().unwrap();
    let plugin = toolhost_harness::guests::path("billing");
    let says = |arguments: &[&str], table: &str, what: &str| {
        let connection = "[connections.billing]\nbase = \"https://billing.test\"\n";
        host::write(place.path(), "host.toml", format!("{connection}{table}"));
        let mut all = vec![
            "run",
            "--yes",
            "--dev-tenant",
            "acme",
            "--plugin",
            plugin.to_str().unwrap(),
        ];
        all.extend(["--listen", "127.0.0.1:0"]);
        all.extend(arguments);
        let ended = host::run(place.path(), &all);
        assert!(
            ended.status == 2 && ended.stderr.contains(what),
            "{what}: {ended:?}"
        );
        assert!(!place.path().join("data").exists());
    };
    says(&["--master-key", "env:KEY"], "", "--data-dir");
    says(&[], "credentials = \"vault\"", "--data-dir");
    says(&[], "[audit]\non_failure = \"serve-reads\"", "--data-dir");
    says(
        &["--data-dir", "data"],
        "[audit]\nfile = \"audit.jsonl\"",
        "[audit] file",
    );
}

#[tokio::test]
async fn a_running_host_leaves_no_core() {
    let world = World::start().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", world.host.pid())).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"))
        .unwrap();
    let bounds: Vec<&str> = core
        .trim_start_matches("Max core file size")
        .split_whitespace()
        .collect();
    assert_eq!(bounds[..2], ["0", "0"], "{core}");
}
