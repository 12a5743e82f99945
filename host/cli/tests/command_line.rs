//! The command line as somebody at a shell meets it: what it says, where it says it, and with which
//! status.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::path::Path;
use std::process::{Command, Output};

/// The eight bytes of a component with nothing in it.
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

const MANIFEST: &str =
    "[plugin]\nname = \"billing\"\nversion = \"1.0.0\"\n[[connection]]\nname = \"billing\"\n";

fn host(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host"))
        .args(arguments)
        .current_dir(directory)
        .env("XDG_CACHE_HOME", directory.join("cache"))
        .env_remove("DEV_TENANT_NAME")
        .env_remove("RUST_LOG")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

fn status(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn run_with_nothing_names_every_missing_piece_with_its_flag() {
    let directory = tempfile::tempdir().unwrap();
    let output = host(directory.path(), &["run"]);
    assert_eq!(status(&output), 2);
    for flag in ["--plugin FILE", "--dev-tenant NAME", "[[issuers]]"] {
        assert!(
            stderr(&output).contains(flag),
            "{flag}: {}",
            stderr(&output)
        );
    }
    assert_eq!(stdout(&output), "", "stdout is for results");
}

#[test]
fn a_wrong_key_is_told_by_file_line_and_nearest_key() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("host.toml"),
        "[server]\nlisen = \"127.0.0.1:1\"\n",
    )
    .unwrap();
    let output = host(directory.path(), &["run"]);
    assert_eq!(status(&output), 2);
    assert_eq!(
        stderr(&output),
        "host: host.toml, line 2: server.lisen: unknown key, did you mean listen?\n"
    );
}

#[test]
fn a_development_tenant_on_an_open_listener_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let output = host(
        directory.path(),
        &["run", "--dev-tenant", "acme", "--listen", "0.0.0.0:0"],
    );
    assert_eq!(status(&output), 2);
    assert!(
        stderr(&output).contains("--dev-tenant"),
        "{}",
        stderr(&output)
    );
    let by_environment = Command::new(env!("CARGO_BIN_EXE_host"))
        .args(["run", "--listen", "0.0.0.0:0"])
        .current_dir(directory.path())
        .env("DEV_TENANT_NAME", "acme")
        .output()
        .unwrap();
    assert!(
        stderr(&by_environment).contains("DEV_TENANT_NAME"),
        "{}",
        stderr(&by_environment)
    );
}

#[test]
fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["run", "--credential", "acme/billing=tok_live_1"][..],
        &[
            "run",
            "--dev-tenant",
            "acme",
            "--credential",
            "billing=tok_live_1",
        ],
        &["token", "inspect", "tok_live_1"],
    ] {
        let output = host(directory.path(), arguments);
        assert_eq!(status(&output), 2, "{arguments:?}");
        assert!(
            !stderr(&output).contains("tok_live_1"),
            "{}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains("@FILE or env:VAR"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn what_is_no_plugin_is_refused_with_one_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.wasm");
    for (bytes, says) in [
        (b"hello".to_vec(), "not WebAssembly"),
        (b"\x7fELF\x02\x01\x01\0".to_vec(), "precompiled"),
        (b"\0asm\x01\0\0\0".to_vec(), "without component types"),
        (EMPTY_COMPONENT.to_vec(), "does not export"),
        (vec![0; 33 << 20], "component_bytes"),
    ] {
        std::fs::write(&path, &bytes).unwrap();
        let run = host(
            directory.path(),
            &[
                "run",
                "--plugin",
                "x.wasm",
                "--dev-tenant",
                "acme",
                "--listen",
                "127.0.0.1:0",
            ],
        );
        assert_eq!(status(&run), 6, "{says}: {}", stderr(&run));
        assert!(stderr(&run).contains(says), "{says}: {}", stderr(&run));
        let look = host(directory.path(), &["inspect", "x.wasm", "--output", "json"]);
        assert_eq!(status(&look), 6, "{says}");
        let report: serde_json::Value = serde_json::from_slice(&look.stdout).unwrap();
        assert_eq!(report["runs"], false);
        assert!(
            report["why_not"].to_string().contains(says),
            "{says}: {report}"
        );
        assert_eq!(report["size"], bytes.len());
    }
    let missing = host(
        directory.path(),
        &[
            "run",
            "--plugin",
            "none.wasm",
            "--dev-tenant",
            "acme",
            "--listen",
            "127.0.0.1:0",
        ],
    );
    assert_eq!(status(&missing), 2);
}

#[test]
fn a_manifest_that_was_built_in_is_what_inspect_shows() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("x.wasm"), EMPTY_COMPONENT).unwrap();
    std::fs::write(directory.path().join("plugin.toml"), MANIFEST).unwrap();
    let built = host(
        directory.path(),
        &[
            "build",
            "x.wasm",
            "--manifest",
            "plugin.toml",
            "--out",
            "y.wasm",
        ],
    );
    assert_eq!(status(&built), 0, "{}", stderr(&built));
    let look = host(directory.path(), &["inspect", "y.wasm", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&look.stdout).unwrap();
    assert_eq!(report["asks"]["name"], "billing");
    assert!(
        report["asks"]["connections"]["billing"].is_object(),
        "{report}"
    );
    // A second one would leave open which of them was approved.
    let again = host(
        directory.path(),
        &["build", "y.wasm", "--manifest", "plugin.toml"],
    );
    assert_eq!(status(&again), 6, "{}", stderr(&again));
}

