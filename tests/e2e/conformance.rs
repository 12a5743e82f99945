//! The conformance suite of the protocol's authors against the built host, for both protocol
//! generations.
//!
//! `clients/conformance.yml` names what is expected to fail, and why. The suite itself fails where
//! something else does, and where something that is named there passes.

use std::process::Command;

use toolhost_harness::{Host, clients, guests, host};

/// Scenarios of the frozen list that pass, and how many are scored.
fn scenarios(revision: &str) -> (usize, usize) {
    let host = Host::with()
        .plugin("conformance")
        .arguments(&["--dev-tenant", "acme"])
        .start();
    let results = tempfile::tempdir().unwrap();
    let expected =
        toolhost_harness::root().join(format!("tests/clients/conformance-{revision}.yml"));
    // A file, because the suite ends without waiting for a pipe to be read.
    let said = results.path().join("said");
    let file = std::fs::File::create(&said).unwrap();
    let status = host::wait(
        Command::new(clients::node())
            .arg(
                clients::directory()
                    .join("node_modules/@modelcontextprotocol/conformance/dist/index.js"),
            )
            .args([
                "server",
                "--requirements",
                revision,
                "--url",
                host.url(),
                "--timeout",
                "20000",
            ])
            .args(["--expected-failures".as_ref(), expected.as_os_str()])
            .args(["--output-dir".as_ref(), results.path().as_os_str()])
            .stdout(file.try_clone().unwrap())
            .stderr(file),
    );
    let said = std::fs::read_to_string(said).unwrap();
    let summary = said
        .split_once("=== SUMMARY ===")
        .map_or("", |(_, summary)| summary);
    assert_eq!(status, 0, "{summary}");
    let scored = scored(revision);
    let passed = summary
        .lines()
        .filter_map(|line| line.strip_prefix("✓ ")?.split(':').next());
    let passed = passed
        .filter(|name| scored.iter().any(|scored| scored == name))
        .count();
    println!(
        "{revision}: {passed} of {} scored scenarios pass",
        scored.len()
    );
    (passed, scored.len())
}

/// The scenarios of servers that a revision requires.
fn scored(revision: &str) -> Vec<String> {
    let script =
        clients::directory().join("node_modules/@modelcontextprotocol/conformance/dist/index.js");
    let list = host::end(Command::new(clients::node()).arg(script).args([
        "list",
        "--server",
        "--requirements",
        revision,
    ]));
    let server = list
        .stdout
        .split_once("Server scenarios")
        .unwrap()
        .1
        .split("\n\n")
        .next()
        .unwrap();
    server
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- "))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_protocol_with_sessions_is_spoken_as_far_as_a_host_of_tools_goes() {
    let (passed, scored) = scenarios("2025-11-25");
    assert_eq!(scored, 30);
    assert!(passed >= 19, "{passed}");
}

#[test]
fn the_stateless_protocol_is_spoken_as_far_as_a_host_of_tools_goes() {
    let (passed, scored) = scenarios("2026-07-28");
    assert_eq!(scored, 37);
    assert!(passed >= 27, "{passed}");
}

/// One scenario of clients: the host's MCP adapter is the client, against the suite's own server.
fn client_scenario(revision: &str, scenario: &str) {
    let results = tempfile::tempdir().unwrap();
    let words = [
        clients::python(),
        clients::script("conformance_client.py"),
        host::program(),
        guests::path("mcp"),
    ];
    let command: Vec<_> = words
        .iter()
        .map(|word| word.display().to_string())
        .collect();
    let said = results.path().join("said");
    let file = std::fs::File::create(&said).unwrap();
    let status = host::wait(
        Command::new(clients::node())
            .arg(
                clients::directory()
                    .join("node_modules/@modelcontextprotocol/conformance/dist/index.js"),
            )
            .args([
                "client",
                "--command",
                &command.join(" "),
                "--scenario",
                scenario,
            ])
            .args(["--spec-version", revision, "--timeout", "120000"])
            .args(["--output-dir".as_ref(), results.path().as_os_str()])
            .env("TOOLHOST_CACHE", guests::target().join("tests-cache-host"))
            .stdout(file.try_clone().unwrap())
            .stderr(file),
    );
    let said = std::fs::read_to_string(said).unwrap();
    assert_eq!(status, 0, "{scenario} of {revision}: {said}");
}

/// Those of the revision that are about tools. The others log in as a person or need a stream
/// beside the call, which an adapter for many tenants does not do.
#[test]
fn the_mcp_adapter_is_a_client_as_the_protocol_with_sessions_has_it() {
    for scenario in [
        "initialize",
        "tools_call",
        "json-schema-2020-12-preservation",
    ] {
        client_scenario("2025-11-25", scenario);
    }
}

#[test]
fn the_mcp_adapter_is_a_client_as_the_stateless_protocol_has_it() {
    for scenario in [
        "tools_call",
        "request-metadata",
        "http-standard-headers",
        "http-custom-headers",
        "http-invalid-tool-headers",
        "json-schema-ref-no-deref",
        "json-schema-2020-12-preservation",
    ] {
        client_scenario("2026-07-28", scenario);
    }
}
