//! Real clients and a real identity server, each a process of its own. `cargo xtask test` installs
//! them.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::guests;

/// A plan of calls takes some seconds; a client that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a host is known by at the identity server's introspection endpoint.
pub const HOST_CLIENT: &str = "tool-host";

/// The secret of every client of the identity server.
pub const SECRET: &str = "a-secret-of-a-test-client";

/// Where `cargo xtask clients` installs.
#[must_use]
pub fn directory() -> PathBuf {
    let directory = guests::target().join("clients");
    assert!(
        directory.join("node_modules").is_dir() && directory.join("venv").is_dir(),
        "{} has no clients: run `cargo xtask clients`",
        directory.display()
    );
    directory
}

/// Node, of the version that the lock file has.
#[must_use]
pub fn node() -> PathBuf {
    directory().join("node")
}

#[must_use]
pub fn python() -> PathBuf {
    directory().join("venv/bin/python")
}

/// A script, laid beside the packages that it imports.
#[must_use]
pub fn script(name: &str) -> PathBuf {
    let (from, to) = (
        crate::root().join("tests/clients").join(name),
        directory().join(name),
    );
    let text = std::fs::read(&from).unwrap();
    if std::fs::read(&to).ok().as_ref() != Some(&text) {
        // Tests run side by side: whoever reads it sees all of it.
        let beside = directory().join(format!("{name}.{}", std::process::id()));
        std::fs::write(&beside, &text).unwrap();
        std::fs::rename(&beside, &to).unwrap();
    }
    to
}

/// A client that follows a plan; `clients/README.md` says what a plan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    TypeScript1,
    TypeScript2,
    Python,
    FastMcp,
}

impl Client {
    /// Each client with each protocol generation that it speaks, and the version it settles on with
    /// this host.
    pub const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::TypeScript1, "legacy", "2025-11-25"),
        (Self::TypeScript2, "legacy", "2025-11-25"),
        (Self::TypeScript2, "auto", "2026-07-28"),
        (Self::Python, "legacy", "2025-11-25"),
        (Self::Python, "auto", "2026-07-28"),
        (Self::FastMcp, "legacy", "2025-11-25"),
        (Self::FastMcp, "auto", "2026-07-28"),
    ];

    const fn file(self) -> &'static str {
        match self {
            Self::TypeScript1 => "sdk_v1.mjs",
            Self::TypeScript2 => "sdk_v2.mjs",
            Self::Python => "sdk_python.py",
            Self::FastMcp => "fast.py",
        }
    }

    /// What runs it.
    #[must_use]
    pub fn command(self) -> Command {
        let program = match self {
            Self::TypeScript1 | Self::TypeScript2 => node(),
            Self::Python | Self::FastMcp => python(),
        };
        let mut command = Command::new(program);
        command.arg(script(self.file())).current_dir(directory());
        command
    }

    /// Follows the plan; what came back.
    pub async fn run(self, plan: &Value) -> Value {
        let mut command = tokio::process::Command::from(self.command());
        command
            .arg(plan.to_string())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("{self:?} hangs")).unwrap();
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        let last = stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|_| panic!("{self:?} said {stdout} and {stderr}"))
    }
}

/// A certified OpenID provider. Its clients are `acme-svc`, `globex-svc`, `initech-svc` (a tenant
/// that no host has) and `homeless-svc` (of no tenant).
#[derive(Debug)]
pub struct IdentityServer {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    issuer: String,
}

impl IdentityServer {
    /// Starts one that issues tokens for a resource.
    #[must_use]
    pub fn start(resource: &str) -> Self {
        Self::with(&[resource, SECRET])
    }

    /// Starts one whose tokens only it can read. The host asks as [`HOST_CLIENT`].
    #[must_use]
    pub fn opaque(resource: &str) -> Self {
        Self::with(&[resource, SECRET, "opaque"])
    }

    fn with(arguments: &[&str]) -> Self {
        let mut command = Command::new(node());
        command
            .arg(script("identity.mjs"))
            .args(arguments)
            .current_dir(directory());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (
            child.stdin.take().unwrap(),
            BufReader::new(child.stdout.take().unwrap()),
        );
        let mut server = Self {
            child,
            stdin,
            stdout,
            issuer: String::new(),
        };
        server.issuer = server.line()["issuer"].as_str().unwrap().to_owned();
        server
    }

    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Other keys from now on.
    pub fn rotate(&mut self) {
        writeln!(self.stdin, "rotate").unwrap();
        self.stdin.flush().unwrap();
        let _generation = self.line();
    }

    /// What a plan's `oauth` says for one of its clients.
    #[must_use]
    pub fn oauth(&self, client: &str) -> Value {
        // The TypeScript SDK 1.x takes the scope from here alone, the others from the host's
        // challenge.
        serde_json::json!({
            "clientId": client, "clientSecret": SECRET, "expectedIssuer": self.issuer, "scope": "tools:call",
        })
    }

    /// A token by client credentials (RFC 6749 section 4.4) for a resource (RFC 8707).
    pub async fn token(&self, client: &str, resource: &str) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("resource", resource),
            ("scope", "tools:call"),
        ];
        let body = form.map(|(name, value)| {
            format!("{name}={}", value.replace(':', "%3A").replace('/', "%2F"))
        });
        let request = reqwest::Client::new()
            .post(format!("{}/token", self.issuer))
            .basic_auth(client, Some(SECRET))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.join("&"));
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["access_token"]
            .as_str()
            .unwrap_or_else(|| panic!("{answer}"))
            .to_owned()
    }

    /// Ends a token of one of its clients (RFC 7009).
    pub async fn revoke(&self, client: &str, token: &str) {
        let request = reqwest::Client::new()
            .post(format!("{}/token/revocation", self.issuer))
            .basic_auth(client, Some(SECRET))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("token={token}"));
        assert_eq!(request.send().await.unwrap().status(), 200);
    }

    /// Ends the server.
    pub fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The next line that is ours; the provider says things too.
    fn line(&mut self) -> Value {
        let mut said = String::new();
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).unwrap();
            assert!(read > 0, "the identity server did not start: {said}");
            match serde_json::from_str(&line) {
                Ok(value) => return value,
                Err(_) => said.push_str(&line),
            }
        }
    }
}

impl Drop for IdentityServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
