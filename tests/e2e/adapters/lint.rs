//! `host lint` tells which arguments of approved tools let a model choose an account of the other
//! system.

use serde_json::{Value, json};
use toolhost_harness::{Host, host, host::CommandOutput};

use crate::adapters::{System, builder, document, issuer};

const PROVIDE: &str = "provide = { account_id = \"{external_tenant_id}\" }";
const HEADERS: &str = "headers = { x-account-id = \"{external_tenant_id}\" }";

/// A host that has approved and served the document with these keys.
fn served(system: &System, more: &str) -> Host {
    let lines = format!("spec = \"{}/openapi.json\"\n{more}", system.upstream.url());
    builder(&issuer(), "openapi", &lines).start()
}

/// Status, and code with message of each finding.
fn lint(host: &Host, more: &[&str]) -> (i32, Vec<(String, String)>) {
    let ended = host.verb(&[&["lint", "--output", "json"], more].concat());
    let found = ended.json();
    let of = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let found = found["findings"].as_array().unwrap().iter();
    let found = found.map(|finding| {
        assert!(
            of(finding, "key").starts_with("connections.billing"),
            "{ended:?}"
        );
        (of(finding, "code"), of(finding, "message"))
    });
    (ended.status, found.collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_a_model_chooses_is_found_once_for_all_tools_and_what_the_host_fills_is_not()
 {
    let system = System::start().await;
    let mut several = document();
    several["paths"]["/invoices"]["post"]["parameters"] =
        json!([{"name": "account_id", "in": "query", "schema": {"type": "string"}}]);
    system.describes(&several);
    let host = served(&system, HEADERS);
    let (status, found) = lint(&host, &[]);
    assert_eq!((status, found.len()), (7, 1), "{found:?}");
    let (code, message) = &found[0];
    assert_eq!(code, "tenant-argument");
    assert!(
        message.starts_with("2 tools, such as getPlan, have the argument account_id")
            && message.contains(PROVIDE),
        "{message}"
    );
    let host = served(&system, &format!("{HEADERS}\n{PROVIDE}"));
    assert_eq!(lint(&host, &[]), (0, vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_of_an_account_is_found_and_a_tool_that_is_not_chosen_has_none() {
    let system = System::start().await;
    let chosen = "operations = { allow = [\"listInvoices\", \"getInvoice\"] }";
    let (status, found) = lint(&served(&system, chosen), &[]);
    assert_eq!((status, found.len()), (7, 1), "{found:?}");
    assert!(found[0].1.contains("listInvoices"), "{found:?}");
    let host = served(&system, "operations = { allow = [\"getInvoice\"] }");
    assert_eq!(lint(&host, &[]), (0, vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_looked_at_is_said_and_what_nobody_approved_is_not() {
    let system = System::start().await;
    let host = served(&system, HEADERS);
    let empty = tempfile::tempdir().unwrap();
    let wiped = empty.path().join("cache");
    let wiped = ["--cache-dir", wiped.to_str().unwrap()];
    let (status, found) = lint(&host, &wiped);
    assert_eq!((status, found.len()), (7, 1), "{found:?}");
    assert_eq!(found[0].0, "tenant-argument", "the document is read again");
    let unapproved = ["--lock", "none.lock", "--adapter", "csv=none.wasm"];
    assert_eq!(lint(&host, &unapproved), (0, vec![]));
    assert!(!host.directory().join("none.lock").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adapter_that_is_none_is_an_error_and_no_clean_bill() {
    let system = System::start().await;
    let host = served(&system, "");
    let text = std::fs::read_to_string(host.directory().join("host.toml")).unwrap();
    let file = toolhost_harness::guests::path("openapi");
    let broken = text.replace(&file.display().to_string(), "broken.wasm");
    host::write(host.directory(), "broken.toml", broken);
    host::write(host.directory(), "broken.wasm", "no component");
    let ended: CommandOutput = host.verb(&["lint", "--config", "broken.toml"]);
    assert_eq!(ended.status, 6, "{ended:?}");
    assert!(ended.stderr.contains("broken.wasm"), "{ended:?}");
}
