use crate::tenants::Town;

#[tokio::test]
async fn what_would_be_no_tree_is_refused_and_changes_nothing() {
    let town = Town::start();
    for (name, parent) in [("eu", "acme"), ("fr", "eu")] {
        town.done(&["tenant", "add", name, "--parent", parent]);
    }
    let before = town.done(&["tenant", "list"]);
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["move", "acme", "--parent", "fr"],
            &["acme", "below itself"],
        ),
        (
            &["move", "acme", "--parent", "acme"],
            &["acme", "below itself"],
        ),
        (
            &["move", "eu", "--parent", "nobody"],
            &["eu", "nobody", "not there"],
        ),
        (&["move", "nobody", "--root"], &["nobody", "does not exist"]),
        (
            &["add", "new", "--parent", "nobody"],
            &["new", "nobody", "not there"],
        ),
        (&["add", "eu"], &["eu", "exists already"]),
        (&["add", "new", "--key", "fr"], &["fr", "new"]),
        (&["set", "eu", "--key", "acme"], &["acme", "eu"]),
        (
            &["set", "nobody", "--no-keys"],
            &["nobody", "does not exist"],
        ),
        (&["suspend", "nobody"], &["nobody", "does not exist"]),
        (&["resume", "nobody"], &["nobody", "does not exist"]),
        (&["show", "nobody"], &["nobody", "does not exist"]),
        (
            &["remove", "nobody", "--yes"],
            &["nobody", "does not exist"],
        ),
    ];
    for (arguments, words) in cases {
        town.refuses(&[&["tenant"], *arguments].concat(), words);
    }
    assert_eq!(town.done(&["tenant", "list"]), before);
    assert!(!town.key("new").exists());
    let recorded = town.recorded("new");
    assert!(
        !recorded.is_empty() && recorded.iter().all(|(_, done)| !done),
        "{recorded:?}"
    );
}

#[tokio::test]
async fn a_branch_ends_at_sixteen() {
    let town = Town::start();
    let mut parent = "acme".to_owned();
    for depth in 2..=16 {
        let name = format!("d{depth}");
        town.done(&["tenant", "add", &name, "--parent", &parent]);
        parent = name;
    }
    assert_eq!(town.put("d16", "kept").await, 200);
    town.refuses(
        &["tenant", "add", "d17", "--parent", "d16"],
        &["d17", "16 deep"],
    );
    town.done(&["tenant", "add", "top"]);
    town.refuses(&["tenant", "move", "acme", "--parent", "top"], &["16 deep"]);
    assert!(town.has("d16", "kept").await);
}

#[tokio::test]
async fn a_name_that_is_none_is_refused_by_every_verb() {
    let town = Town::start();
    let before = town.names();
    let long = "x".repeat(64);
    for name in [
        "",
        "A",
        "a_b",
        "../acme",
        "a/b",
        "acme ",
        "a\u{1b}[2K",
        "default",
        "system",
        "admin",
        "HOST",
        &long,
    ] {
        for verb in [
            &["add"][..],
            &["show"],
            &["suspend"],
            &["resume"],
            &["move", "--root"],
            &["set", "--no-keys"],
            &["remove", "--yes"],
        ] {
            let arguments = [&["tenant"], verb, &["--", name]].concat();
            town.refuses(&arguments, &["tenant id"]);
            assert!(!town.says(&arguments).stderr.contains('\u{1b}'));
        }
        town.refuses(
            &["tenant", "add", "new", &format!("--parent={name}")],
            &["tenant id"],
        );
    }
    for (flag, value) in [
        ("--key", "a b"),
        ("--key", ""),
        ("--name", "a\u{7}b"),
        ("--name", &"x".repeat(129)),
    ] {
        town.refuses(&["tenant", "add", "new", flag, value], &[&flag[2..]]);
    }
    assert_eq!(town.names(), before);
}

#[tokio::test]
async fn every_form_of_output_has_every_tenant() {
    let town = Town::start();
    town.done(&[
        "tenant",
        "add",
        "acme-eu",
        "--parent",
        "acme",
        "--name",
        "Acme \u{202e}EU",
        "--key",
        "org_Eu",
    ]);
    for format in ["text", "table", "json"] {
        let list = town.says(&["tenant", "list", "--output", format]);
        assert_eq!(list.status, 0, "{list:?}");
        for word in ["acme-eu", "org_Eu"] {
            assert!(list.stdout.contains(word), "{format}: {}", list.stdout);
        }
        if format != "json" {
            assert!(
                !list.stdout.contains('\u{202e}') && list.stdout.contains("active"),
                "{}",
                list.stdout
            );
        }
        let show = town.says(&["tenant", "show", "acme", "--output", format]);
        assert!(
            show.status == 0 && show.stdout.contains("acme-eu"),
            "{show:?}"
        );
    }
}
