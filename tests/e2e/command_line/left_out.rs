//! A plugin that cannot be served, or not yet, takes nobody down with it, and everybody who asks is
//! told.

use std::time::{Duration, Instant};

use toolhost_harness::host::Host;

use super::*;

/// The echo guest under another name, with a second module that takes the compiler long: some
/// millions of additions.
fn slow() -> Vec<u8> {
    let mut bytes = guests::echo_named("slow");
    let leb = |mut value: usize| {
        let mut bytes = Vec::new();
        while value > 0x7f {
            bytes.push(0x80 | (value & 0x7f) as u8);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    };
    let section = |id: u8, body: Vec<u8>| [vec![id], leb(body.len()), body].concat();
    // () -> i32: 0, then + 1 again and again.
    let mut code = vec![0, 0x41, 0];
    code.extend([0x41, 1, 0x6a].repeat(2_300_000));
    code.push(0x0b);
    let code = [vec![1], leb(code.len()), code].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, vec![1, 0x60, 0, 1, 0x7f]),
        section(3, vec![1, 0]),
        section(10, code),
    ]
    .concat();
    bytes.extend(section(1, module));
    bytes
}

async fn get(url: String) -> (u16, String) {
    let response = reqwest::get(url).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// The compiler's process of a host.
fn compiler(host: &Host) -> Option<i32> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", host.pid())).ok()?;
    let children = tasks.flatten().flat_map(|task| {
        let text = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        text.split_whitespace()
            .filter_map(|id| id.parse().ok())
            .collect::<Vec<i32>>()
    });
    children.into_iter().find(|id| {
        let line = std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.contains("compile-worker")
    })
}

