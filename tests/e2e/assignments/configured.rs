//! A host that keeps nothing has its assignments in the configuration, and one that keeps them does
//! not.

use toolhost_harness::{Issuer, host};

use crate::assignments::{TENANTS, World, builder, get, post, upstream};

async fn without_data(tables: &str) -> World {
    let (echo, issuer) = (upstream().await, Issuer::es256("https://issuer.test", "k1"));
    let host = builder(&echo, &issuer)
        .config(TENANTS)
        .config(tables)
        .start();
    World { echo, issuer, host }
}

#[tokio::test]
async fn without_a_data_directory_the_configuration_says_who_has_what() {
    let world = without_data(
        "[tenants.acme.plugins.evil]\ntools = [\"http_sly\"]\nmode = \"read-only\"\n[tenants.globex.plugins.evil]\ntools = []\n[tenancy]\nplugins = \"assigned\"",
    )
    .await;
    assert_eq!(world.listed("acme").await, ["http_sly"]);
    world.works("acme").await;
    let (status, body) = world.call("acme", "http_sly", post()).await;
    assert_eq!(
        (status, &body["code"]),
        (403, &"operation_mode_blocked".into())
    );
    for other in ["globex", "initech"] {
        world.is_unknown(other, "http_sly").await;
    }
    let refused = world.says(&["plugin", "assign", "evil", "initech"]);
    assert!(
        refused.status == 2 && refused.stderr.contains("data directory"),
        "{refused:?}"
    );
    assert_eq!(world.sent(), ["GET"]);
}

#[tokio::test]
async fn a_configuration_that_says_what_it_cannot_mean_stops_the_host() {
    let echo = upstream().await;
    let issuer = Issuer::es256("https://issuer.test", "k1");
    let starts = |builder: toolhost_harness::HostBuilder| {
        let (directory, mut command) = builder.write();
        let ended = host::end(&mut command);
        drop(directory);
        assert_ne!(ended.status, 0, "{ended:?}");
        ended.stderr
    };
    for (tables, words) in [
        (
            "[tenants.acme.plugins.evil]\ntools = [\"http_slu\"]",
            &["tenants.acme.plugins.evil", "did you mean http_sly?"][..],
        ),
        ("[tenants.acme.plugins.evli]", &["did you mean evil?"]),
        (
            "[tenants.acme]\nmode = \"none\"",
            &["tenants.acme.mode", "read-only, standard, full"],
        ),
        (
            "[tenants.acme]\n[tools]\nmode = \"Full\"",
            &["tools.mode", "read-only, standard, full"],
        ),
        (
            "[tenants.acme]\n[tenancy]\nplugins = \"some\"",
            &["tenancy.plugins", "all, assigned"],
        ),
        (
            "[tenants.acme.plugins.evil]\ntool = []",
            &["did you mean tools?"],
        ),
    ] {
        let said = starts(builder(&echo, &issuer).config(tables));
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
    }
    for (tables, word) in [
        (
            "[tenants.acme.plugins.evil]\ntools = []",
            "host plugin assign evil acme",
        ),
        (
            "[tenants.acme]\nmode = \"read-only\"",
            "host tenant set acme --mode",
        ),
    ] {
        let said = starts(builder(&echo, &issuer).data().config(tables));
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn one_call_of_the_command_line_is_held_to_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let plugin = toolhost_harness::guests::path("evil");
    let text = format!(
        "[plugins.evil]\nfile = \"{}\"\n[tools]\nmode = \"read-only\"\n[connections.echo]\nbase = \"http://127.0.0.1:9\"\nallow_http = true\nallow_loopback = true\nauth = {{ type = \"none\" }}\n[connections.billing]\nbase = \"http://127.0.0.1:9\"\nallow_http = true\nallow_loopback = true\nauth = {{ type = \"none\" }}",
        plugin.display()
    );
    host::write(directory.path(), "host.toml", text);
    let call = |tool: &str, arguments: String| {
        host::run(
            directory.path(),
            &[
                "call",
                tool,
                "--dev-tenant",
                "acme",
                "--yes",
                "--args",
                &arguments,
            ],
        )
    };
    for (tool, arguments) in [("http", get()), ("http_sly", post())] {
        let ended = call(tool, arguments.to_string());
        assert!(
            ended.status != 0 && ended.stderr.contains("operation mode"),
            "{ended:?}"
        );
    }
}
