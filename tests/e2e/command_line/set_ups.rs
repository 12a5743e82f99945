//! Forty set-ups, good and bad: what a start of the host would do with each plugin, said alike by
//! every verb that says it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::*;

/// What is to become of one plugin, or of one connection with an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Served,
    /// Nobody has said yes to it (again).
    Waits,
    LeftOut,
}

use Verdict::{LeftOut, Served, Waits};

/// What is to become of a set-up.
enum Expected {
    /// The host starts; the plugin of this name beside the good one is this, for a reason with
    /// these words.
    Plugin(&'static str, Verdict, &'static str),
    /// It does not, for a reason with these words.
    Refused(&'static str),
}

use Expected::{Plugin, Refused};

struct SetUp {
    toml: String,
    files: Vec<(&'static str, Vec<u8>)>,
    expected: Expected,
}

const BASE: &str = r#"
[[issuers]]
issuer = "https://issuer.localhost"
audience = "http://127.0.0.1:8080/mcp"
jwks_file = "keys/jwks.json"
tenant_claim = "/tenantId"
[connections.any]
base = "https://127.0.0.1:9"
allow_loopback = true
auth = { type = "none" }
"#;

/// Nobody writes to it, so that whoever opens it waits.
const PIPE: &str = "a.pipe";

const BILLING: &str =
    "[connections.billing]\nbase = \"https://127.0.0.1:9\"\nallow_loopback = true\n";

fn plugin(name: &str, path: &str) -> String {
    format!("[plugins.{name}]\nfile = {path:?}\n")
}

/// Beside the good plugin stands `more`.
fn set_up(more: &str, files: &[(&'static str, Vec<u8>)], expected: Expected) -> SetUp {
    let toml = format!(
        "{BASE}{}[tenants.acme]\n{more}",
        plugin("echo", "echo.wasm")
    );
    SetUp {
        toml,
        files: files.to_vec(),
        expected,
    }
}

fn guest(name: &str) -> String {
    guests::path(name).display().to_string()
}

fn set_ups() -> Vec<SetUp> {
    let wat = |text: &str| wat::parse_str(text).unwrap();
    let mut truncated = guests::component("echo");
    truncated.truncate(50_000);
    let mut changed = guests::component("echo");
    changed.extend([0, 2, 1, b'x']);
    let file = |bytes: Vec<u8>, words| {
        let more = plugin("bad", "bad.wasm");
        set_up(&more, &[("bad.wasm", bytes)], Plugin("bad", LeftOut, words))
    };
    let liar = |name: &str, words| {
        set_up(
            &plugin("liar", &guest(name)),
            &[],
            Plugin("liar", LeftOut, words),
        )
    };
    let billing = |more: &str, verdict, words| {
        let more = format!("{}{more}", plugin("billing", &guest("billing")));
        set_up(&more, &[], Plugin("billing", verdict, words))
    };
    let secret = "[credentials.acme.billing]\nfile = \"secret\"\n";
    let described = |more: &str, document: &str, verdict, words| {
        let more = format!(
            "[adapters.openapi]\nfile = {:?}\n[connections.doc]\nadapter = \"openapi\"\nauth = {{ type = \"none\" }}\n{more}",
            guest("openapi")
        );
        let files = [("doc.json", document.as_bytes().to_vec())];
        set_up(&more, &files, Plugin("doc", verdict, words))
    };
    let store = |query: &str, more: &str, expected| {
        let more = format!(
            "[data]\ndir = \"data\"\nmaster_key_file = \"key\"\n[store]\nkind = \"postgres\"\nurl = \"postgres://u@db.example/d{query}\"\npassword_file = \"secret\"\n{more}\n"
        );
        set_up(&more, &[("key", [b'0'; 64].to_vec())], expected)
    };
    let document = r#"{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/a":{"get":{"operationId":"a","responses":{"200":{"description":"ok"}}}}}}"#;
    let base = "base = \"https://doc.example.com\"\n";
    let spec = "spec = \"doc.json\"\n";
    vec![
        set_up("", &[], Plugin("echo", Served, "")),
        // Files.
        file(b"hello".to_vec(), "not WebAssembly"),
        file(Vec::new(), "not WebAssembly"),
        file(wat("(module)"), "without component types"),
        file(
            wat("(component (import \"acme:disk/files@1.0.0\" (instance)))"),
            "acme:disk/files",
        ),
        file(b"\x7fELF\x02\x01\x01\0rest".to_vec(), "precompiled"),
        file(truncated, "does not parse"),
        file(b"\0asm\x0d\0\x01\0".to_vec(), "does not export"),
        set_up(
            &plugin("gone", "gone.wasm"),
            &[],
            Plugin("gone", LeftOut, "No such file"),
        ),
        set_up(
            &plugin("dir", "keys"),
            &[],
            Plugin("dir", LeftOut, "directory"),
        ),
        set_up(&plugin("fifo", PIPE), &[], Plugin("fifo", LeftOut, "pipe")),
        set_up(
            &plugin("other", &guest("segments")),
            &[],
            Plugin("other", LeftOut, "[plugins.segments]"),
        ),
        set_up(
            &plugin("csv", &guest("csv")),
            &[],
            Plugin("csv", LeftOut, "it is an adapter"),
        ),
        // What they say of themselves.
        liar("liar-trap", "trapped"),
        liar("liar-failing", "there is nothing to describe"),
        liar("liar-duplicate", "twice"),
        liar("liar-name", "name"),
        liar("liar-schema", "JSON"),
        liar("liar-schema-not-an-object", "object"),
        liar("liar-many", "hostcall_bytes"),
        liar("liar-tenant", "tenant_id"),
        // Another one has its tools, and was granted them.
        set_up(
            &plugin("twin", "twin.wasm"),
            &[("twin.wasm", guests::echo_named("twin"))],
            Plugin("twin", LeftOut, "offered by plugin echo"),
        ),
        set_up(
            "",
            &[("echo.wasm", changed)],
            Plugin("echo", Waits, "changed"),
        ),
        // What the configuration gives them.
        billing("", LeftOut, "connection billing"),
        billing(BILLING, LeftOut, "credential for connection billing"),
        billing(&format!("{BILLING}{secret}"), Waits, "not granted"),
        billing(
            &format!(
                "{BILLING}allow = [{{ method = \"GET\", path = \"/v1/invoices\" }}]\n{secret}"
            ),
            LeftOut,
            "billing",
        ),
        billing(
            &format!("{BILLING}principal = \"machine\"\n{secret}"),
            LeftOut,
            "billing",
        ),
        // Connections with adapters.
        described(&format!("{base}{spec}"), document, Waits, "not granted"),
        described(
            &format!("{base}spec = \"gone.json\"\n"),
            document,
            LeftOut,
            "No such file",
        ),
        described(
            &format!("{base}{spec}"),
            "this is no document",
            LeftOut,
            "document",
        ),
        described(spec, document, LeftOut, "base"),
        described(
            &format!("{base}{spec}operations = {{ allow = [\"nothing\"] }}\n"),
            document,
            LeftOut,
            "nothing",
        ),
        set_up(
            "[adapters.openapi]\nfile = \"gone.wasm\"\n[connections.doc]\nadapter = \"openapi\"\nauth = { type = \"none\" }\nbase = \"https://doc.example.com\"\nspec = \"doc.json\"\n",
            &[("doc.json", document.as_bytes().to_vec())],
            Plugin("doc", LeftOut, "gone.wasm"),
        ),
        set_up(
            &format!(
                "[adapters.openapi]\nfile = {:?}\n[connections.doc]\nadapter = \"openapi\"\nauth = {{ type = \"none\" }}\nbase = \"https://doc.example.com\"\nspec = \"doc.json\"\n",
                guest("echo")
            ),
            &[("doc.json", document.as_bytes().to_vec())],
            Plugin("doc", LeftOut, "it is not an adapter"),
        ),
        set_up(
            &format!(
                "[adapters.mcp]\nfile = {:?}\n[connections.far]\nadapter = \"mcp\"\nauth = {{ type = \"none\" }}\nurl = \"https://far.example.com/mcp\"\n",
                guest("mcp")
            ),
            &[],
            Plugin("far", Waits, "approved"),
        ),
        // What no plugin can help.
        set_up("[serber]\n", &[], Refused("serber")),
        set_up(
            "[server]\nallowed_hosts = [\"tools.example.com\", \"not a host\"]\n",
            &[],
            Refused("server.allowed_hosts"),
        ),
        set_up(
            "[server]\nallowed_origins = [\"https://app.example.com/path\"]\n",
            &[],
            Refused("server.allowed_origins"),
        ),
        set_up(
            "[server]\nlisten = \"0.0.0.0:0\"\n",
            &[],
            Refused("public_url"),
        ),
        set_up(
            "[server]\nmetrics_listen = \"0.0.0.0:0\"\n",
            &[],
            Refused("token"),
        ),
        set_up(
            "[server]\nmetrics_listen = \"127.0.0.1:0\"\nmetrics_token_file = \"gone\"\n",
            &[],
            Refused("gone"),
        ),
        set_up(
            "[audit]\nfile = \"gone/events\"\n",
            &[],
            Refused("gone/events"),
        ),
        store(
            "?sslmode=disable",
            "",
            Refused("sslmode=disable is for a server on this machine"),
        ),
        store("?sslmode=sometimes", "", Refused("sslmode is verify-full")),
        store("", "ca_file = \"gone\"", Refused("gone")),
        set_up(
            "[data]\ndir = \"data\"\nmaster_key_file = \"short\"\n",
            &[("short", b"short".to_vec())],
            Refused("short"),
        ),
        set_up(
            "[data]\ndir = \"data\"\n[store]\nkind = \"postgres\"\nurl = \"postgres://u@127.0.0.1:9/d\"\n",
            &[],
            Refused("master key"),
        ),
        set_up("[audit]\nfile = \"keys\"\n", &[], Refused("directory")),
        set_up(
            "[tenants.globex]\nparent = \"gone\"\n",
            &[],
            Refused("gone"),
        ),
        set_up(
            "[tenancy.membership]\nurl = \"https://members.example.com\"\ntoken_file = \"gone\"\n",
            &[],
            Refused("gone"),
        ),
        set_up("[tenants.acme.plugins.ecco]\n", &[], Refused("ecco")),
        set_up(
            "[tenants.acme.plugins.echo]\ntools = [\"ecco\"]\n",
            &[],
            Refused("ecco"),
        ),
        set_up(
            "[server]\ntls_cert = \"cert.pem\"\n",
            &[],
            Refused("unknown key; valid here"),
        ),
    ]
}

/// What one verb said of each plugin, or why it said nothing.
type Said = Result<BTreeMap<String, (Verdict, String)>, String>;

/// Whoever says nothing of a plugin serves it.
fn said(rows: impl Iterator<Item = (String, Verdict, String)>) -> Said {
    Ok(rows
        .map(|(name, verdict, why)| (name, (verdict, why)))
        .collect())
}

/// What has no listener says nothing of listeners; what is to be refused ends by itself.
fn start(directory: &Path) -> Said {
    let text = fs::read_to_string(directory.join("host.toml")).unwrap();
    let mut words = vec!["run"];
    if !text.contains("\nlisten = ") {
        words.extend(["--listen", "127.0.0.1:0"]);
    }
    Err(host::run(directory, &words).stderr)
}

fn run(directory: &Path) -> Said {
    let ended = host::run(
        directory,
        &[
            "run",
            "--stdio",
            "--token",
            "@token",
            "--log-format",
            "json",
        ],
    );
    if ended.status != 0 {
        return Err(ended.stderr);
    }
    let lines = ended
        .stderr
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    said(
        lines
            .filter(|line| line["message"] == "a plugin is left out")
            .map(|line| {
                let verdict = match line["reason"].as_str().unwrap() {
                    "not_granted" | "changed" | "not_approved" => Waits,
                    _ => LeftOut,
                };
                let text = |key: &str| line[key].as_str().unwrap().to_owned();
                (text("plugin"), verdict, text("why"))
            }),
    )
}

fn doctor(directory: &Path) -> Said {
    let ended = host::run(directory, &["doctor", "--output", "json"]);
    let report = ended.json();
    let checks = report["checks"].as_array().unwrap();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap().to_owned();
    let of = |what: &'static str| checks.iter().filter(move |check| check["what"] == what);
    let of_start = [
        "configuration",
        "assignments",
        "data directory",
        "server",
        "issuers",
    ];
    for refused in of_start.into_iter().flat_map(of) {
        if refused["verdict"] == "failed" {
            return Err(text(refused, "detail"));
        }
    }
    said(of("plugin").chain(of("adapter")).map(|check| {
        let detail = text(check, "detail");
        let (name, why) = detail.split_once(": ").unwrap();
        let verdict = match check["verdict"].as_str().unwrap() {
            "ok" => Served,
            "warning" => Waits,
            _ => LeftOut,
        };
        (name.to_owned(), verdict, why.to_owned())
    }))
}

fn lint(directory: &Path) -> Said {
    let ended = host::run(directory, &["lint", "--output", "json"]);
    if ended.stdout.is_empty() {
        return Err(ended.stderr);
    }
    let report = ended.json();
    let findings = report["findings"].as_array().unwrap();
    if let Some(refused) = findings
        .iter()
        .find(|finding| finding["code"] == "not-served")
    {
        return Err(refused["message"].as_str().unwrap().to_owned());
    }
    said(
        findings
            .iter()
            .filter(|finding| finding["code"] == "left-out")
            .map(|finding| {
                let (_, name) = finding["key"].as_str().unwrap().split_once('.').unwrap();
                (
                    name.to_owned(),
                    LeftOut,
                    finding["message"].as_str().unwrap().to_owned(),
                )
            }),
    )
}

fn explain(directory: &Path) -> Said {
    let words = [
        "explain", "any", "GET", "/", "--as", "@token", "--output", "json",
    ];
    let ended = host::run(directory, &words);
    if ended.stdout.is_empty() {
        return Err(ended.stderr);
    }
    let report = ended.json();
    let refused = report["refused"].as_array().unwrap().iter();
    let mut refused =
        refused.filter_map(|why| why.as_str()?.strip_prefix("the host would not start: "));
    if let Some(why) = refused.next() {
        return Err(why.to_owned());
    }
    let rules = report["rules"].as_array().unwrap().iter();
    said(rules.filter_map(|rule| {
        let why = rule["why"].as_str()?.strip_prefix("it is left out: ")?;
        let waits = [
            "it is not granted yet",
            "it changed since",
            "nothing that its system offers is approved",
            "what was approved of its system is not kept",
        ];
        let verdict = if waits.iter().any(|begin| why.starts_with(begin)) {
            Waits
        } else {
            LeftOut
        };
        Some((
            rule["plugin"].as_str().unwrap().to_owned(),
            verdict,
            why.to_owned(),
        ))
    }))
}

/// Of the one plugin, where it has a file of its own.
fn inspect(directory: &Path, file: &Path) -> (Verdict, String) {
    let file = file.display().to_string();
    let report = host::run(directory, &["inspect", &file, "--output", "json"]);
    let Ok(report) = serde_json::from_str::<Value>(&report.stdout) else {
        return (LeftOut, report.stderr);
    };
    match (
        report["runs"].as_bool().unwrap(),
        report["waits_for_yes"].as_bool().unwrap(),
    ) {
        (true, false) => (Served, String::new()),
        (true, true) => (Waits, String::new()),
        _ => (LeftOut, report["why_not"].to_string()),
    }
}

/// A directory with an issuer's keys, a token of its tenant, and a lock that grants the good
/// plugin.
fn granted() -> TempDir {
    let directory = directory();
    let mint = [
        "token",
        "mint",
        "--keys",
        "keys",
        "--tenant",
        "acme",
        "--audience",
        "http://127.0.0.1:8080/mcp",
    ];
    let token = host::run(directory.path(), &mint);
    host::write(directory.path(), "token", token.stdout.trim());
    host::write(directory.path(), "secret", "tok_live_0123456789");
    host::write(directory.path(), "echo.wasm", guests::component("echo"));
    host::write(
        directory.path(),
        "host.toml",
        set_up("", &[], Refused("")).toml,
    );
    let granted = host::run(
        directory.path(),
        &["run", "--stdio", "--token", "@token", "--yes"],
    );
    assert_eq!(granted.status, 0, "{granted:?}");
    directory
}

/// A verb's name, and what it says of a set-up.
type Verb = (&'static str, fn(&Path) -> Said);

fn judge(base: &Path, set_up: &SetUp) {
    let place = directory();
    fs::create_dir(place.path().join("keys")).unwrap();
    for name in [
        "keys/jwks.json",
        "token",
        "secret",
        "echo.wasm",
        "host.lock",
    ] {
        host::write(place.path(), name, fs::read(base.join(name)).unwrap());
    }
    for (name, bytes) in &set_up.files {
        host::write(place.path(), name, bytes);
    }
    let made = std::process::Command::new("mkfifo")
        .arg(place.path().join(PIPE))
        .status();
    assert!(made.unwrap().success());
    host::write(place.path(), "host.toml", &set_up.toml);
    let verbs: [Verb; 4] = [
        match set_up.expected {
            Refused(_) => ("run", start),
            Plugin(..) => ("run", run),
        },
        ("doctor", doctor),
        ("lint", lint),
        ("explain", explain),
    ];
    for (verb, judged) in verbs {
        let said = judged(place.path());
        let shown = format!("{verb}: {said:?}\n{}", set_up.toml);
        match (&set_up.expected, said) {
            // It is the only one, so that nothing can be served.
            (Plugin("echo", Waits | LeftOut, _), Err(why)) if verb == "run" => {
                assert!(why.contains("echo"), "{shown}");
            }
            (Refused(words), Err(why)) => assert!(why.contains(words), "{words:?}: {shown}"),
            (Plugin(name, verdict, words), Ok(said)) => {
                // What nobody has granted is no finding, and what is served is left out of lists of
                // what is not.
                let expected = if verb == "lint" && *verdict == Waits {
                    Served
                } else {
                    *verdict
                };
                let (found, why) = said.get(*name).cloned().unwrap_or((Served, String::new()));
                assert_eq!(found, expected, "{name}: {shown}");
                // That nobody has said yes is told by each verb in words of its own.
                let has_own_words = found == Served || found == Waits && verb != "run";
                assert!(has_own_words || why.contains(words), "{words:?}: {shown}");
                let others: BTreeSet<_> = said
                    .iter()
                    .filter(|(other, said)| other != name && said.0 != Served)
                    .collect();
                assert!(others.is_empty(), "{others:?}: {shown}");
            }
            _ => panic!("{shown}"),
        }
    }
    let table: toml_of::Table = toml_of::parse(&set_up.toml);
    // Of a file alone, nobody can say whether it was meant as a plugin or as an adapter.
    if let Plugin(name, verdict, words) = set_up.expected
        && let Some(file) = table.get(name)
        && words != "it is an adapter"
    {
        let (found, why) = inspect(place.path(), &place.path().join(file));
        assert_eq!(found, verdict, "inspect {file}: {why}\n{}", set_up.toml);
    }
}

/// The files of `[plugins]`, of the texts above.
mod toml_of {
    use std::collections::BTreeMap;

    pub(super) type Table = BTreeMap<String, String>;

    pub(super) fn parse(text: &str) -> Table {
        let tables = text.split("[plugins.").skip(1);
        tables
            .map(|table| {
                let (name, rest) = table.split_once(']').unwrap();
                let file = rest.split('"').nth(1).unwrap();
                (name.to_owned(), file.to_owned())
            })
            .collect()
    }
}

#[test]
fn every_verb_says_the_same_of_forty_set_ups() {
    let base = granted();
    let todo = Mutex::new(set_ups().into_iter());
    assert!(todo.lock().unwrap().len() >= 40);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let Some(set_up) = todo.lock().unwrap().next() else {
                        return;
                    };
                    judge(base.path(), &set_up);
                }
            });
        }
    });
}

