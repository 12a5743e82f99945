//! What a document would give, before anything is configured.

use serde_json::{Value, json};
use toolhost_harness::{guests, host};

fn inspect(name: &str, text: &str, more: &[&str]) -> host::CommandOutput {
    let directory = tempfile::tempdir().unwrap();
    host::write(directory.path(), name, text);
    let adapter = format!("openapi={}", guests::path("openapi").display());
    let arguments = [&["inspect", name, "--adapter", &adapter], more].concat();
    host::run(directory.path(), &arguments)
}

#[test]
fn a_document_shows_its_tools_and_why_an_operation_gives_none() {
    let document = crate::adapters::document().to_string();
    let shown = inspect("billing.json", &document, &["--output", "json"]);
    assert_eq!(shown.status, 0, "{shown:?}");
    let shown = shown.json();
    let names: Vec<&Value> = shown["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| &tool["name"])
        .collect();
    assert_eq!(
        names,
        ["getPlan", "listInvoices", "createInvoice", "getInvoice"]
    );
    assert_eq!(shown["tools"][1]["operation"], "GET /invoices");
    assert_eq!(
        (&shown["title"], &shown["base"]),
        (&json!("Billing"), &json!("/v1"))
    );
    let without = &shown["without_tool"][0];
    assert_eq!(
        (&without["operation"], &without["id"]),
        (&json!("GET /files/{name}"), &json!("getFile"))
    );
    assert!(without["message"].is_string() && without["reason"].is_string());
    let text = inspect("billing.json", &document, &[]).stdout;
    assert!(
        text.contains("tool      getInvoice (read-only, GET /invoices/{id})")
            && text.contains("no tool   GET /files/{name}")
            && text.contains("tools: 4, operations without one: 1"),
        "{text}"
    );
}

#[test]
fn what_is_no_document_is_told_as_such() {
    for text in [
        "not one at all, but long enough",
        "{\"openapi\": \"2.0\"}",
        "[1, 2, 3, 4]",
    ] {
        let shown = inspect("x.json", text, &[]);
        assert_eq!(shown.status, 2, "{text}: {shown:?}");
        assert!(
            shown.stderr.contains("no document that openapi can read"),
            "{text}: {shown:?}"
        );
    }
    let directory = tempfile::tempdir().unwrap();
    host::write(directory.path(), "x.json", "{\"openapi\": \"3.1.0\"}");
    let ended = host::run(
        directory.path(),
        &["inspect", "x.json", "--adapter", "no-such"],
    );
    assert_eq!(ended.status, 2, "{ended:?}");
    assert!(ended.stderr.contains("[adapters.no-such]"), "{ended:?}");
}

#[test]
fn an_adapters_own_component_is_told_as_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = guests::path("csv");
    let shown = host::run(directory.path(), &["inspect", file.to_str().unwrap()]);
    assert_eq!(shown.status, 0, "{shown:?}");
    assert!(
        shown.stdout.contains("as the adapter of connections"),
        "{shown:?}"
    );
}

#[test]
fn host_doctor_says_what_of_an_adapter_is_there_and_granted() {
    let directory = tempfile::tempdir().unwrap();
    let doctor = |file: &str| {
        let tables = format!(
            "[adapters.csv]\nfile = \"{file}\"\n[connections.a]\nadapter = \"csv\"\nspec = \"a.csv\"\nbase = \"https://a.example\"\nauth = {{ type = \"none\" }}\n"
        );
        host::write(directory.path(), "host.toml", tables);
        host::run(directory.path(), &["doctor", "--output", "json"]).json()
    };
    for (file, verdict, says) in [
        (guests::path("csv"), "failed", "a.csv: No such file"),
        (guests::path("echo"), "failed", "it is not an adapter"),
        ("missing.wasm".into(), "failed", "missing.wasm"),
    ] {
        let report = doctor(file.to_str().unwrap());
        let checks = report["checks"].as_array().unwrap();
        let check = checks
            .iter()
            .find(|check| check["what"] == "adapter")
            .unwrap();
        assert_eq!(check["verdict"], verdict, "{report}");
        assert!(check["detail"].as_str().unwrap().contains(says), "{report}");
    }
}
