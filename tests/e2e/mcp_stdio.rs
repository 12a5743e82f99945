//! MCP over standard input and output, by the clients that people use.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use toolhost_harness::billing::invoice;
use toolhost_harness::clients::Client;
use toolhost_harness::{Billing, Host, HostBuilder, Issuer, host};

/// The command line of a host over stdio, and the directory that it runs in.
fn command_line(builder: HostBuilder) -> (std::sync::Arc<TempDir>, Vec<String>) {
    let (directory, _) = builder.arguments(&["--stdio"]).write();
    // Through a shell, because a client cannot be told a directory.
    let mut words = vec![
        "/bin/sh".to_owned(),
        "-c".to_owned(),
        "cd \"$1\" && shift && exec \"$@\"".to_owned(),
    ];
    words.extend(["sh".to_owned(), directory.path().display().to_string()]);
    words.push(host::program().display().to_string());
    let cache = toolhost_harness::guests::target().join("tests-cache-host");
    words.extend(["run", "--stdio", "--yes", "--cache-dir"].map(str::to_owned));
    words.push(cache.display().to_string());
    (directory, words)
}

#[tokio::test]
async fn every_client_speaks_over_stdio_as_the_tenant_of_the_token() {
    let (billing, issuer) = (
        Billing::start().await,
        Issuer::es256("https://issuer.test", "k1"),
    );
    for (client, mode, version) in Client::ALL {
        let tenant = if version == "2026-07-28" {
            "globex"
        } else {
            "acme"
        };
        let builder = Host::with()
            .billing(&billing.url())
            .issuer(&issuer)
            .file("token", issuer.token(tenant));
        let (_directory, mut words) = command_line(builder);
        words.extend(["--token", "@token"].map(str::to_owned));
        let calls = json!([
            {"name": "list_invoices", "arguments": {"limit": 3}},
            {"name": "list_invoices", "arguments": {"limit": 0}},
        ]);
        let said = client
            .run(&json!({"command": words, "mode": mode, "calls": calls}))
            .await;
        let results = &said["results"];
        assert_eq!(
            results[0]["structured"]["invoices"],
            json!([invoice(tenant)]),
            "{client:?} {mode}: {said}"
        );
        assert_eq!(results[1]["isError"], true, "{client:?} {mode}: {said}");
    }
}

#[tokio::test]
async fn progress_and_questions_work_over_stdio_too() {
    for (client, mode, _) in [Client::ALL[0], Client::ALL[2], Client::ALL[4]] {
        let (_directory, mut words) = command_line(Host::with().plugin("conformance"));
        words.extend(["--dev-tenant", "acme"].map(str::to_owned));
        let plan = json!({
            "command": words, "mode": mode,
            "elicitation": {"action": "accept", "content": {"username": "ada", "email": "a@b"}},
            "calls": [
                {"name": "test_tool_with_progress", "arguments": {}},
                {"name": "test_elicitation", "arguments": {"message": "who are you?"}},
            ],
        });
        let said = client.run(&plan).await;
        let progress: Vec<f64> =
            serde_json::from_value(said["results"][0]["progress"].clone()).unwrap();
        assert_eq!(progress, [0.0, 50.0, 100.0], "{client:?} {mode}: {said}");
        assert!(
            said["results"][1]["content"][0]["text"]
                .as_str()
                .unwrap()
                .contains("ada"),
            "{client:?} {mode}: {said}"
        );
    }
}

/// A client that says and hears single lines.
struct Lines {
    child: std::process::Child,
    stdin: Option<std::process::ChildStdin>,
    stdout: BufReader<std::process::ChildStdout>,
    _directory: std::sync::Arc<TempDir>,
}

