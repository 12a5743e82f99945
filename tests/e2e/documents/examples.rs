//! The examples' pages show what the examples say, and what crossed the wire is what they claim.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use toolhost_harness::guests;

use super::judge::judge;
use super::text::{document, root};

/// Plays an example with the command that its page names; what it said, and what crossed the wire.
fn play(name: &str) -> (String, Vec<Value>) {
    let target = guests::target();
    let place = tempfile::tempdir().unwrap();
    let record = place.path().join("wire.jsonl");
    let program = target.join("debug/xtask");
    assert!(
        program.exists(),
        "run `cargo build --workspace --bin xtask`"
    );
    let output = Command::new(program)
        .args(["example", name, "--built", "--record"])
        .arg(&record)
        .env("CARGO_MANIFEST_DIR", root().join("xtask"))
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complaint}");
    (said, recorded(&record))
}

fn recorded(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The output that a page shows for a command.
fn shown(page: &str, command: &str) -> Vec<String> {
    let block = document(page).blocks().into_iter().find(|block| {
        block.language == "console"
            && block
                .lines
                .first()
                .is_some_and(|line| line == &format!("$ {command}"))
    });
    block
        .unwrap_or_else(|| panic!("{page} does not show {command}"))
        .lines
        .split_off(1)
}

/// Ports and times are another each time. The ends of tokens are too, and which of them are the
/// same is not: each becomes its number in the order of their appearance.
fn settled(text: &str) -> String {
    let mut tokens = BTreeMap::new();
    let mut pieces = text.split("****");
    let mut settled = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let end = piece
            .find(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c))
            .unwrap_or(piece.len());
        let (token, rest) = piece.split_at(end);
        let next = tokens.len() + 1;
        let number = tokens.entry(token.to_owned()).or_insert(next);
        settled.push_str(&format!("<token {number}>{rest}"));
    }
    let mut lines = Vec::new();
    for line in settled.lines() {
        let line = match line.split_once("127.0.0.1:") {
            Some((before, rest)) => {
                let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before}127.0.0.1:PORT{rest}")
            }
            None => line.to_owned(),
        };
        match line.strip_prefix("All as it should be, in ") {
            Some(_) => lines.push("All as it should be, in N s.".to_owned()),
            None => lines.push(line),
        }
    }
    lines.join("\n")
}

/// Plays an example, which must say what its page shows; what crossed the wire.
fn as_its_page_shows(name: &str) -> Vec<Value> {
    let (said, wire) = play(name);
    let expected = shown(
        &format!("examples/{name}/README.md"),
        &format!("cargo xtask example {name}"),
    );
    let expected: Vec<String> = settled(&expected.join("\n"))
        .lines()
        .map(str::to_owned)
        .collect();
    judge(&settled(&said), Some(&expected), None).unwrap_or_else(|why| panic!("{why}"));
    wire
}

#[test]
fn the_conversation_of_nevent_is_the_one_that_its_page_shows() {
    one_token_for_both_systems(&as_its_page_shows("nevent"));
}

#[test]
fn two_hosts_behind_nginx_do_what_their_page_shows_and_one_is_killed() {
    let wire = as_its_page_shows("cluster");
    // Each call was made once, with its own tenant's credential, whichever host made it.
    let accounts: Vec<(&str, &str)> = wire
        .iter()
        .map(|line| {
            let header = |name: &str| line["headers"][name].as_str().unwrap();
            (header("x-account-id"), header("authorization"))
        })
        .collect();
    let of = |account: &str| -> Vec<&str> {
        let own = accounts.iter().filter(|(whose, _)| *whose == account);
        own.map(|(_, bearer)| *bearer).collect()
    };
    let (acme, globex) = (of("acct_acme"), of("acct_globex"));
    assert_eq!((acme.len(), globex.len()), (8, 7));
    assert_eq!(accounts.len(), 15);
    assert!(acme.iter().all(|bearer| *bearer == acme[0]));
    assert!(globex.iter().all(|bearer| *bearer == globex[0]));
    assert_ne!(acme[0], globex[0]);
}

