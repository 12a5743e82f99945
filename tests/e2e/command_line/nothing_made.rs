//! What is refused leaves nothing behind: no data directory, no key, no chain.

use super::*;

/// A tenant, a connection and a secret, and nothing that lasts yet.
fn configured() -> tempfile::TempDir {
    let directory = directory();
    host::write(
        directory.path(),
        "host.toml",
        "[data]\ndir = \"data\"\n[tenants.acme]\n[connections.github]\nbase = \"https://api.example.com\"\n",
    );
    host::write(directory.path(), "secret", "tok_live_0123456789");
    directory
}

/// A credential that no call would ever use is a slip of the pen.
#[test]
fn a_credential_of_an_unknown_connection_or_tenant_is_refused_and_leaves_nothing() {
    let directory = configured();
    let set = |name: &str| {
        host::run(
            directory.path(),
            &["credential", "set", name, "--secret-file", "secret"],
        )
    };
    refused(
        &set("acme/githb"),
        USAGE,
        &["there is no connection githb", "did you mean github?"],
    );
    refused(&set("nobody/github"), USAGE, &["there is no tenant nobody"]);
    assert!(!directory.path().join("data").exists());
    assert_eq!(set("acme/github").status, 0);
    refused(&set("nobody/github"), USAGE, &["there is no tenant nobody"]);
    let removed = host::run(directory.path(), &["credential", "remove", "nobody/github"]);
    refused(&removed, USAGE, &["there is no tenant nobody"]);
    assert!(!directory.path().join("data/audit/tenants/nobody").exists());
}

/// Keys and chains that a slip of the pen leaves behind look like an installation.
#[test]
fn what_is_refused_makes_no_data_directory() {
    let directory = configured();
    let secret = ["--secret-file", "secret"];
    let cases: [(&[&str], &str); 6] = [
        (
            &["credential", "rotate", "acme/github"],
            "is not a data directory",
        ),
        (
            &["credential", "set", "nobody/github"],
            "there is no tenant nobody",
        ),
        (&["credential", "set", "Acme/github"], "a tenant id is"),
        (
            &["credential", "set", "acme/github", "--master-key", "@gone"],
            "gone",
        ),
        (&["tenant", "add", "a b"], "a tenant id is"),
        (&["store", "check"], "is not a data directory"),
    ];
    for (words, why) in cases {
        let more = if words[0] == "credential" {
            &secret[..]
        } else {
            &[]
        };
        refused(
            &host::run(directory.path(), &[words, more].concat()),
            USAGE,
            &[why],
        );
        assert!(!directory.path().join("data").exists(), "{words:?}");
    }
}

/// A restoration that cannot be made makes nothing; one that can brings all back.
#[test]
fn a_backup_is_brought_back_with_its_own_master_key_or_nothing_is_made() {
    let directory = directory();
    let at = directory.path();
    host::write(
        at,
        "host.toml",
        "[data]\ndir = \"data\"\n[tenants.acme]\n[connections.github]\nbase = \"https://api.example.com\"\n",
    );
    host::write(at, "secret", "tok_live_0123456789");
    let good = |words: &[&str]| {
        let ended = host::run(at, words);
        assert_eq!(ended.status, 0, "{words:?}: {ended:?}");
        ended.stdout
    };
    good(&[
        "credential",
        "set",
        "acme/github",
        "--secret-file",
        "secret",
    ]);
    let listed = good(&["credential", "list"]);
    good(&["store", "backup", "copy"]);
    let key = fs::read(at.join("data/master.key")).unwrap();
    host::write(at, "right.key", key);
    host::write(
        at,
        "wrong.key",
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
    );
    fs::rename(at.join("data"), at.join("lost")).unwrap();
    fs::create_dir(at.join("empty")).unwrap();
    fs::create_dir(at.join("torn")).unwrap();
    let whole = fs::read(at.join("copy/host.space")).unwrap();
    fs::write(at.join("torn/host.space"), &whole[..40]).unwrap();
    let postgres = "[data]\ndir = \"data\"\n[store]\nkind = \"postgres\"\nurl = \"postgres://u@127.0.0.1:9/d\"\n";
    host::write(at, "server.toml", postgres);
    let cases: [(&[&str], &str); 7] = [
        (&["copy"], "master.key is not there"),
        (&["copy", "--master-key", "@gone.key"], "gone.key"),
        (
            &["copy", "--master-key", "@wrong.key"],
            "does not open with the master key",
        ),
        (&["empty", "--master-key", "@right.key"], "is not a backup"),
        (&["torn", "--master-key", "@right.key"], "is not a backup"),
        (
            &["secret", "--master-key", "@right.key"],
            "not a directory with a backup",
        ),
        (
            &[
                "copy",
                "--master-key",
                "@right.key",
                "--config",
                "server.toml",
            ],
            "pg_restore",
        ),
    ];
    for (words, why) in cases {
        let ended = host::run(at, &[&["store", "restore"][..], words].concat());
        refused(&ended, USAGE, &[why]);
        assert!(!at.join("data").exists(), "{words:?}");
    }
    let right = ["--master-key", "@right.key"];
    good(&[&["store", "restore", "copy"][..], &right].concat());
    assert_eq!(
        good(&[&["credential", "list"][..], &right].concat()),
        listed
    );
    good(&[&["audit", "verify"][..], &right].concat());
}
