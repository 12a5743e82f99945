//! What each verb does with good input.

use super::*;

#[test]
fn a_yes_is_kept_for_exactly_what_was_granted() {
    let directory = directory();
    let call = |plugin: &str, yes: bool| {
        let words = [
            "call",
            "echo",
            "--args",
            "{\"message\": \"m\"}",
            "--plugin",
            plugin,
            "--dev-tenant",
            "acme",
        ];
        host::run(
            directory.path(),
            &[&words[..], if yes { &["--yes"] } else { &[] }].concat(),
        )
    };
    let plugin = host::write(directory.path(), "echo.wasm", guests::component("echo"))
        .display()
        .to_string();
    refused(
        &call(&plugin, false),
        REFUSED,
        &[
            "plugin echo",
            "no connection",
            "tools: echo, echo_raw",
            "--yes",
        ],
    );
    assert!(!directory.path().join("host.lock").exists());
    assert_eq!(call(&plugin, true).status, 0);
    let lock = fs::read_to_string(directory.path().join("host.lock")).unwrap();
    assert!(
        lock.contains("name = \"echo\"") && lock.contains("digest"),
        "{lock}"
    );
    assert_eq!(
        call(&plugin, false).status,
        0,
        "it is not asked about again"
    );
    // One byte more, in a section that changes nothing about what it does.
    let mut changed = guests::component("echo");
    changed.extend([0, 2, 1, b'x']);
    host::write(directory.path(), "echo.wasm", changed);
    refused(
        &call(&plugin, false),
        REFUSED,
        &["changed since it was granted", "digest"],
    );
    assert_eq!(call(&plugin, true).status, 0);
    assert_eq!(call(&plugin, false).status, 0);
    // A lock that does not read grants nothing.
    host::write(directory.path(), "host.lock", "version = 9\n");
    refused(&call(&plugin, false), USAGE, &["host.lock"]);
}

#[test]
fn call_prints_the_answer_in_three_forms_and_fails_by_class() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let upstream = runtime.block_on(Billing::start());
    let directory = directory();
    let config = format!(
        "[limits]\nwall_ms = 1000\n[connections.billing]\nbase = \"{}\"\nallow_http = true\nallow_loopback = true\nheaders = {{ x-account-id = \"{{external_tenant_id}}\" }}\n[tenants.acme]\n[credentials.acme.billing]\nfile = \"secret\"\nexternal_tenant_id = \"acct_acme\"\n",
        upstream.url()
    );
    host::write(directory.path(), "host.toml", config);
    host::write(
        directory.path(),
        "secret",
        toolhost_harness::billing::token("acme"),
    );
    let call = |tool: &str, more: &[&str]| {
        let words = [
            "call",
            tool,
            "--plugin",
            &billing(),
            "--dev-tenant",
            "acme",
            "--yes",
        ]
        .map(str::to_owned);
        let words: Vec<&str> = words
            .iter()
            .map(String::as_str)
            .chain(more.iter().copied())
            .collect();
        host::run(directory.path(), &words)
    };
    let json = call("list_invoices", &["--output", "json"]);
    assert_eq!(json.status, 0, "{json:?}");
    assert_eq!(
        json.json()["structuredContent"]["invoices"][0]["id"],
        "in_acme_1"
    );
    for form in ["text", "table"] {
        let ended = call("list_invoices", &["--output", form]);
        assert!(
            ended.status == 0 && ended.stdout.contains("in_acme_1"),
            "{form}: {ended:?}"
        );
    }
    refused(&call("no_such_tool", &[]), USAGE, &["no_such_tool"]);
    refused(
        &call("list_invoices", &["--args", "{\"limit\": 0}"]),
        USAGE,
        &["limit"],
    );
    refused(
        &call("list_invoices", &["--args", "[1]"]),
        USAGE,
        &["--args"],
    );
    refused(
        &call("list_invoices", &["--args", "@gone"]),
        USAGE,
        &["gone"],
    );
    refused(
        &call("get_invoice", &["--args", "{\"id\": \"in_1\"}"]),
        FAILED,
        &["in_1"],
    );
    let never = format!("{{\"limit\": {NEVER}}}");
    refused(&call("list_invoices", &["--args", &never]), FAILED, &[]);
    let failed = call(
        "list_invoices",
        &["--args", "{\"limit\": 0}", "--output", "json"],
    );
    let last: Value = serde_json::from_str(failed.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "invalid_arguments", "{failed:?}");
    let without = host::run(
        directory.path(),
        &["call", "list_invoices", "--plugin", &billing(), "--yes"],
    );
    refused(&without, USAGE, &["--token", "--dev-tenant"]);
}