/// A yes is given to what is served, and to nothing else.
#[test]
fn yes_grants_only_what_loads_and_the_others_are_served() {
    let directory = directory();
    let twin_path = host::write(directory.path(), "twin.wasm", guests::echo_named("twin"));
    let config = [
        plugin("billing", &billing()),
        plugin("echo", &echo()),
        plugin("liar", &guest("liar-tenant")),
        plugin("twin", &twin_path.display().to_string()),
    ];
    host::write(directory.path(), "host.toml", config.concat());
    let call = |yes: &[&str]| {
        let words = [
            "call",
            "echo",
            "--args",
            "{\"message\": \"m\"}",
            "--dev-tenant",
            "acme",
        ];
        host::run(directory.path(), &[&words[..], yes].concat())
    };
    let served = call(&["--yes"]);
    assert_eq!(served.status, 0, "{served:?}");
    for words in ["tenant_id", "connection billing", "offered by plugin echo"] {
        assert!(served.stderr.contains(words), "{words}: {served:?}");
    }
    let lock = fs::read_to_string(directory.path().join("host.lock")).unwrap();
    assert!(lock.contains("name = \"echo\""), "{lock}");
    for left_out in ["billing", "liar", "twin"] {
        assert!(!lock.contains(&format!("name = \"{left_out}\"")), "{lock}");
    }
    // A plugin that flags alone name is all that such a start is for.
    let alone = host::run(
        directory.path(),
        &[
            "run",
            "--listen",
            "127.0.0.1:0",
            "--config",
            "/dev/null",
            "--lock",
            "new.lock",
            "--plugin",
            &guest("liar-tenant"),
            "--dev-tenant",
            "acme",
            "--yes",
        ],
    );
    refused(&alone, PLUGIN, &["tenant_id"]);
    assert!(!directory.path().join("new.lock").exists());
}
