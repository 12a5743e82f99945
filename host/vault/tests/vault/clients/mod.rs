//! Real servers, each a process of its own, which `cargo xtask clients` installs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use url::Url;

/// Where `cargo xtask clients` installs.
fn directory() -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .unwrap()
        .to_owned();
    let directory = target.join("clients");
    assert!(
        directory.join("node_modules").is_dir() && directory.join("venv").is_dir(),
        "{} has no servers: run `cargo xtask clients`",
        directory.display()
    );
    directory
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Moto: an implementation of AWS for tests.
pub struct Moto {
    _process: Process,
    pub url: Url,
}

impl Moto {
    pub fn start() -> Self {
        let program = directory().join("venv/bin/moto_server");
        assert!(
            program.is_file(),
            "{} is missing: run `cargo xtask clients`",
            program.display()
        );
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let process = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let process = Process(process);
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "moto did not start"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Self {
            _process: process,
            url: format!("http://127.0.0.1:{port}/").parse().unwrap(),
        }
    }
}

/// A certified OpenID provider with one client, `toolhost`, and a browser for its user.
pub struct Accounts {
    _process: Process,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    pub issuer: String,
}

impl Accounts {
    pub fn start(secret: &str, redirect_uri: &str) -> Self {
        let directory = directory();
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|above| above.join("tests/clients/accounts.mjs"))
            .find(|script| script.is_file())
            .unwrap();
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let beside = directory.join(format!("accounts.{}.{number}.mjs", std::process::id()));
        std::fs::copy(script, &beside).unwrap();
        let mut child = Command::new(directory.join("node"))
            .arg(&beside)
            .args([secret, redirect_uri])
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (
            child.stdin.take().unwrap(),
            BufReader::new(child.stdout.take().unwrap()),
        );
        let mut accounts = Self {
            _process: Process(child),
            stdin,
            stdout,
            issuer: String::new(),
        };
        accounts.issuer = accounts.line("issuer");
        std::fs::remove_file(beside).unwrap();
        accounts
    }

    /// Goes where a user is sent, logs in, consents, and says where the user is sent back to.
    pub fn visit(&mut self, url: &Url) -> Url {
        writeln!(self.stdin, "{url}").unwrap();
        self.stdin.flush().unwrap();
        self.line("location").parse().unwrap()
    }

    fn line(&mut self, name: &str) -> String {
        let mut said = String::new();
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).unwrap();
            assert!(read > 0, "the OpenID provider ended: {said}");
            match serde_json::from_str::<serde_json::Value>(&line) {
                Ok(value) => {
                    return value[name]
                        .as_str()
                        .unwrap_or_else(|| panic!("{line}"))
                        .to_owned();
                }
                Err(_) => said.push_str(&line),
            }
        }
    }
}