#[test]
fn inspect_shows_what_a_plugin_is_and_asks_for() {
    let directory = directory();
    let report = host::run(
        directory.path(),
        &["inspect", &billing(), "--output", "json"],
    );
    assert_eq!(report.status, 0, "{report:?}");
    let report = report.json();
    assert_eq!(report["runs"], true);
    assert_eq!(report["size"], guests::component("billing").len());
    assert_eq!(report["digest"].as_str().unwrap().len(), 64);
    assert_eq!(
        report["asks"]["connections"]["billing"]["principal"],
        "user"
    );
    let tools: Vec<&str> = report["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(tools.len(), 3, "{tools:?}");
    assert!(
        report["imports"]
            .as_array()
            .unwrap()
            .iter()
            .any(|import| import.as_str().unwrap().contains("toolhost:plugin/http"))
    );
    for form in ["text", "table"] {
        let shown = host::run(directory.path(), &["inspect", &billing(), "--output", form]);
        assert!(
            shown.status == 0 && shown.stdout.contains("GET /v1/invoices"),
            "{shown:?}"
        );
    }
    host::write(
        directory.path(),
        "core.wasm",
        wat::parse_str("(module)").unwrap(),
    );
    let not = host::run(
        directory.path(),
        &["inspect", "core.wasm", "--output", "json"],
    );
    assert_eq!(not.status, PLUGIN, "{not:?}");
    assert_eq!(not.json()["runs"], false);
}

/// What Python with `--stub-wasi` needs, and more; `call` and `inspect` have one slot.
#[test]
fn inspect_and_call_run_a_component_of_many_parts_and_say_what_is_too_many() {
    let directory = directory();
    let write = |more| {
        host::write(
            directory.path(),
            "parts.wasm",
            guests::with_instances(&guests::component("echo"), more),
        )
    };
    write(55);
    let seen = host::run(directory.path(), &["inspect", "parts.wasm"]);
    assert!(
        seen.status == 0 && seen.stdout.contains("this host would run it"),
        "{seen:?}"
    );
    let words = [
        "call",
        "echo",
        "--args",
        "{\"message\": \"m\"}",
        "--plugin",
        "parts.wasm",
        "--dev-tenant",
        "acme",
        "--yes",
    ];
    let called = host::run(directory.path(), &words);
    assert!(
        called.status == 0 && called.stdout.contains('m'),
        "{called:?}"
    );
    write(80);
    for words in [&["inspect", "parts.wasm"][..], &words] {
        let refused = host::run(directory.path(), words);
        let said = format!("{}{}", refused.stdout, refused.stderr);
        assert!(
            refused.status != 0
                && said.contains("core instances, more than the 64 of [limits] instances"),
            "{said}"
        );
    }
}

#[test]
fn minted_tokens_open_the_host_and_are_shown_without_their_signature() {
    let directory = directory();
    let audience = "https://tools.test/mcp";
    let mint = |more: &[&str]| {
        host::run(
            directory.path(),
            &[
                &["token", "mint", "--keys", "keys", "--audience", audience],
                more,
            ]
            .concat(),
        )
    };
    let token = mint(&["--tenant", "acme"]);
    assert_eq!(token.status, 0, "{token:?}");
    let mode = fs::metadata(directory.path().join("keys/dev-key.pem"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    host::write(directory.path(), "token", &token.stdout);
    let config = format!(
        "[[issuers]]\nissuer = \"https://issuer.localhost\"\naudience = \"{audience}\"\njwks_file = \"keys/jwks.json\"\ntenant_claim = \"/tenantId\"\n[tenants.acme]\n"
    );
    host::write(directory.path(), "host.toml", config);
    let call = |token: &str| {
        let words = [
            "call",
            "echo",
            "--args",
            "{\"message\": \"m\"}",
            "--plugin",
            &echo(),
            "--yes",
            "--token",
            token,
        ];
        host::run(directory.path(), &words)
    };
    assert_eq!(call("@token").status, 0);
    let look = host::run(
        directory.path(),
        &["token", "inspect", "@token", "--output", "json"],
    );
    assert_eq!(look.status, 0, "{look:?}");
    assert_eq!(look.json()["claims"]["tenantId"], "acme");
    assert!(
        !look
            .stdout
            .contains(token.stdout.trim().rsplit('.').next().unwrap())
    );
    // Of no tenant, of an unknown one, of another audience, none.
    for (more, says) in [(&[][..], "no tenant"), (&["--tenant", "initech"], "tenant")] {
        host::write(directory.path(), "other", mint(more).stdout);
        refused(&call("@other"), AUTH, &[says]);
    }
    let elsewhere = [
        "token",
        "mint",
        "--keys",
        "keys",
        "--audience",
        "https://elsewhere.test",
        "--tenant",
        "acme",
    ];
    host::write(
        directory.path(),
        "other",
        host::run(directory.path(), &elsewhere).stdout,
    );
    refused(&call("@other"), AUTH, &["audience"]);
    refused(&call("@gone"), AUTH, &["gone"]);
    refused(&call("env:NOT_SET"), AUTH, &["NOT_SET"]);
    refused(&mint(&["--ttl", "999999"]), USAGE, &["--ttl"]);
}

#[test]
fn completions_help_and_the_version_go_to_stdout() {
    let directory = directory();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = host::run(directory.path(), &["completions", shell]);
        assert!(
            ended.status == 0 && ended.stdout.contains("dev-tenant"),
            "{shell}"
        );
    }
    let mut bash = host::command(directory.path(), &["completions", "bash"]);
    let script = host::write(directory.path(), "host.bash", host::end(&mut bash).stdout);
    let parsed = std::process::Command::new("bash")
        .arg("-n")
        .arg(script)
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(parsed.success(), "bash does not read its completions");
    for words in [
        &["--help"][..],
        &["run", "--help"],
        &["call", "--help"],
        &["token", "mint", "--help"],
    ] {
        let ended = host::run(directory.path(), words);
        assert!(
            ended.status == 0 && ended.stdout.contains("host"),
            "{words:?}"
        );
    }
    assert!(
        host::run(directory.path(), &["--version"])
            .stdout
            .starts_with("host ")
    );
    let unknown = host::run(directory.path(), &["inspct"]);
    assert!(
        unknown.status == USAGE && unknown.stderr.contains("inspect"),
        "{unknown:?}"
    );
}

#[test]
fn doctor_says_what_would_fail_before_it_does() {
    let directory = directory();
    let config = "[connections.billing]\nbase = \"https://billing.test\"\n[tenants.acme]\n[credentials.acme.billing]\nfile = \"gone\"\n";
    host::write(directory.path(), "host.toml", config);
    let ended = host::run(directory.path(), &["doctor", "--output", "json"]);
    assert_eq!(ended.status, USAGE, "{ended:?}");
    let report = ended.json();
    let failed = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["verdict"] == "failed");
    assert!(failed.count() >= 1, "{report}");
    // Keys that cannot be reached are worth saying, and no reason not to start.
    let port = host::free_port();
    let config = format!(
        "[[issuers]]\nissuer = \"https://idp.test\"\naudience = \"a\"\njwks_url = \"http://127.0.0.1:{port}/jwks\"\ntenant_claim = \"/t\"\nallow_http = true\nallow_loopback = true\n[tenants.acme]\n"
    );
    host::write(directory.path(), "host.toml", &config);
    let ended = host::run(directory.path(), &["doctor", "--output", "json"]);
    assert!(ended.stdout.contains("idp.test"), "{ended:?}");
    // B26: a client that is told of no scope asks for none, and some authorization servers refuse
    // that.
    let of_login = |config: &str| {
        host::write(directory.path(), "host.toml", config);
        let report = host::run(directory.path(), &["doctor", "--output", "json"]).json();
        let checks = report["checks"].as_array().unwrap().iter();
        checks.filter(|check| check["what"] == "login").count()
    };
    assert_eq!(of_login(&config), 1);
    let with_scopes = config.replace("audience", "scopes = [\"tools:call\"]\naudience");
    assert_eq!(of_login(&with_scopes), 0);
}