impl Lines {
    fn start(builder: HostBuilder, arguments: &[&str]) -> Self {
        let (directory, _) = builder.arguments(&["--stdio"]).write();
        let mut command = host::command(directory.path(), &["run", "--stdio", "--yes"]);
        command.args(arguments).env("RUST_LOG", "debug");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let stdin = child.stdin.take();
        let mut lines = Self {
            child,
            stdin,
            stdout,
            _directory: directory,
        };
        let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let answer = lines.ask(0, "initialize", hello);
        assert_eq!(
            answer["result"]["protocolVersion"], "2025-11-25",
            "{answer}"
        );
        lines.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        lines
    }

    fn say(&mut self, message: &Value) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{message}").unwrap();
        stdin.flush().unwrap();
    }

    /// The next line, which has to be a message.
    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("not a message of the protocol: {line:?}"))
    }

    fn ask(&mut self, id: u32, method: &str, params: Value) -> Value {
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        let answer = self.hear();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    fn call(&mut self, id: u32, tool: &str, arguments: Value) -> Value {
        self.ask(
            id,
            "tools/call",
            json!({"name": tool, "arguments": arguments}),
        )
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_a_guest_prints_never_reaches_the_stream_of_the_protocol() {
    let evil = "[connections.billing]\nbase = \"https://billing.test\"\nauth = { type = \"none\" }\n[connections.echo]\nbase = \"https://echo.test\"\nauth = { type = \"none\" }";
    let mut lines = Lines::start(
        Host::with().plugin("evil").config(evil),
        &["--dev-tenant", "acme"],
    );
    // Each prints a forged answer with the id of the next request.
    for (id, tool) in [(1, "print_stdout"), (2, "print_stderr")] {
        let answer = lines.call(id, tool, json!({}));
        assert!(!answer.to_string().contains("forged"), "{answer}");
    }
    let answer = lines.call(3, "print_flood", json!({"n": 1_000_000}));
    assert_eq!(answer["id"], 3);
    let answer = lines.call(4, "log_flood", json!({"n": 2_000}));
    assert_eq!(answer["id"], 4);
    let answer = lines.ask(5, "tools/list", json!({}));
    assert!(answer["result"]["tools"].as_array().unwrap().len() > 10);
}

#[test]
fn a_token_that_ends_during_the_session_ends_what_it_opened() {
    let issuer = Issuer::es256("https://issuer.test", "k1");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let billing = runtime.block_on(Billing::start());
    // The leeway of 30 s for clocks that differ is part of what is accepted.
    let ends = toolhost_harness::issuer::now() - 22;
    let token = issuer.mint(&json!({"tenantId": "acme", "exp": ends}));
    let builder = Host::with()
        .billing(&billing.url())
        .issuer(&issuer)
        .file("token", token);
    let mut lines = Lines::start(builder, &["--token", "@token"]);
    let first = lines.call(1, "list_invoices", json!({"limit": 3}));
    assert_eq!(
        first["result"]["structuredContent"]["invoices"],
        json!([invoice("acme")]),
        "{first}"
    );
    let deadline = Instant::now() + Duration::from_secs(20);
    for id in 2.. {
        let answer = lines.call(id, "list_invoices", json!({"limit": 3}));
        if answer["error"]["data"]["code"] == "unauthenticated" {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "the token is long over: {answer}"
        );
        std::thread::sleep(Duration::from_millis(250));
    }
    let list = lines.ask(9_999, "tools/list", json!({}));
    assert_eq!(list["error"]["data"]["code"], "unauthenticated", "{list}");
    let before = billing.upstream.seen().len();
    let _refused = lines.call(10_000, "list_invoices", json!({"limit": 3}));
    assert_eq!(billing.upstream.seen().len(), before);
}

#[test]
fn a_client_that_closes_its_end_ends_the_host_with_0() {
    let mut lines = Lines::start(Host::with().plugin("echo"), &["--dev-tenant", "acme"]);
    let answer = lines.call(1, "echo", json!({"message": "hi"}));
    assert_eq!(
        answer["result"]["structuredContent"]["message"], "hi",
        "{answer}"
    );
    drop(lines.stdin.take());
    let deadline = Instant::now() + Duration::from_secs(10);
    let status = loop {
        match lines.child.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(
                Instant::now() < deadline,
                "the host goes on without a client"
            ),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.code(), Some(0));
}

#[test]
fn stdio_without_a_caller_or_with_one_that_is_not_believed_does_not_start() {
    let issuer = Issuer::es256("https://issuer.test", "k1");
    let stranger = Issuer::es256("https://issuer.test", "k1").token("acme");
    let builder = || {
        Host::with()
            .plugin("echo")
            .config("[tenants.acme]")
            .issuer(&issuer)
    };
    let run = |token: Option<&str>, arguments: &[&str]| {
        let builder = token
            .into_iter()
            .fold(builder(), |builder, token| builder.file("token", token));
        let (directory, _) = builder.arguments(&["--stdio"]).write();
        let mut command = host::command(directory.path(), &["run", "--stdio", "--yes"]);
        host::end(command.args(arguments).stdin(Stdio::null()))
    };
    let nobody = run(None, &[]);
    assert_eq!(nobody.status, 2, "{nobody:?}");
    assert!(
        nobody.stderr.contains("--token") && nobody.stderr.contains("--dev-tenant"),
        "{nobody:?}"
    );
    for token in [
        stranger,
        issuer.mint(&json!({"tenantId": "acme", "exp": 1})),
        issuer.mint(&json!({"tenantId": "initech"})),
        "x".into(),
    ] {
        let refused = run(Some(&token), &["--token", "@token"]);
        assert_eq!(refused.status, 3, "{refused:?}");
        assert_eq!(refused.stdout, "", "stdout is the protocol's");
        assert!(!refused.stderr.contains(&token) || token == "x");
    }
    let both = run(
        Some(&issuer.token("acme")),
        &["--token", "@token", "--dev-tenant", "acme"],
    );
    assert_eq!(both.status, 2, "{both:?}");
}

/// The process is the session: a switch holds for it.
#[test]
fn an_owner_switches_over_stdio_and_a_caller_without_a_tenant_can_begin() {
    let issuer = Issuer::es256("https://issuer.test", "k1");
    let start = |claims: Value| {
        let builder = Host::with()
            .plugin("echo")
            .issuer(&issuer)
            .config("role_claim = \"/role\"\nmay_grant = [\"owner\", \"superadmin\"]")
            .config(
                "[tenants.acme]\n[tenants.globex]\nparent = \"acme\"\n[tenancy]\nswitch = \"free\"",
            )
            .file("token", issuer.mint(&claims));
        Lines::start(builder, &["--token", "@token"])
    };
    let echoed = |lines: &mut Lines, id: u32| {
        lines.call(id, "echo", json!({"text": "x"}))["result"]["_meta"].clone()
    };
    let switched = |lines: &mut Lines| {
        let params = json!({"name": "switch_tenant", "arguments": {"tenantId": "globex"}});
        lines.say(&json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params}));
        assert_eq!(lines.hear()["method"], "notifications/tools/list_changed");
        let answer = lines.hear();
        let active = &answer["result"]["structuredContent"]["active_tenant_id"];
        assert_eq!(active, "globex", "{answer}");
    };
    let mut owner = start(json!({"tenantId": "acme", "role": "owner"}));
    assert_eq!(echoed(&mut owner, 2)["toolhost/active_tenant"], "acme");
    switched(&mut owner);
    assert_eq!(echoed(&mut owner, 4)["toolhost/active_tenant"], "globex");

    let mut homeless = start(json!({"role": "superadmin"}));
    assert_eq!(
        echoed(&mut homeless, 2)["toolhost/error"]["code"],
        "tenant_required"
    );
    switched(&mut homeless);
    assert_eq!(echoed(&mut homeless, 4)["toolhost/active_tenant"], "globex");
}
