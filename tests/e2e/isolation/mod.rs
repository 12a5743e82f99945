//! What a guest sees of the host, of other calls and of other tenants: nothing (T18 to T20, T29,
//! T42).

mod questions;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use toolhost_egress::Egress;
use toolhost_harness::{Callers, LogCapture, Recorder, Rig, guests, values};
use toolhost_net::Network;
use toolhost_policy::{Grant, Limits, PluginName};
use toolhost_sandbox::{Sandbox, SandboxSettings};
use toolhost_tools::{Catalogue, Tools};

/// A sandbox, and the egress that it has.
fn sandbox() -> (Sandbox, Arc<Egress>) {
    let network = Arc::new(Network::system().unwrap());
    let egress =
        Arc::new(Egress::new(network, BTreeMap::new(), Arc::new(Recorder::default())).unwrap());
    let settings = SandboxSettings {
        slots: 4,
        cache: Some(guests::target().join("tests-cache")),
        ..SandboxSettings::default()
    };
    let sandbox = Sandbox::new(settings, Arc::clone(&egress), values(&["acme", "globex"])).unwrap();
    (sandbox, egress)
}

fn grant(name: &str) -> Grant {
    Grant {
        plugin: PluginName::parse(name).unwrap(),
        connections: BTreeMap::new(),
        limits: Limits::default(),
    }
}

const CANARY: &str = "CANARY-of-the-environment-4f1e";

/// Runs in a process of its own, with a canary in its environment, its arguments and its standard
/// input.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a_guest_sees_nothing_of_the_process_and_prints_nothing_into_its_output runs it"]
async fn inner_process() {
    let rig = Rig::for_plugin("evil").build().await;
    assert_eq!(std::env::var("TOOLHOST_CANARY").as_deref(), Ok(CANARY));
    for tool in ["print_stdout", "print_stderr"] {
        rig.call("acme", tool, json!({})).await.unwrap();
    }
    rig.call("acme", "print_flood", json!({"n": 200_000}))
        .await
        .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = async |tool: &str, args: Value| {
        rig.call("acme", tool, args)
            .await
            .unwrap()
            .structured
            .unwrap()
    };
    assert_eq!(seen("read_env", json!({})).await, json!({"variables": []}));
    let arguments = seen("read_args", json!({})).await;
    assert!(
        !arguments.to_string().contains("exact") && !arguments.to_string().contains("isolation"),
        "{arguments}"
    );
    assert_eq!(
        seen("read_files", json!({})).await,
        json!({"seen": [], "stdin_bytes": 0})
    );
    let sockets = seen("open_socket", json!({"address": address})).await;
    assert!(!sockets.to_string().contains("opened"), "{sockets}");
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody connected");
    println!("INNER DONE");
}

#[test]
fn a_guest_sees_nothing_of_the_process_and_prints_nothing_into_its_output() {
    use std::io::Write;

    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "isolation::inner_process",
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads",
            "1",
        ])
        .env("TOOLHOST_CANARY", CANARY)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(CANARY.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && out.contains("INNER DONE"),
        "{out}\n{err}"
    );
    for stream in [&out, &err] {
        assert!(
            !stream.contains("jsonrpc") && !stream.contains("forged") && !stream.contains("zzzz"),
            "{stream}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_are_too_coarse_to_time_anything_and_begin_with_the_call() {
    let rig = Rig::for_plugin("evil").build().await;
    for _ in 0..3 {
        let seen = rig
            .call("acme", "clock", json!({}))
            .await
            .unwrap()
            .structured
            .unwrap();
        for clock in ["wall_nanoseconds", "monotonic_nanoseconds"] {
            assert_eq!(seen[clock].as_u64().unwrap() % 1_000_000, 0, "{seen}");
        }
        // Go ends itself over a clock that reads zero, and others subtract from it.
        assert_eq!(seen["up_for_an_hour"], true, "{seen}");
        // A thousand readings in a row take some microseconds: a finer clock would step at each of
        // them.
        assert!(seen["monotonic_steps"].as_u64().unwrap() < 100, "{seen}");
    }
    let random = async || {
        rig.call("acme", "random", json!({}))
            .await
            .unwrap()
            .structured
            .unwrap()["value"]
            .clone()
    };
    assert_ne!(random().await, random().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_logs_cannot_forge_hide_or_flood() {
    let capture = LogCapture::install();
    let rig = Rig::for_plugin("evil").build().await;
    let lines = async |tool: &str, args: Value| {
        let before = capture.lines_of("guest").len();
        rig.call("acme", tool, args).await.unwrap();
        let lines: Vec<_> = capture.lines_of("guest").split_off(before);
        lines
            .into_iter()
            .filter(|line| line.fields.contains("plugin=evil"))
            .collect::<Vec<_>>()
    };
    let injected = lines("log_inject", json!({})).await;
    assert_eq!(
        injected.len(),
        3,
        "one event a line, whatever it holds: {injected:?}"
    );
    for line in &injected {
        let deceptive = |c: char| {
            c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
        };
        assert!(!line.fields.contains(deceptive), "{:?}", line.fields);
        assert_eq!(
            (line.level, line.target.as_str()),
            (tracing::Level::INFO, "guest")
        );
        assert!(line.fields.contains("untrusted="), "{line:?}");
    }
    let printed = lines("print_stdout", json!({})).await;
    assert!(
        printed.len() == 1 && printed[0].fields.contains("jsonrpc"),
        "{printed:?}"
    );
    let flood = lines("log_flood", json!({"n": 5_000})).await;
    assert!(
        (1_000..=1_002).contains(&flood.len()),
        "{} lines were kept",
        flood.len()
    );
    let long = lines("log_long", json!({"n": 1_000_000})).await;
    assert!(
        long.len() == 1 && long[0].fields.len() < 5_000,
        "{}",
        long[0].fields.len()
    );
    let unended = lines("print_flood", json!({"n": 1_000_000})).await;
    assert!(
        unended.iter().map(|line| line.fields.len()).sum::<usize>() < 200_000,
        "{} lines",
        unended.len()
    );
    // No level of a guest's choosing is one of the host's own targets.
    assert!(
        lines("log_text", json!({"level": "audit", "message": "x"})).await[0].target == "guest"
    );
}

struct Kept {
    tools: Arc<Tools>,
    other: Arc<Tools>,
    callers: Callers,
}

/// The same component twice, under two names, over one store.
async fn kept() -> Kept {
    let (sandbox, egress) = sandbox();
    let plugin = sandbox.load(&guests::component("evil")).await.unwrap();
    let serve = async |name: &str| {
        let catalogue = Catalogue::build(vec![(plugin.clone(), grant(name))], 1)
            .await
            .unwrap();
        Arc::new(
            Tools::new(
                catalogue,
                Arc::clone(&egress),
                Arc::new(Recorder::default()),
            )
            .unwrap(),
        )
    };
    let callers = Callers::new(&["acme", "globex"], "http://127.0.0.1/mcp").await;
    Kept {
        tools: serve("evil").await,
        other: serve("evil-too").await,
        callers,
    }
}
