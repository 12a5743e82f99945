//! The built `host`, started as an operator starts it: a configuration in a directory of its own,
//! on a free port.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Issuer, guests};

/// Compiling a guest takes a second or two on a machine that does nothing else.
const STARTS: Duration = Duration::from_secs(60);

/// A verb that takes longer hangs.
const ENDS: Duration = Duration::from_secs(60);

/// What tokens are for where no test says otherwise.
pub const AUDIENCE: &str = "https://tools.test/mcp";

/// The program that was built, with the profile of this one.
#[must_use]
pub fn program() -> PathBuf {
    built("host")
}

/// A program of the workspace, built with the profile of this one.
#[must_use]
pub fn built(name: &str) -> PathBuf {
    let path = guests::profile().join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace --bin {name}`",
        path.display()
    );
    path
}

/// A command that runs the program in a directory, and sees nothing of this machine.
#[must_use]
pub fn command(directory: &Path, arguments: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .env("HOME", directory);
    // Shared, because compiling the same guest for each test would be most of the time.
    command.env(
        "TOOLHOST_CACHE_DIR",
        guests::target().join("tests-cache-host"),
    );
    command
}

/// `host run` with the `host.toml` of a directory, for [`Host::launch`]. It approves what its
/// plugins ask for.
#[must_use]
pub fn run_command(directory: &Path) -> Command {
    command(directory, &["run", "--yes", "--output", "json"])
}

/// What a verb said, and how it ended.
#[derive(Debug)]
pub struct CommandOutput {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl CommandOutput {
    /// What it wrote to stdout, as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs a verb to its end.
#[must_use]
pub fn run(directory: &Path, arguments: &[&str]) -> CommandOutput {
    end(command(directory, arguments).stdin(Stdio::null()))
}

/// Runs a command to its end, within a minute.
#[must_use]
pub fn end(command: &mut Command) -> CommandOutput {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdout, stderr) = (
        drain(child.stdout.take().unwrap()),
        drain(child.stderr.take().unwrap()),
    );
    let Some(status) = status(&mut child) else {
        panic!("{command:?} did not end: {}", stderr.join().unwrap());
    };
    CommandOutput {
        status,
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    }
}

/// Runs a command that says what it says elsewhere; its status.
#[must_use]
pub fn wait(command: &mut Command) -> i32 {
    status(&mut command.spawn().unwrap()).unwrap_or_else(|| panic!("{command:?} did not end"))
}

/// The status of a process that ends in time; another one is ended.
fn status(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + ENDS;
    while Instant::now() < deadline {
        match child.try_wait().unwrap() {
            Some(status) => return Some(status.code().unwrap_or(-1)),
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    child.kill().unwrap();
    None
}

fn drain(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Writes a file that only its owner reads.
pub fn write(directory: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = directory.join(name);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .unwrap();
    file.write_all(content.as_ref()).unwrap();
    path
}

/// A port that was free a moment ago, for a configuration that must name it.
#[must_use]
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// How a [`Host`] is configured.
#[derive(Debug)]
pub struct HostBuilder {
    directory: Arc<TempDir>,
    server: String,
    config: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    port: u16,
}

impl Default for HostBuilder {
    fn default() -> Self {
        Self {
            directory: Arc::new(tempfile::tempdir().unwrap()),
            server: String::new(),
            config: String::new(),
            arguments: Vec::new(),
            environment: vec![("RUST_LOG".into(), "info".into())],
            port: 0,
        }
    }
}

impl HostBuilder {
    /// Lines of `[server]`.
    #[must_use]
    pub fn server(mut self, lines: &str) -> Self {
        self.server.push_str(lines);
        self.server.push('\n');
        self
    }

    /// Tables of the configuration.
    #[must_use]
    pub fn config(mut self, tables: &str) -> Self {
        self.config.push_str(tables);
        self.config.push('\n');
        self
    }

    /// A file beside the configuration.
    #[must_use]
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        write(self.directory.path(), name, content);
        self
    }

    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Listens there; without it on a free port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// A guest by its name.
    #[must_use]
    pub fn plugin(self, name: &str) -> Self {
        let path = guests::path(name);
        self.config(&format!("[plugins.{name}]\nfile = \"{}\"", path.display()))
    }

    /// The billing plugin before an upstream, with a credential for each of acme and globex.
    #[must_use]
    pub fn billing(self, upstream: &str) -> Self {
        let connection = format!(
            "[connections.billing]\nbase = \"{upstream}\"\nallow_http = true\nallow_loopback = true\nheaders = {{ x-account-id = \"{{external_tenant_id}}\" }}"
        );
        let with = self.plugin("billing").config(&connection);
        ["acme", "globex"].iter().fold(with, |builder, tenant| {
            builder.file(&format!("{tenant}.secret"), crate::billing::token(tenant)).config(&format!(
                "[tenants.{tenant}]\n[credentials.{tenant}.billing]\nfile = \"{tenant}.secret\"\nexternal_tenant_id = \"acct_{tenant}\""
            ))
        })
    }

    /// A data directory, beside the configuration.
    #[must_use]
    pub fn data(self) -> Self {
        self.config("[data]\ndir = \"data\"")
    }

    /// The billing plugin before an upstream, for tenants acme and globex whose credentials are in
    /// the vault, or are not.
    #[must_use]
    pub fn sealed_billing(self, upstream: &str) -> Self {
        self.data().plugin("billing").config(&format!(
            "[connections.billing]\nbase = \"{upstream}\"\nallow_http = true\nallow_loopback = true\nheaders = {{ x-account-id = \"{{external_tenant_id}}\" }}\n[tenants.acme]\n[tenants.globex]"
        ))
    }

    /// An issuer whose keys stand in a file, and which may name every tenant.
    #[must_use]
    pub fn issuer(self, issuer: &Issuer) -> Self {
        self.issuer_naming(issuer, "\"all\"")
    }

    /// An issuer for these tenants, written as in the configuration.
    #[must_use]
    pub fn issuer_naming(self, issuer: &Issuer, tenants: &str) -> Self {
        let name = format!("{}.jwks.json", issuer.kid());
        let table = format!(
            "[[issuers]]\nissuer = \"{}\"\naudience = \"{AUDIENCE}\"\njwks_file = \"{name}\"\ntenant_claim = \"/tenantId\"\ntenants = {tenants}",
            issuer.url()
        );
        self.file(&name, issuer.jwks().to_string()).config(&table)
    }

    /// Writes the configuration, and nothing is started.
    #[must_use]
    pub fn write(self) -> (Arc<TempDir>, Command) {
        let text = format!("[server]\n{}\n{}", self.server, self.config);
        write(self.directory.path(), "host.toml", text);
        let mut command = run_command(self.directory.path());
        command.args(&self.arguments).envs(self.environment);
        if !self.arguments.iter().any(|argument| argument == "--stdio") {
            command.args(["--listen", &format!("127.0.0.1:{}", self.port)]);
        }
        (self.directory, command)
    }

    /// Starts it, and waits until it is ready and every plugin is loaded.
    #[must_use]
    pub fn start(self) -> Host {
        let (directory, command) = self.write();
        let host = Host::launch(directory, command);
        host.wait_for_plugins();
        host
    }
}

/// A running host. It does not outlive this.
#[derive(Debug)]
pub struct Host {
    command: Command,
    child: Child,
    directory: Arc<TempDir>,
    log: Arc<Mutex<String>>,
    hangs_up: Arc<AtomicBool>,
    said: mpsc::Receiver<String>,
    listen: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
    url: String,
}

impl Host {
    /// A configuration to begin with.
    #[must_use]
    pub fn with() -> HostBuilder {
        HostBuilder::default()
    }

    /// Starts a host with the `host.toml` of a directory, on a free port, and waits until every
    /// plugin is loaded.
    #[must_use]
    pub fn start_in(directory: Arc<TempDir>) -> Self {
        let mut command = run_command(directory.path());
        command.args(["--listen", "127.0.0.1:0"]);
        let host = Self::launch(directory, command);
        host.wait_for_plugins();
        host
    }

    /// Starts what [`HostBuilder::write`] has written, and waits until it is ready.
    #[must_use]
    pub fn launch(directory: Arc<TempDir>, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let hangs_up = Arc::new(AtomicBool::new(false));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (kept, ends) = (Arc::clone(&log), Arc::clone(&hangs_up));
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
                if ends.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let (send, receive) = mpsc::channel();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            said.map_while(Result::ok)
                .for_each(|line| drop(send.send(line)))
        });
        let mut host = Self {
            command,
            child,
            directory,
            log,
            hangs_up,
            said: receive,
            listen: None,
            metrics: None,
            url: String::new(),
        };
        let Ok(line) = host.said.recv_timeout(STARTS) else {
            let _ = host.child.kill();
            panic!("the host did not start: {}", host.log());
        };
        let ready: Value = serde_json::from_str(&line).unwrap();
        host.listen = ready["listen"].as_str().map(|text| text.parse().unwrap());
        host.metrics = ready["metrics"].as_str().map(|text| text.parse().unwrap());
        host.url = ready["url"].as_str().unwrap().to_owned();
        host
    }

    /// Ends it with SIGKILL, and starts it again in its directory, as it was started.
    #[must_use]
    pub fn killed_and_started(mut self) -> Self {
        self.kill();
        let command = std::mem::replace(&mut self.command, Command::new("true"));
        let host = Self::launch(Arc::clone(&self.directory), command);
        host.wait_for_plugins();
        host
    }

    /// A host serves before the last of its plugins is compiled; most tests are about something
    /// else.
    pub fn wait_for_plugins(&self) {
        let Some(listen) = self.listen else { return };
        let authority = self.url.split('/').nth(2).unwrap_or_default().to_owned();
        let until = Instant::now() + STARTS;
        loop {
            let mut stream = std::net::TcpStream::connect(listen).unwrap();
            let request =
                format!("GET /ready HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            if !answer.contains("is not served: loading") {
                return;
            }
            assert!(
                Instant::now() < until,
                "a plugin is still being loaded: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends it with SIGKILL. Its directory stays as long as this does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs a verb in its directory, with its configuration.
    #[must_use]
    pub fn verb(&self, arguments: &[&str]) -> CommandOutput {
        run(self.directory(), arguments)
    }

    /// Runs a verb in its directory, with a text on stdin.
    #[must_use]
    pub fn verb_with(&self, arguments: &[&str], stdin: &str) -> CommandOutput {
        let file = write(self.directory(), "stdin", stdin);
        end(command(self.directory(), arguments).stdin(std::fs::File::open(file).unwrap()))
    }

    /// The URL of its MCP endpoint.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A URL of another of its paths.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.listen.unwrap())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listen.unwrap()
    }

    /// The listener of the metrics, where there is one.
    #[must_use]
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Its configuration's directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its configuration's directory, which stays when the host is gone.
    #[must_use]
    pub fn kept_directory(&self) -> Arc<TempDir> {
        Arc::clone(&self.directory)
    }

    /// What it wrote to stderr until now.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Whether it writes this text to stderr, now or within a minute: what it says there arrives
    /// apart from what it says on stdout, however early it was said.
    #[must_use]
    pub fn has_logged(&self, text: &str) -> bool {
        let deadline = Instant::now() + ENDS;
        while !self.log().contains(text) {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// After the next line nobody reads its stderr any more, as when a terminal is closed.
    pub fn close_stderr(&self) {
        self.hangs_up.store(true, Ordering::Relaxed);
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Its exit status, once it has ended by itself.
    pub async fn ended(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "the host did not end: {}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends SIGTERM; its exit status.
    pub async fn stop(mut self) -> ExitStatus {
        self.terminate();
        self.ended(ENDS).await
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- what the host said\n{}", self.log());
        }
    }
}