#[tokio::test]
async fn others_are_served_while_one_compiles_and_when_its_compiler_is_killed() {
    let cache = tempfile::tempdir().unwrap();
    let (directory, command) = Host::with()
        .file("slow.wasm", slow())
        .config("[plugins.slow]\nfile = \"slow.wasm\"\n[plugins.liar]\nfile = \"gone.wasm\"\n[data]\ndir = \"data\"")
        .plugin("echo")
        .arguments(&["--dev-tenant", "acme", "--metrics-listen", "127.0.0.1:0"])
        .env("TOOLHOST_CACHE_DIR", cache.path().join("cache").to_str().unwrap())
        .write();
    let host = Host::launch(directory, command);
    let client = reqwest::Client::new();
    let call = || async {
        let url = host.at("/api/v1/tools/echo/call");
        let request = client.post(url).header("content-type", "application/json");
        request
            .body("{\"arguments\": {\"message\": \"m\"}}")
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(call().await, 200, "{}", host.log());
    let (status, ready) = get(host.at("/ready")).await;
    assert!(
        status == 200 && ready.contains("plugin slow is not served: loading"),
        "{ready}"
    );
    assert!(ready.contains("plugin liar is not served: file"), "{ready}");
    let (_, tools) = get(host.at("/api/v1/tools")).await;
    assert!(
        tools.contains("\"echo\"") && !tools.contains("slow"),
        "{tools}"
    );
    let listed = host.verb(&["plugin", "list"]).stdout;
    assert!(
        listed.contains("slow: ") && listed.contains("it is still being loaded"),
        "{listed}"
    );
    assert!(
        listed.contains("liar: ") && listed.contains("gone.wasm"),
        "{listed}"
    );

    let id = compiler(&host).expect("a compiler");
    let id = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let (status, ready) = get(host.at("/ready")).await;
        assert_eq!(status, 200, "{ready}");
        if ready.contains("plugin slow is not served: compile") {
            break;
        }
        assert!(Instant::now() < until, "{ready}{}", host.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(call().await, 200, "{}", host.log());
    let log = host.log();
    assert!(
        log.contains("a plugin is left out") && log.contains("does not compile"),
        "{log}"
    );
    let (_, metrics) = get(format!("http://{}/metrics", host.metrics().unwrap())).await;
    for line in [
        "toolhost_plugins{state=\"served\"} 1",
        "toolhost_plugins{state=\"left_out\"} 2",
        "toolhost_plugins_left_out{reason=\"compile\"} 1",
        "toolhost_plugins_left_out{reason=\"file\"} 1",
        "# HELP toolhost_plugins ",
        "# TYPE toolhost_call_seconds histogram",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    // Beside a host that runs, a call is one of that host's own.
    let called = host.verb(&[
        "call",
        "echo",
        "--dev-tenant",
        "acme",
        "--args",
        "{\"message\": \"beside\"}",
    ]);
    assert!(
        called.status == 0 && called.stdout.contains("beside"),
        "{called:?}"
    );
    let refused = host.verb(&["call", "nothing", "--dev-tenant", "acme"]);
    assert_eq!(refused.status, USAGE, "{refused:?}");
    let other = host.verb(&[
        "call",
        "echo",
        "--dev-tenant",
        "globex",
        "--args",
        "{\"message\": \"m\"}",
    ]);
    assert_eq!(other.status, AUTH, "{other:?}");
}

/// A stranger is told of once, in the log and in the record, however often it comes.
#[tokio::test]
async fn refused_tokens_are_said_once_counted_all_and_recorded() {
    let issuer = toolhost_harness::Issuer::es256("https://idp.test", "k1");
    let host = Host::with()
        .data()
        .config("[tenants.acme]")
        .plugin("echo")
        .issuer(&issuer)
        .arguments(&["--metrics-listen", "127.0.0.1:0"])
        .start();
    let client = reqwest::Client::new();
    for _ in 0..50 {
        let request = client.get(host.at("/api/v1/tools")).bearer_auth("bogus");
        assert_eq!(request.send().await.unwrap().status().as_u16(), 401);
    }
    let (_, metrics) = get(format!("http://{}/metrics", host.metrics().unwrap())).await;
    assert!(
        metrics.contains("toolhost_refusals_total{reason=\"invalid_token\"} 50"),
        "{metrics}"
    );
    let get_tools = |query: &str| client.get(host.at(&format!("/api/v1/tools{query}")));
    let tools = || get_tools("");
    for (reason, refused) in [
        ("not_bearer", tools().basic_auth("a", Some("b"))),
        ("token_in_query", get_tools("?access_token=bogus")),
        ("foreign_host", tools().header("host", "rebound.test")),
        (
            "foreign_origin",
            tools().header("origin", "https://evil.test"),
        ),
        ("invalid_request", tools().header("authorization", "Bearer")),
    ] {
        let status = refused.send().await.unwrap().status();
        assert!(status.is_client_error(), "{reason}: {status}");
        let (_, metrics) = get(format!("http://{}/metrics", host.metrics().unwrap())).await;
        let line = format!("toolhost_refusals_total{{reason=\"{reason}\"}} 1");
        assert!(metrics.contains(&line), "{reason}: {metrics}");
    }
    let log = host.log();
    assert_eq!(log.matches("a request was refused").count(), 6, "{log}");
    assert!(log.contains("127.0.0.1") && !log.contains("bogus"), "{log}");
    let recorded = host.verb(&["audit", "export"]).stdout;
    let lines: Vec<&str> = recorded
        .lines()
        .filter(|line| line.contains("requests_refused"))
        .collect();
    assert_eq!(lines.len(), 6, "{recorded}");
    assert!(
        lines[0].contains("\"source\":\"127.0.0.1\"") && lines[0].contains("invalid_token"),
        "{lines:?}"
    );
}

/// What results, files and arguments hold reaches a terminal as escapes, in every form of output.
#[test]
fn nothing_that_steers_a_terminal_is_printed() {
    let directory = directory();
    let steering = "a\u{1b}[2Jb\u{9b}c\u{202e}d\u{2028}e\u{7}f\u{85}g\u{2066}h\u{feff}";
    let is_clean = |text: &str| {
        let bad =
            |c: char| (c.is_control() && c != '\n' && c != '\t') || toolhost_policy::is_hidden(c);
        !text.chars().any(bad)
    };
    let arguments = serde_json::json!({ "message": steering }).to_string();
    for format in ["text", "json", "table"] {
        let words = [
            "call",
            "echo",
            "--plugin",
            &echo(),
            "--dev-tenant",
            "acme",
            "--yes",
            "--args",
            &arguments,
            "--output",
            format,
        ];
        let called = host::run(directory.path(), &words);
        assert_eq!(called.status, 0, "{called:?}");
        assert!(called.stdout.contains("[2J"), "{called:?}");
        assert!(
            is_clean(&called.stdout) && is_clean(&called.stderr),
            "{called:?}"
        );
        if format == "json" {
            assert!(called.json().to_string().contains("[2J"));
            assert!(
                called.stdout.contains("\\u202e") && called.stdout.contains("\\u009b"),
                "{called:?}"
            );
        }
    }
    // A configuration, a lock, a manifest, a document, an argument.
    let quoted = serde_json::json!(steering)
        .to_string()
        .replace("\\u001b", "\u{1b}");
    host::write(
        directory.path(),
        "a.toml",
        format!("[server]\n{quoted} = 1\n"),
    );
    host::write(
        directory.path(),
        "b.toml",
        format!("[connections.x]\nbase = \"https://x.example.com\"\n[tenants.\"{steering}\"]\n"),
    );
    host::write(
        directory.path(),
        "c.lock",
        format!("version = 1\n[[plugin]]\n\"{steering}\" = 1\n"),
    );
    host::write(
        directory.path(),
        "d.toml",
        format!("[plugin]\nname = \"{steering}\"\n"),
    );
    host::write(
        directory.path(),
        "e.json",
        format!(
            "{{\"openapi\": \"3.1.0\", \"info\": {{\"title\": \"{steering}\", \"version\": \"1\"}}, \"paths\": 1}}"
        ),
    );
    let openapi = format!("openapi={}", guests::path("openapi").display());
    let (echo, plain) = (echo(), directory.path().join("plain.wasm"));
    fs::copy(&echo, &plain).unwrap();
    let verbs: Vec<Vec<&str>> = vec![
        vec!["run", "--config", "a.toml"],
        vec!["doctor", "--config", "b.toml"],
        vec![
            "run",
            "--listen",
            "127.0.0.1:0",
            "--plugin",
            &echo,
            "--dev-tenant",
            "acme",
            "--lock",
            "c.lock",
        ],
        vec!["build", plain.to_str().unwrap(), "--manifest", "d.toml"],
        vec!["inspect", "e.json", "--adapter", &openapi],
        vec!["run", "--plugin", steering, "--dev-tenant", "acme"],
        vec!["run", steering],
        vec![
            "call",
            steering,
            "--plugin",
            &echo,
            "--dev-tenant",
            "acme",
            "--yes",
        ],
        vec!["run", "--dev-tenant", steering, "--plugin", &echo],
        vec!["explain", steering, "GET", "/", "--as", "env:X"],
        vec!["credential", "set", steering],
        vec!["tenant", "show", steering, "--data-dir", "data"],
    ];
    for words in verbs {
        for format in ["text", "json"] {
            let ended = host::run(
                directory.path(),
                &[&words[..], &["--output", format]].concat(),
            );
            assert_ne!(ended.status, 0, "{words:?}: {ended:?}");
            assert!(
                is_clean(&ended.stdout) && is_clean(&ended.stderr),
                "{words:?}: {ended:?}"
            );
        }
    }
}

/// Metrics leave this machine only to whoever has the token.
#[tokio::test]
async fn metrics_beyond_loopback_need_a_token() {
    let directory = directory();
    let open = host::run(
        directory.path(),
        &[
            "run",
            "--plugin",
            &echo(),
            "--dev-tenant",
            "acme",
            "--listen",
            "127.0.0.1:0",
            "--metrics-listen",
            "0.0.0.0:0",
        ],
    );
    assert_eq!(open.status, USAGE, "{open:?}");
    let issuer = toolhost_harness::Issuer::es256("https://idp.test", "k1");
    let host = Host::with()
        .file("scrape", "scrape-0123456789")
        .server("metrics_listen = \"0.0.0.0:0\"\nmetrics_token_file = \"scrape\"")
        .config("[tenants.acme]")
        .plugin("echo")
        .issuer(&issuer)
        .start();
    let url = format!(
        "http://127.0.0.1:{}/metrics",
        host.metrics().unwrap().port()
    );
    let client = reqwest::Client::new();
    assert_eq!(
        client.get(&url).send().await.unwrap().status().as_u16(),
        401
    );
    let scraped = client
        .get(&url)
        .bearer_auth("scrape-0123456789")
        .send()
        .await
        .unwrap();
    assert_eq!(scraped.status().as_u16(), 200);
    assert!(!host.log().contains("scrape-0123456789"));
}
