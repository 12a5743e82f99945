use std::time::Duration;

use serde_json::json;
use toolhost_harness::{Host, Issuer, host};

use crate::tenants::Town;

/// The same host with other tenants in its configuration, which it refuses.
async fn refused(town: &mut Town, from: &str, to: &str, words: &[&str]) {
    town.host.terminate();
    town.host.ended(Duration::from_secs(20)).await;
    let path = town.host.directory().join("host.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
    let run = host::run(
        town.host.directory(),
        &["run", "--yes", "--listen", "127.0.0.1:0"],
    );
    assert_eq!(run.status, 2, "{run:?}");
    for word in words {
        assert!(run.stderr.contains(word), "{word}: {run:?}");
    }
    std::fs::write(&path, text).unwrap();
}

#[tokio::test]
async fn keys_that_differ_are_an_error_that_names_both_and_overwrites_neither() {
    let mut town = Town::with("[tenants.acme]\nkeys = [\"org_Acme\"]");
    assert_eq!(town.put("org_Acme", "kept").await, 200);
    let words = [
        "[tenants.acme]",
        "org_Acme",
        "org_Other",
        "host tenant set acme",
    ];
    refused(&mut town, "[\"org_Acme\"]", "[\"org_Other\"]", &words).await;
    refused_without_keys(&mut town).await;
    let mut town = town.again();
    assert!(town.has("org_Acme", "kept").await);
    town.is_refused("org_Other").await;
    // The other way round: the directory was changed, and the configuration lags behind.
    town.done(&["tenant", "set", "acme", "--key", "org_Other"]);
    refused(&mut town, "[data]", "[data]", &words).await;
    town.done(&[
        "tenant", "set", "acme", "--key", "org_Acme", "--name", "Acme",
    ]);
    let town = town.again();
    assert!(town.has("org_Acme", "kept").await);
    assert_eq!(
        town.done(&["tenant", "show", "acme"])["name"],
        json!("Acme"),
        "it stays"
    );
}

async fn refused_without_keys(town: &mut Town) {
    let path = town.host.directory().join("host.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("keys = [\"org_Acme\"]", "")).unwrap();
    let run = host::run(
        town.host.directory(),
        &["run", "--yes", "--listen", "127.0.0.1:0"],
    );
    assert!(
        run.status == 2 && run.stderr.contains("org_Acme"),
        "{run:?}"
    );
    std::fs::write(&path, text).unwrap();
}

#[tokio::test]
async fn a_parent_that_differs_is_an_error_that_names_both_ways_out() {
    let mut town = Town::with("[tenants.acme]\n[tenants.globex]\n[tenants.eu]\nparent = \"acme\"");
    let words = ["[tenants.eu]", "parent", "globex", "host tenant move eu"];
    refused(
        &mut town,
        "parent = \"acme\"",
        "parent = \"globex\"",
        &words,
    )
    .await;
    let town = town.again();
    assert_eq!(
        town.done(&["tenant", "show", "eu"])["parent"],
        json!("acme")
    );
}

#[tokio::test]
async fn a_tenant_of_the_configuration_that_was_removed_does_not_come_back_by_itself() {
    let mut town = Town::with("[tenants.acme]\n[tenants.globex]");
    assert_eq!(town.put("globex", "kept").await, 200);
    town.done(&["tenant", "remove", "globex", "--yes"]);
    let words = ["[tenants.globex]", "was removed", "host tenant add globex"];
    refused(&mut town, "[data]", "[data]", &words).await;
    assert!(!town.key("globex").exists());
    town.done(&["tenant", "add", "globex"]);
    let town = town.again();
    assert!(!town.has("globex", "kept").await);
}

#[tokio::test]
async fn a_tenant_that_is_only_in_the_directory_is_served_and_needs_no_configuration() {
    let issuer = Issuer::es256("https://issuer.test", "k1");
    let host = Town::builder(&issuer).start();
    let town = Town { issuer, host };
    assert!(town.names().is_empty());
    town.is_refused("acme").await;
    town.done(&["tenant", "add", "acme"]);
    assert_eq!(town.put("acme", "kept").await, 200);
}

#[tokio::test]
async fn a_key_of_the_configuration_that_is_anothers_in_the_directory_stops_the_host() {
    let mut town = Town::start();
    town.done(&["tenant", "add", "globex", "--key", "org_Shared"]);
    let words = ["org_Shared", "globex", "initech"];
    let more = "[tenants.initech]\nkeys = [\"org_Shared\"]\n[tenants.acme]";
    refused(&mut town, "[tenants.acme]", more, &words).await;
    assert_eq!(town.names(), ["acme", "globex"]);
}

#[test]
fn without_a_data_directory_the_configuration_alone_says_who_is_served() {
    let issuer = Issuer::es256("https://issuer.test", "k1");
    let host = Host::with()
        .plugin("evil")
        .config(crate::tenants::CONNECTIONS)
        .config("[tenants.acme]")
        .config("[credentials.acme.billing]\nfile = \"secret\"")
        .file("secret", "a-secret-of-acme-0123456789")
        .issuer(&issuer)
        .start();
    let list = host.verb(&["tenant", "list"]);
    assert!(
        list.status == 2 && list.stderr.contains("data directory"),
        "{list:?}"
    );
}
