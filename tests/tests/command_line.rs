//! The built program with bad input and good: one clear sentence, and the exit status of its class.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use toolhost_tests::billing::NEVER;
use toolhost_tests::host::{self, Ended};
use toolhost_tests::{Billing, guests};

const USAGE: i32 = 2;
const AUTH: i32 = 3;
const REFUSED: i32 = 4;
const FAILED: i32 = 5;
const PLUGIN: i32 = 6;

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn billing() -> String {
    guests::path("billing").display().to_string()
}

fn echo() -> String {
    guests::path("echo").display().to_string()
}

/// Says what is wrong on stderr, with a status, and nothing on stdout.
fn refused(ended: &Ended, status: i32, says: &[&str]) {
    assert_eq!(ended.status, status, "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    assert!(ended.stderr.lines().any(|line| line.starts_with("host: ")), "{ended:?}");
    for words in says {
        assert!(ended.stderr.contains(words), "{words:?}: {ended:?}");
    }
    assert!(!ended.stderr.contains("panicked") && !ended.stderr.contains("RUST_BACKTRACE"), "{ended:?}");
}

#[test]
fn a_plugin_alone_is_told_every_missing_piece_with_its_flag() {
    let directory = directory();
    let ended = host::run(directory.path(), &["run", "--plugin", &billing()]);
    let says = [
        "3 things are missing", "--connection billing=URL", "--credential billing=", "[credentials.TENANT.billing]",
        "--dev-tenant NAME", "[[issuers]]",
    ];
    refused(&ended, USAGE, &says);
    // One piece less at each step, until what is left is the grant.
    let plugin = billing();
    let base = ["run", "--plugin", &plugin, "--dev-tenant", "acme"];
    refused(&host::run(directory.path(), &base), USAGE, &["2 things are missing"]);
    let with = [&base[..], &["--connection", "billing=http://127.0.0.1:9"]].concat();
    refused(&host::run(directory.path(), &with), USAGE, &["one thing is missing", "tenant acme's credential"]);
    host::write(directory.path(), "secret", "tok_live_0123456789");
    let with = [&with[..], &["--credential", "billing=@secret"]].concat();
    refused(&host::run(directory.path(), &with), REFUSED, &["--yes", "plugin billing", "GET /v1/invoices"]);
}

#[test]
fn files_that_are_no_plugin_are_told_apart() {
    let directory = directory();
    let component = wat::parse_str("(component (import \"acme:disk/files@1.0.0\" (instance)))").unwrap();
    let nested = {
        let mut text = String::from("(component (type $t0 (tuple u8 u8))");
        for level in 1..2_000 {
            text.push_str(&format!("(type $t{level} (tuple $t{} $t{}))", level - 1, level - 1));
        }
        wat::parse_str(text + ")").unwrap()
    };
    let mut truncated = guests::component("echo");
    truncated.truncate(50_000);
    let files: [(&str, Vec<u8>, &[&str]); 9] = [
        ("text", b"hello, world".to_vec(), &["not WebAssembly"]),
        ("nothing", Vec::new(), &["not WebAssembly"]),
        ("core", wat::parse_str("(module)").unwrap(), &["core module", "without component types"]),
        ("imports", component, &["imports what this host does not offer", "acme:disk/files"]),
        ("large", vec![0; 33 << 20], &["component_bytes", "33554432"]),
        ("elf", b"\x7fELF\x02\x01\x01\0rest".to_vec(), &["precompiled"]),
        ("truncated", truncated, &["does not parse"]),
        ("nested", nested, &[]),
        ("empty", b"\0asm\x0d\0\x01\0".to_vec(), &["does not export"]),
    ];
    for (name, bytes, says) in files {
        let file = format!("{name}.wasm");
        host::write(directory.path(), &file, &bytes);
        let ended = host::run(directory.path(), &["run", "--plugin", &file, "--dev-tenant", "acme", "--yes"]);
        refused(&ended, PLUGIN, &[&[file.as_str()], says].concat());
        let sentence = ended.stderr.lines().last().unwrap();
        assert!(sentence.len() < 1_000, "{name}: {sentence}");
    }
    let gone = host::run(directory.path(), &["run", "--plugin", "gone.wasm", "--dev-tenant", "acme"]);
    refused(&gone, USAGE, &["gone.wasm", "No such file"]);
}

/// What lies about itself is found when it is asked for its tools, before anything is served.
#[test]
fn plugins_that_describe_themselves_badly_are_not_served() {
    let directory = directory();
    let liars = [
        "liar-trap", "liar-failing", "liar-duplicate", "liar-name", "liar-schema", "liar-schema-huge",
        "liar-schema-not-an-object", "liar-many", "liar-spinning",
    ];
    for name in liars {
        let file = guests::path(name).display().to_string();
        let ended = host::run(directory.path(), &["run", "--plugin", &file, "--dev-tenant", "acme", "--yes"]);
        refused(&ended, PLUGIN, &[]);
    }
}

#[test]
fn mistakes_in_the_configuration_are_told_by_line_and_key() {
    let directory = directory();
    let connection = "[connections.billing]\nbase = \"https://billing.example.com\"\n";
    let issuer = "[[issuers]]\nissuer = \"https://idp.example.com\"\naudience = \"a\"\n";
    let files: [(String, &[&str]); 14] = [
        ("[server]\nlisten = \"127.0.0.1:1\"\nlisen = 1\n".into(), &["line 3", "server.lisen", "did you mean listen?"]),
        ("[server\n".into(), &["line 1"]),
        ("[serber]\n".into(), &["line 1", "serber", "did you mean server?"]),
        ("[server]\nslots = \"many\"\n".into(), &["line 2", "slots"]),
        ("[server]\nlisten = \"everywhere\"\n".into(), &["line 2", "server.listen"]),
        ("\n[limits]\nwall_ms = 0\n".into(), &["line", "limits.wall_ms"]),
        ("[limits]\nwall_sm = 1\n".into(), &["line 2", "limits.wall_sm", "did you mean wall_ms?"]),
        (format!("{connection}auth = {{ type = \"beerer\" }}\n"), &["line 3", "connections.billing.auth", "bearer"]),
        (format!("{connection}headers = {{ Authorization = \"x\" }}\n"), &["billing"]),
        ("[connections.billing]\nbase = \"http://billing.example.com\"\n".into(), &["line 2", "allow_http"]),
        ("[connections.billing]\nbase = \"https://127.0.0.1\"\n".into(), &["line 2", "allow_loopback"]),
        (format!("{issuer}tenant_claim = \"/t\"\n"), &["line 2", "jwks_url", "discovery"]),
        (format!("{issuer}tenant_claim = \"t\"\njwks_file = \"k\"\n"), &["line 4", "tenant_claim"]),
        ("[tenants.Acme]\n".into(), &["line 1", "tenants.Acme"]),
    ];
    for (text, says) in files {
        host::write(directory.path(), "host.toml", &text);
        let ended = host::run(directory.path(), &["run", "--plugin", &echo(), "--dev-tenant", "acme", "--yes"]);
        refused(&ended, USAGE, &[&["host.toml"], says].concat());
        assert_eq!(ended.stderr.lines().count(), 1, "one sentence: {ended:?}");
    }
    let missing = host::run(directory.path(), &["run", "--config", "other.toml"]);
    refused(&missing, USAGE, &["other.toml"]);
}

#[test]
fn a_credential_that_cannot_be_read_is_named_and_its_content_is_not() {
    let directory = directory();
    let plugin = billing();
    let base =
        ["--plugin", &plugin, "--dev-tenant", "acme", "--connection", "billing=http://127.0.0.1:9", "--yes"];
    let call = |credential: &str| {
        host::run(directory.path(), &[&["call", "list_invoices", "--credential", credential], &base[..]].concat())
    };
    refused(&call("billing=@gone"), REFUSED, &["billing"]);
    refused(&call("billing=env:NOT_SET"), REFUSED, &["billing"]);
    refused(&call("billing=tok_live_0123456789"), USAGE, &["@FILE or env:VAR"]);
    let path = host::write(directory.path(), "open", "tok_live_0123456789");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let open = call("billing=@open");
    refused(&open, REFUSED, &["billing"]);
    assert!(!open.stderr.contains("tok_live"), "{open:?}");
}

#[test]
fn a_busy_port_is_told_before_anything_slow() {
    let directory = directory();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let base = ["run", "--plugin", &echo(), "--dev-tenant", "acme", "--yes"].map(str::to_owned);
    for (flag, also) in [("--listen", None), ("--metrics-listen", Some("127.0.0.1:0"))] {
        let mut words: Vec<&str> = base.iter().map(String::as_str).collect();
        words.extend([flag, &address]);
        if let Some(listen) = also {
            words.extend(["--listen", listen]);
        }
        refused(&host::run(directory.path(), &words), USAGE, &[&address, "in use", flag]);
    }
}

#[test]
fn a_cache_directory_that_is_not_the_hosts_own_is_refused() {
    let directory = directory();
    let run = |cache: &Path| {
        let cache = cache.display().to_string();
        let words = ["call", "echo", "--args", "{\"message\": \"m\"}", "--plugin", &echo(), "--dev-tenant", "acme", "--yes"];
        host::run(directory.path(), &[&words[..], &["--cache-dir", &cache]].concat())
    };
    let open = directory.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    refused(&run(&open), USAGE, &["open"]);
    let real = directory.path().join("real");
    fs::create_dir(&real).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::symlink(&real, directory.path().join("link")).unwrap();
    let file = host::write(directory.path(), "file", "");
    refused(&run(&file), USAGE, &["file"]);
    refused(&run(&file.join("below")), USAGE, &["below"]);
    // Nothing can be written below /proc, whoever asks.
    refused(&run(Path::new("/proc/toolhost")), USAGE, &["/proc/toolhost"]);
    let good = run(&directory.path().join("new/cache"));
    assert_eq!(good.status, 0, "{good:?}");
    let mode = fs::metadata(directory.path().join("new/cache")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_yes_is_kept_for_exactly_what_was_granted() {
    let directory = directory();
    let call = |plugin: &str, yes: bool| {
        let words = ["call", "echo", "--args", "{\"message\": \"m\"}", "--plugin", plugin, "--dev-tenant", "acme"];
        host::run(directory.path(), &[&words[..], if yes { &["--yes"] } else { &[] }].concat())
    };
    let plugin = host::write(directory.path(), "echo.wasm", guests::component("echo")).display().to_string();
    refused(&call(&plugin, false), REFUSED, &["plugin echo", "no connection", "tools: echo, echo_raw", "--yes"]);
    assert!(!directory.path().join("host.lock").exists());
    assert_eq!(call(&plugin, true).status, 0);
    let lock = fs::read_to_string(directory.path().join("host.lock")).unwrap();
    assert!(lock.contains("name = \"echo\"") && lock.contains("digest"), "{lock}");
    assert_eq!(call(&plugin, false).status, 0, "it is not asked about again");
    // One byte more, in a section that changes nothing about what it does.
    let mut changed = guests::component("echo");
    changed.extend([0, 2, 1, b'x']);
    host::write(directory.path(), "echo.wasm", changed);
    refused(&call(&plugin, false), REFUSED, &["changed since it was granted", "digest"]);
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
    host::write(directory.path(), "secret", toolhost_tests::billing::token("acme"));
    let call = |tool: &str, more: &[&str]| {
        let words = ["call", tool, "--plugin", &billing(), "--dev-tenant", "acme", "--yes"].map(str::to_owned);
        let words: Vec<&str> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
        host::run(directory.path(), &words)
    };
    let json = call("list_invoices", &["--output", "json"]);
    assert_eq!(json.status, 0, "{json:?}");
    assert_eq!(json.json()["structuredContent"]["invoices"][0]["id"], "in_acme_1");
    for form in ["text", "table"] {
        let ended = call("list_invoices", &["--output", form]);
        assert!(ended.status == 0 && ended.stdout.contains("in_acme_1"), "{form}: {ended:?}");
    }
    refused(&call("no_such_tool", &[]), USAGE, &["no_such_tool"]);
    refused(&call("list_invoices", &["--args", "{\"limit\": 0}"]), USAGE, &["limit"]);
    refused(&call("list_invoices", &["--args", "[1]"]), USAGE, &["--args"]);
    refused(&call("list_invoices", &["--args", "@gone"]), USAGE, &["gone"]);
    refused(&call("get_invoice", &["--args", "{\"id\": \"in_1\"}"]), FAILED, &["in_1"]);
    let never = format!("{{\"limit\": {NEVER}}}");
    refused(&call("list_invoices", &["--args", &never]), FAILED, &[]);
    let failed = call("list_invoices", &["--args", "{\"limit\": 0}", "--output", "json"]);
    let last: Value = serde_json::from_str(failed.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "invalid_arguments", "{failed:?}");
    let without = host::run(directory.path(), &["call", "list_invoices", "--plugin", &billing(), "--yes"]);
    refused(&without, USAGE, &["--token", "--dev-tenant"]);
}

#[test]
fn inspect_shows_what_a_plugin_is_and_asks_for() {
    let directory = directory();
    let report = host::run(directory.path(), &["inspect", &billing(), "--output", "json"]);
    assert_eq!(report.status, 0, "{report:?}");
    let report = report.json();
    assert_eq!(report["runs"], true);
    assert_eq!(report["size"], guests::component("billing").len());
    assert_eq!(report["digest"].as_str().unwrap().len(), 64);
    assert_eq!(report["asks"]["connections"]["billing"]["principal"], "user");
    let tools: Vec<&str> = report["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(tools.len(), 3, "{tools:?}");
    assert!(report["imports"].as_array().unwrap().iter().any(|import| import.as_str().unwrap().contains("toolhost:plugin/http")));
    for form in ["text", "table"] {
        let shown = host::run(directory.path(), &["inspect", &billing(), "--output", form]);
        assert!(shown.status == 0 && shown.stdout.contains("GET /v1/invoices"), "{shown:?}");
    }
    host::write(directory.path(), "core.wasm", wat::parse_str("(module)").unwrap());
    let not = host::run(directory.path(), &["inspect", "core.wasm", "--output", "json"]);
    assert_eq!(not.status, PLUGIN, "{not:?}");
    assert_eq!(not.json()["runs"], false);
}

#[test]
fn minted_tokens_open_the_host_and_are_shown_without_their_signature() {
    let directory = directory();
    let audience = "https://tools.test/mcp";
    let mint = |more: &[&str]| {
        host::run(directory.path(), &[&["token", "mint", "--keys", "keys", "--audience", audience], more].concat())
    };
    let token = mint(&["--tenant", "acme"]);
    assert_eq!(token.status, 0, "{token:?}");
    let mode = fs::metadata(directory.path().join("keys/dev-key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    host::write(directory.path(), "token", &token.stdout);
    let config = format!(
        "[[issuers]]\nissuer = \"https://issuer.localhost\"\naudience = \"{audience}\"\njwks_file = \"keys/jwks.json\"\ntenant_claim = \"/tenantId\"\n[tenants.acme]\n"
    );
    host::write(directory.path(), "host.toml", config);
    let call = |token: &str| {
        let words = ["call", "echo", "--args", "{\"message\": \"m\"}", "--plugin", &echo(), "--yes", "--token", token];
        host::run(directory.path(), &words)
    };
    assert_eq!(call("@token").status, 0);
    let look = host::run(directory.path(), &["token", "inspect", "@token", "--output", "json"]);
    assert_eq!(look.status, 0, "{look:?}");
    assert_eq!(look.json()["claims"]["tenantId"], "acme");
    assert!(!look.stdout.contains(token.stdout.trim().rsplit('.').next().unwrap()));
    // Of no tenant, of an unknown one, of another audience, none.
    for (more, says) in [(&[][..], "no tenant"), (&["--tenant", "initech"], "tenant")] {
        host::write(directory.path(), "other", mint(more).stdout);
        refused(&call("@other"), AUTH, &[says]);
    }
    let elsewhere = ["token", "mint", "--keys", "keys", "--audience", "https://elsewhere.test", "--tenant", "acme"];
    host::write(directory.path(), "other", host::run(directory.path(), &elsewhere).stdout);
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
        assert!(ended.status == 0 && ended.stdout.contains("dev-tenant"), "{shell}");
    }
    let mut bash = host::command(directory.path(), &["completions", "bash"]);
    let script = host::write(directory.path(), "host.bash", host::end(&mut bash).stdout);
    let parsed = std::process::Command::new("bash").arg("-n").arg(script).stdin(Stdio::null()).status().unwrap();
    assert!(parsed.success(), "bash does not read its completions");
    for words in [&["--help"][..], &["run", "--help"], &["call", "--help"], &["token", "mint", "--help"]] {
        let ended = host::run(directory.path(), words);
        assert!(ended.status == 0 && ended.stdout.contains("host"), "{words:?}");
    }
    assert!(host::run(directory.path(), &["--version"]).stdout.starts_with("host "));
    let unknown = host::run(directory.path(), &["rnu"]);
    assert!(unknown.status == USAGE && unknown.stderr.contains("run"), "{unknown:?}");
}

#[test]
fn doctor_says_what_would_fail_before_it_does() {
    let directory = directory();
    let config = "[connections.billing]\nbase = \"https://billing.test\"\n[tenants.acme]\n[credentials.acme.billing]\nfile = \"gone\"\n";
    host::write(directory.path(), "host.toml", config);
    let ended = host::run(directory.path(), &["doctor", "--output", "json"]);
    assert_eq!(ended.status, USAGE, "{ended:?}");
    let report = ended.json();
    let failed = report["checks"].as_array().unwrap().iter().filter(|check| check["verdict"] == "failed");
    assert!(failed.count() >= 1, "{report}");
    // Keys that cannot be reached are worth saying, and no reason not to start.
    let port = host::free_port();
    let config = format!(
        "[[issuers]]\nissuer = \"https://idp.test\"\naudience = \"a\"\njwks_url = \"http://127.0.0.1:{port}/jwks\"\ntenant_claim = \"/t\"\nallow_http = true\nallow_loopback = true\n[tenants.acme]\n"
    );
    host::write(directory.path(), "host.toml", config);
    let ended = host::run(directory.path(), &["doctor", "--output", "json"]);
    assert!(ended.stdout.contains("idp.test"), "{ended:?}");
}
