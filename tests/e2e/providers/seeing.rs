use std::time::Duration;

use serde_json::{Value, json};
use toolhost_harness::host::{CommandOutput, write};
use toolhost_harness::{Host, Issuer, LeakDetector};

use crate::providers::broker::{Broker, TOKEN, of, world};
use crate::providers::{World, connection};

const SECRET: &str = "tok-of-acme-kK29sLxQ04-0123456789";
const LINES: &str = "[data]\ndir = \"data\"";

/// What a verb says in JSON, with its status.
fn json_of(host: &Host, arguments: &[&str]) -> (i32, Value) {
    let mut all = arguments.to_vec();
    all.extend(["--output", "json"]);
    let ended = host.verb(&all);
    let value = if ended.stdout.is_empty() {
        Value::Null
    } else {
        ended.json()
    };
    assert_eq!(
        LeakDetector::new([SECRET, TOKEN]).find(format!("{ended:?}").as_bytes()),
        None,
        "{ended:?}"
    );
    (ended.status, value)
}

fn token(host: &Host, issuer: &Issuer) {
    write(host.directory(), "acme.jwt", issuer.token("acme"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_explained_and_nothing_is_sent() {
    let world = World::start(|builder, url| builder.config(&connection(url, LINES))).await;
    token(&world.host, &world.issuer);
    let ask = |host: &Host, method: &str, path: &str| {
        json_of(
            host,
            &["explain", "billing", method, path, "--as", "@acme.jwt"],
        )
    };
    let (status, said) = ask(&world.host, "GET", "/v1/invoices?limit=5");
    assert_eq!((status, &said["allowed"]), (4, &json!(false)));
    assert_eq!(said["credential"]["present"], json!(false));
    world.set("acme/billing", SECRET, &[]);
    let (status, said) = ask(&world.host, "GET", "/v1/invoices?limit=5");
    assert_eq!((status, &said["allowed"]), (0, &json!(true)), "{said}");
    assert_eq!(
        (&said["tenant"], &said["subject"]),
        (&json!("acme"), &json!("user-1"))
    );
    assert_eq!(
        said["rules"][0]["matches"],
        json!("GET /v1/invoices query:limit,cursor")
    );
    assert_eq!(said["credential"]["fingerprint"].as_str().unwrap().len(), 8);
    assert_eq!(
        said["addresses"][0],
        json!({ "address": "127.0.0.1", "class": "loopback", "allowed": true })
    );
    for (method, path, part) in [
        ("DELETE", "/v1/invoices", "GET"),
        ("GET", "/v1/invoices?tenant=globex", "tenant"),
        ("GET", "/v2/invoices", "another path"),
        ("GET", "/v1/../v1/invoices", "canonical"),
    ] {
        let (status, said) = ask(&world.host, method, path);
        assert_eq!(status, 4, "{said}");
        let rule = &said["rules"][0];
        assert!(
            rule["matches"].is_null() && rule.to_string().contains(part),
            "{said}"
        );
    }
    let (status, _) = json_of(
        &world.host,
        &["explain", "other", "GET", "/", "--as", "@acme.jwt"],
    );
    assert_eq!(status, 2);
    write(
        world.host.directory(),
        "bad.jwt",
        format!("{}x", world.issuer.token("acme")),
    );
    let (status, _) = json_of(
        &world.host,
        &[
            "explain",
            "billing",
            "GET",
            "/v1/invoices",
            "--as",
            "@bad.jwt",
        ],
    );
    assert_eq!(status, 3);
    assert!(world.ledger.seen().is_empty(), "nothing was sent");

    // The same without a host.
    let mut world = world;
    world.host.terminate();
    world.host.ended(Duration::from_secs(20)).await;
    let (status, alone) = ask(&world.host, "GET", "/v1/invoices?limit=5");
    assert_eq!(status, 0, "{alone}");
    assert_eq!(
        alone["rules"][0]["matches"],
        json!("GET /v1/invoices query:limit,cursor")
    );
    assert_eq!(alone["credential"]["present"], json!(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_listed_shown_and_tried_without_a_request() {
    let broker = Broker::start().await;
    broker.keep(&of("acme"), SECRET);
    let world = world(&broker, LINES).await;
    let (_, list) = json_of(&world.host, &["connection", "list"]);
    assert_eq!(list["connections"][0]["provider"], json!("broker"));
    let (_, shown) = json_of(&world.host, &["connection", "show", "billing"]);
    assert_eq!(
        (&shown["credentials"], &shown["auth"]),
        (&json!("own"), &json!("bearer"))
    );
    assert_eq!(json_of(&world.host, &["connection", "show", "other"]).0, 2);

    let (status, tested) = json_of(
        &world.host,
        &["connection", "test", "billing", "--tenant", "acme"],
    );
    assert_eq!((status, &tested["passed"]), (0, &json!(true)), "{tested}");
    let (status, tested) = json_of(
        &world.host,
        &["connection", "test", "billing", "--tenant", "globex"],
    );
    assert_eq!(
        (status, &tested["steps"][0]["passed"]),
        (4, &json!(false)),
        "{tested}"
    );
    assert!(world.ledger.seen().is_empty(), "nothing was sent");
    token(&world.host, &world.issuer);
    let explain = [
        "explain",
        "billing",
        "GET",
        "/v1/invoices",
        "--as",
        "@acme.jwt",
    ];
    let asked = broker.upstream.seen().len();
    let (_, said) = json_of(&world.host, &explain);
    assert_eq!(said["credential"]["present"], Value::Null, "{said}");
    assert_eq!(
        broker.upstream.seen().len(),
        asked,
        "nor is the broker asked"
    );
    for format in ["text", "table"] {
        let ended: CommandOutput = world
            .host
            .verb(&[&explain[..], &["--output", format]].concat());
        assert!(ended.stdout.contains("broker"), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_tenants_share_is_found_and_told_apart_from_what_they_do_not() {
    let world = World::start(|builder, url| builder.config(&connection(url, LINES))).await;
    world.set("acme/billing", SECRET, &[]);
    world.set("globex/billing", "another-secret-of-globex-0123", &[]);
    let (status, found) = json_of(&world.host, &["lint"]);
    assert_eq!((status, found), (0, json!({ "findings": [] })));
    world.set("globex/billing", SECRET, &[]);
    let (status, found) = json_of(&world.host, &["lint"]);
    assert_eq!(status, 7);
    let finding = &found["findings"][0];
    assert_eq!(finding["code"], json!("shared-credential"));
    assert!(
        finding["message"]
            .as_str()
            .unwrap()
            .contains("acme, globex"),
        "{finding}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn declared_credentials_are_compared_too() {
    let builder = Host::with()
        .billing("http://127.0.0.1:9")
        .file("acme.secret", SECRET)
        .file("globex.secret", SECRET);
    let (directory, _) = builder.write();
    let ended = toolhost_harness::host::run(directory.path(), &["lint"]);
    assert_eq!(ended.status, 7, "{ended:?}");
    assert!(ended.stdout.contains("shared-credential"), "{ended:?}");
}
