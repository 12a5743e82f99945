//! Looking at a document has bounds of its own, and reaches nothing.

use toolhost_harness::host::{self, CommandOutput};

use crate::adapters::{builder, issuer};

fn start(document: &str) -> CommandOutput {
    let issuer = issuer();
    let lines = "spec = \"evil.json\"\nbase = \"http://127.0.0.1:9\"";
    let (directory, mut command) = builder(&issuer, "evil-adapter", lines)
        .file("evil.json", document)
        .write();
    let ended = host::end(&mut command);
    drop(directory);
    ended
}

#[test]
fn an_adapter_that_takes_all_memory_ends_at_its_limit() {
    let ended = start("grow");
    assert_eq!(ended.status, 6, "{ended:?}");
    assert!(
        ended.stderr.contains("memory_bytes") && ended.stderr.contains("1073741824"),
        "{ended:?}"
    );
}

#[test]
fn an_adapter_that_traps_is_told_as_such_and_serves_nothing() {
    let ended = start("trap");
    assert_eq!(ended.status, 6, "{ended:?}");
    assert!(ended.stderr.contains("trapped"), "{ended:?}");
}

/// It takes longer than the transports wait for, so the host serves without it.
#[test]
fn an_adapter_that_spins_ends_at_its_limit() {
    let lines = "spec = \"evil.json\"\nbase = \"http://127.0.0.1:9\"";
    let host = builder(&issuer(), "evil-adapter", lines)
        .file("evil.json", "spin")
        .start();
    assert!(
        host.has_logged("30000 milliseconds (cpu_ms)"),
        "{}",
        host.log()
    );
}

#[test]
fn looking_at_a_document_an_adapter_reaches_neither_its_system_nor_what_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let issuer = issuer();
    let lines = "spec = \"evil.json\"\nbase = \"http://127.0.0.1:9\"";
    let host = builder(&issuer, "evil-adapter", lines)
        .file("evil.json", "reach")
        .start();
    drop(directory);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tools = runtime.block_on(crate::adapters::tools(&host, &issuer));
    assert_eq!(tools[0]["description"], "http: denied; state: denied");
}