#[test]
fn a_minted_token_passes_the_checks_of_its_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let mint = |tenant: &str| {
        let audience = "https://tools.example.com/mcp";
        let output = host(
            directory.path(),
            &[
                "token",
                "mint",
                "--keys",
                "keys",
                "--audience",
                audience,
                "--tenant",
                tenant,
            ],
        );
        assert_eq!(status(&output), 0, "{}", stderr(&output));
        std::fs::write(directory.path().join("token"), stdout(&output)).unwrap();
    };
    mint("acme");
    let config = "[[issuers]]\nissuer = \"https://issuer.localhost\"\naudience = \"https://tools.example.com/mcp\"\njwks_file = \"keys/jwks.json\"\ntenant_claim = \"/tenantId\"\n[tenants.acme]\n";
    std::fs::write(directory.path().join("host.toml"), config).unwrap();
    let look = host(
        directory.path(),
        &["token", "inspect", "@token", "--output", "json"],
    );
    assert_eq!(status(&look), 0, "{}{}", stdout(&look), stderr(&look));
    let report: serde_json::Value = serde_json::from_slice(&look.stdout).unwrap();
    assert_eq!(report["claims"]["tenantId"], "acme");
    let token = std::fs::read_to_string(directory.path().join("token")).unwrap();
    let signature = token.trim().rsplit('.').next().unwrap();
    assert!(
        !stdout(&look).contains(signature),
        "the signature must not be shown"
    );
    // Other keys: the signature is nobody's.
    std::fs::remove_dir_all(directory.path().join("keys")).unwrap();
    let before = token.clone();
    mint("acme");
    std::fs::write(directory.path().join("token"), before).unwrap();
    let wrong = host(directory.path(), &["token", "inspect", "@token"]);
    assert_eq!(status(&wrong), 3);
    // U7: nothing of it is "ok", and neither is what was not checked.
    assert!(!stdout(&wrong).contains(": ok"), "{}", stdout(&wrong));
    let by_url = config.replace(
        "jwks_file = \"keys/jwks.json\"",
        "jwks_url = \"https://keys.example.com/jwks\"",
    );
    std::fs::write(directory.path().join("host.toml"), by_url).unwrap();
    let unchecked = host(directory.path(), &["token", "inspect", "@token"]);
    let shown = stdout(&unchecked);
    assert!(
        shown.contains("check   signature: NOT CHECKED") && !shown.contains(": ok"),
        "{shown}"
    );
    assert_eq!(status(&unchecked), 3);
    let given = ["token", "inspect", "@token", "--jwks", "keys/jwks.json"];
    assert_eq!(status(&host(directory.path(), &given)), 3, "of another key");
    mint("acme");
    let good = host(directory.path(), &given);
    assert!(
        status(&good) == 0 && stdout(&good).contains("signature: ok"),
        "{}",
        stdout(&good)
    );
}

#[test]
fn doctor_says_what_is_wrong_and_fails() {
    let directory = tempfile::tempdir().unwrap();
    let config = "[connections.billing]\nbase = \"https://billing.example.com\"\n[tenants.acme]\n[credentials.acme.billing]\nfile = \"secret\"\n";
    std::fs::write(directory.path().join("host.toml"), config).unwrap();
    std::fs::write(directory.path().join("secret"), "tok_live_0123456789").unwrap();
    std::process::Command::new("chmod")
        .arg("644")
        .arg(directory.path().join("secret"))
        .status()
        .unwrap();
    let output = host(directory.path(), &["doctor", "--output", "json"]);
    assert_eq!(status(&output), 2);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let credential = report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["what"] == "credentials")
        .unwrap();
    assert_eq!(credential["verdict"], "failed");
    assert!(!stdout(&output).contains("tok_live"), "{}", stdout(&output));
    std::process::Command::new("chmod")
        .arg("600")
        .arg(directory.path().join("secret"))
        .status()
        .unwrap();
    let output = host(directory.path(), &["doctor"]);
    assert_eq!(status(&output), 0, "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn a_cache_directory_that_cannot_be_used_names_its_flag() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let output = host(directory.path(), &["doctor", "--cache-dir", "file/below"]);
    assert_eq!(status(&output), 2);
    assert!(
        stdout(&output).contains("--cache-dir"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn completions_and_help_are_written_to_stdout() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = host(directory.path(), &["completions", shell]);
        assert!(
            status(&output) == 0 && stdout(&output).contains("host"),
            "{shell}"
        );
    }
    let help = host(directory.path(), &["run", "--help"]);
    assert!(stdout(&help).contains("Examples:"), "{}", stdout(&help));
    let help = host(directory.path(), &["--help"]);
    assert!(stdout(&help).contains("Exit status:"), "{}", stdout(&help));
}

#[test]
fn a_failure_is_json_where_json_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let output = host(directory.path(), &["run", "--output", "json"]);
    let error: serde_json::Value = serde_json::from_str(stderr(&output).trim()).unwrap();
    assert_eq!(error["error"]["status"], 2);
}
