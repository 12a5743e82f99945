//! Any granted component that exports `adapter` is one: here tables of CSV, which nobody of this
//! host has heard of.

use serde_json::json;
use toolhost_harness::host;

use crate::adapters::{System, builder, call, issuer, names, secret};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adapter_of_a_third_kind_serves_its_tables() {
    let (system, issuer) = (System::start().await, issuer());
    let lines = format!(
        "spec = \"tables.csv\"\nbase = \"{}\"",
        system.upstream.url()
    );
    let host = builder(&issuer, "csv", &lines)
        .file("tables.csv", "invoices, /table, id, state\nbroken\n")
        .start();
    assert_eq!(names(&host, &issuer).await, ["billing__rows_of_invoices"]);
    let (status, body) = call(
        &host,
        &issuer,
        "acme",
        "billing__rows_of_invoices",
        json!({"state": "paid"}),
    )
    .await;
    let rows = json!({"rows": [{"id": "1", "state": "paid"}, {"id": "3", "state": "paid"}]});
    assert_eq!((status, &body["structured"]), (200, &rows), "{body}");
    assert_eq!(system.presented(), [format!("Bearer {}", secret("acme"))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adapter_is_no_plugin_and_a_plugin_no_adapter() {
    let issuer = issuer();
    let as_plugin = toolhost_harness::Host::with()
        .issuer(&issuer)
        .config("[tenants.acme]")
        .plugin("csv");
    let as_adapter = builder(
        &issuer,
        "echo",
        "spec = \"x\"\nbase = \"http://127.0.0.1:9\"",
    )
    .file("x", "x");
    for (builder, says) in [
        (as_plugin, "it is an adapter"),
        (as_adapter, "it is not an adapter"),
    ] {
        let (directory, mut command) = builder.write();
        let ended = host::end(&mut command);
        drop(directory);
        assert_eq!(ended.status, 6, "{ended:?}");
        assert!(ended.stderr.contains(says), "{ended:?}");
    }
}