#[test]
fn a_described_system_and_a_server_of_tools_serve_two_tenants_as_their_page_shows() {
    let wire = as_its_page_shows("tenant-billing");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut bearers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in &wire {
        let header = |name: &str| text(&line["headers"][name]);
        let account = header("x-account-id") + &header("x-workspace-id");
        if !account.is_empty() {
            bearers
                .entry(account)
                .or_default()
                .insert(header("authorization"));
        }
    }
    // One credential for each tenant at each system, and none of them at two places.
    let accounts: Vec<&str> = bearers.keys().map(String::as_str).collect();
    assert_eq!(
        accounts,
        ["acct_acme", "acct_globex", "ws_acme", "ws_globex"]
    );
    assert!(bearers.values().all(|own| own.len() == 1), "{bearers:?}");
    let all: BTreeSet<&String> = bearers.values().flatten().collect();
    assert_eq!(all.len(), 4, "{bearers:?}");
    let closed = |line: &Value| {
        text(&line["method"]) == "DELETE" || line.to_string().contains("delete_ticket")
    };
    assert!(
        !wire.iter().any(closed),
        "what the operator did not let through was sent"
    );
}

/// Seed: both clients change together, or neither does; another session keeps its own; the login's
/// token reaches neither.
fn one_token_for_both_systems(wire: &[Value]) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of = |target: &str| -> Vec<&Value> {
        let to = |line: &&Value| line["target"].as_str().unwrap().starts_with(target);
        wire.iter().filter(to).collect()
    };
    let bearers = |target: &str| -> Vec<(String, String)> {
        let asked = of(target);
        let bearer = |line: &&Value| {
            (
                text(&line["tenant"]),
                text(&line["headers"]["authorization"]),
            )
        };
        asked.iter().map(bearer).collect()
    };
    let (data, media) = (bearers("/analytics/"), bearers("/paid-media/"));
    assert_eq!(data, media, "both carry the same token each time");
    let tenants: Vec<&str> = data.iter().map(|(tenant, _)| tenant.as_str()).collect();
    assert_eq!(
        tenants,
        [
            "riviera",
            "riviera-barcelona",
            "riviera-lisbon",
            "riviera-barcelona",
            "riviera-barcelona",
            "riviera"
        ]
    );
    assert!(
        data[1] == data[3] && data[3] == data[4],
        "neither another session nor a refusal changes a token"
    );
    let logins: Vec<String> = of("/login")
        .iter()
        .map(|line| text(&line["gave"]))
        .collect();
    assert_eq!(logins.len(), 3);
    for (_, bearer) in &data {
        assert!(
            !logins
                .iter()
                .any(|login| *bearer == format!("Bearer {login}")),
            "a login's token went out"
        );
    }
    let refused: Vec<String> = of("/tenants/switch")
        .iter()
        .filter(|line| line["status"] == 403)
        .map(|line| text(&line["body"]))
        .collect();
    assert_eq!(
        refused,
        [
            r#"{"tenantId":"riviera-porto"}"#,
            r#"{"tenantId":"harbour"}"#
        ]
    );
    assert!(
        !wire.iter().any(|line| line.to_string().contains("eyJ")),
        "a token was recorded whole"
    );
}

#[test]
fn tokens_are_told_apart_in_a_transcript_and_nothing_else_is_left_out() {
    assert_eq!(
        settled(
            "at http://127.0.0.1:7/mcp\nBearer ****ab-_ ****cdef\n****ab-_, ****\"\nAll as it should be, in 0.3 s."
        ),
        "at http://127.0.0.1:PORT/mcp\nBearer <token 1> <token 2>\n<token 1>, <token 3>\"\nAll as it should be, in N s."
    );
    assert_ne!(settled("****abcd ****abcd"), settled("****abcd ****abce"));
}
