use toolhost_harness::host::write;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn everything_moves_into_a_server_and_back_with_its_credentials() {
    let town = Town::new(Layout::Schema).await;
    let (billing, issuer) = (
        Billing::start().await,
        Issuer::es256("https://issuer.test", "k1"),
    );
    let (directory, command) = builder(&town, &billing, &issuer).write();
    let at = directory.path();
    let with_server = std::fs::read_to_string(at.join("host.toml")).unwrap();
    let (before, _) = with_server.split_once("[store]").unwrap();
    write(at, "embedded.toml", before);
    write(
        at,
        "back.toml",
        before.replace("dir = \"data\"", "dir = \"back\""),
    );
    let verb = |arguments: &[&str]| toolhost_harness::host::run(at, arguments);
    let good = |arguments: &[&str]| {
        let ended = verb(arguments);
        assert_eq!(ended.status, 0, "{arguments:?}: {ended:?}");
        ended.stdout
    };
    let nothing = verb(&["store", "migrate", "--from", "embedded", "--to", "postgres"]);
    assert!(
        nothing.status != 0 && nothing.stderr.contains("no embedded store"),
        "{nothing:?}"
    );
    for tenant in ["acme", "globex"] {
        let file = format!("{tenant}.secret");
        write(at, &file, secret(tenant));
        let (name, account) = (
            format!("{tenant}/billing"),
            format!("external_tenant_id=acct_{tenant}"),
        );
        let set = [
            "credential",
            "set",
            &name,
            "--secret-file",
            &file,
            "--attribute",
            &account,
        ];
        good(&[&set[..], &["--config", "embedded.toml"]].concat());
    }
    let listed = good(&["credential", "list", "--config", "embedded.toml"]);
    // Between naming the server and moving there nothing is written, whatever is asked.
    for words in [
        &["credential", "list"][..],
        &[
            "credential",
            "set",
            "acme/billing",
            "--secret-file",
            "acme.secret",
        ],
        &["store", "check"],
        &["audit", "verify"],
        &["tenant", "add", "newco"],
        &["key", "rotate"],
        &["doctor"],
        &["run", "--listen", "127.0.0.1:0", "--yes"],
    ] {
        let refused = verb(words);
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert!(
            refused.status != 0
                && said.contains("host store migrate --from embedded --to postgres"),
            "{words:?}: {refused:?}"
        );
        assert!(!said.contains("damaged"), "{words:?}: {refused:?}");
    }
    let unnamed = verb(&[
        "store",
        "migrate",
        "--from",
        "embedded",
        "--to",
        "postgres",
        "--config",
        "embedded.toml",
    ]);
    assert!(
        unnamed.status != 0 && unnamed.stderr.contains("[store]"),
        "{unnamed:?}"
    );
    let moved = good(&["store", "migrate", "--from", "embedded", "--to", "postgres"]);
    print!("{moved}");
    assert!(
        moved.contains("acme: ") && moved.contains("3 spaces with "),
        "{moved}"
    );
    let twice = verb(&["store", "migrate", "--from", "embedded", "--to", "postgres"]);
    assert!(
        twice.status != 0 && twice.stderr.contains("name an empty one"),
        "{twice:?}"
    );

    // The chains of a host of that server are no chains of an embedded store.
    good(&["credential", "list", "--data-dir", "other"]);
    let elsewhere = verb(&[
        "credential",
        "list",
        "--config",
        "embedded.toml",
        "--data-dir",
        "other",
    ]);
    assert!(
        elsewhere.status != 0 && elsewhere.stderr.contains("--from postgres --to embedded"),
        "{elsewhere:?}"
    );

    let mut host = Host::launch(directory.clone(), command);
    let token = issuer.mint(&json!({"tenantId": "acme", "sub": "ada", "role": "owner"}));
    assert_eq!(
        host.verb(&["plugin", "assign", "billing", "acme"]).status,
        0
    );
    let id = session(&host, &token).await;
    assert_eq!(
        whose(call(&host, &token, &id, &invoices()).send().await.unwrap()).await,
        "acme"
    );
    let running = verb(&["store", "migrate", "--from", "postgres", "--to", "embedded"]);
    assert!(
        running.status != 0 && running.stderr.contains("a host runs"),
        "{running:?}"
    );
    host.terminate();
    host.ended(Duration::from_secs(30)).await;

    let taken = verb(&["store", "migrate", "--from", "postgres", "--to", "embedded"]);
    assert!(
        taken.status != 0 && taken.stderr.contains("name an empty one"),
        "{taken:?}"
    );
    let moved = good(&[
        "store",
        "migrate",
        "--from",
        "postgres",
        "--to",
        "embedded",
        "--data-dir",
        "back",
    ]);
    print!("{moved}");
    let back = good(&["credential", "list", "--config", "back.toml"]);
    let fingerprints = |text: &str| -> Vec<String> {
        let prints = text
            .lines()
            .filter_map(|line| line.split("fingerprint ").nth(1));
        prints.map(|rest| rest.chars().take(8).collect()).collect()
    };
    assert_eq!(fingerprints(&back), fingerprints(&listed));
    assert_eq!(fingerprints(&back).len(), 2);
    good(&["store", "check", "--config", "back.toml"]);
}

#[test]
fn a_server_needs_a_data_directory_and_the_master_key_of_all_its_hosts() {
    let directory = tempfile::tempdir().unwrap();
    let store = "[store]\nkind = \"postgres\"\nurl = \"postgres://u@127.0.0.1:9/d\"\npassword_env = \"NOT_SET\"\n";
    for (data, said) in [
        ("", "data directory of this host's own"),
        (
            "[data]\ndir = \"data\"\n",
            "the master key that all its hosts have",
        ),
        (
            "[data]\ndir = \"data\"\nmaster_key_file = \"master.key\"\n",
            "NOT_SET",
        ),
    ] {
        write(directory.path(), "host.toml", format!("{data}{store}"));
        write(directory.path(), "master.key", MASTER);
        let refused = toolhost_harness::host::run(directory.path(), &["store", "check"]);
        assert!(
            refused.status != 0 && refused.stderr.contains(said),
            "{refused:?}"
        );
    }
}
