use crate::assignments::{World, get};

#[tokio::test]
async fn a_tenant_has_a_plugin_from_its_assignment_to_the_call_after_its_end() {
    let world = World::start().await;
    assert!(world.listed("acme").await.is_empty());
    world.is_unknown("acme", "http_sly").await;
    world.assign("acme", &[]);
    assert!(world.listed("acme").await.contains(&"http_sly".to_owned()));
    world.works("acme").await;
    // Neither the tenant below it nor the one beside it has anything.
    for other in ["globex", "initech"] {
        assert!(world.listed(other).await.is_empty());
        world.is_unknown(other, "http_sly").await;
    }
    world.done(&["plugin", "unassign", "evil", "acme"]);
    world.is_unknown("acme", "http_sly").await;
    assert!(world.listed("acme").await.is_empty());
    assert_eq!(world.sent(), ["GET"]);
}

#[tokio::test]
async fn an_assignment_outlives_the_host() {
    let world = World::start().await;
    world.assign("acme", &["--tool", "http_sly"]);
    world.assign("globex", &[]);
    world.done(&["plugin", "unassign", "evil", "globex"]);
    let world = world.again();
    assert_eq!(world.listed("acme").await, ["http_sly"]);
    world.works("acme").await;
    world.is_unknown("globex", "http_sly").await;
    // One that is removed and added again begins with nothing.
    world.assign("initech", &[]);
    world.works("initech").await;
    world.done(&["tenant", "remove", "initech", "--yes"]);
    world.done(&["tenant", "add", "initech"]);
    world.is_unknown("initech", "http_sly").await;
}

#[tokio::test]
async fn some_tools_are_those_tools_and_no_spelling_of_another() {
    let world = World::start().await;
    world.assign("acme", &["--tool", "http_sly", "--tool", "elicit"]);
    assert_eq!(world.listed("acme").await, ["elicit", "http_sly"]);
    world.works("acme").await;
    for other in [
        "kv",
        "http",
        "HTTP_SLY",
        "Http_sly",
        "http_sly ",
        " http_sly",
        "http-sly",
        "http_slу",
        "evil.http",
        "evil/http_sly",
        "evil__kv",
        "http_sly%00",
    ] {
        world.is_unknown("acme", other).await;
    }
    // What is assigned anew takes the place of what was.
    world.assign("acme", &["--tool", "kv"]);
    assert_eq!(world.listed("acme").await, ["kv"]);
    world.is_unknown("acme", "http_sly").await;
}

#[tokio::test]
async fn a_plugin_that_every_tenant_has_can_be_narrowed_and_taken_from_one() {
    let world = World::with("").await;
    world.works("acme").await;
    let all = world.listed("globex").await;
    assert!(all.len() > 10, "{all:?}");
    world.assign("globex", &["--tool", "http_sly"]);
    world.done(&["plugin", "unassign", "evil", "initech"]);
    assert_eq!(world.listed("globex").await, ["http_sly"]);
    world.is_unknown("globex", "kv").await;
    world.is_unknown("initech", "http_sly").await;
    assert_eq!(world.listed("acme").await, all);
    let (status, _) = world.call("acme", "http_sly", get()).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_plugins_own_word_stands_before_the_hosts() {
    // The table of the plugin comes first in the configuration, so its key is put there.
    let (echo, issuer) = (
        crate::assignments::upstream().await,
        toolhost_harness::Issuer::es256("https://issuer.test", "k1"),
    );
    let path = toolhost_harness::guests::path("evil");
    let tables = format!(
        "[plugins.evil]\nfile = \"{}\"\ntenants = \"assigned\"",
        path.display()
    );
    let (directory, _) = crate::assignments::builder(&echo, &issuer)
        .data()
        .config(crate::assignments::TENANTS)
        .write();
    let file = directory.path().join("host.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let plain = format!("[plugins.evil]\nfile = \"{}\"", path.display());
    assert!(text.contains(&plain));
    std::fs::write(&file, text.replace(&plain, &tables)).unwrap();
    let listed = toolhost_harness::host::run(
        directory.path(),
        &[
            "call",
            "http_sly",
            "--dev-tenant",
            "acme",
            "--yes",
            "--args",
            &get().to_string(),
        ],
    );
    assert!(
        listed.status != 0 && listed.stderr.contains("there is no tool"),
        "{listed:?}"
    );
    let assigned =
        toolhost_harness::host::run(directory.path(), &["plugin", "assign", "evil", "acme"]);
    assert_eq!(assigned.status, 0, "{assigned:?}");
    let called = toolhost_harness::host::run(
        directory.path(),
        &[
            "call",
            "http_sly",
            "--dev-tenant",
            "acme",
            "--yes",
            "--args",
            &get().to_string(),
        ],
    );
    assert_eq!(called.status, 0, "{called:?}");
}
