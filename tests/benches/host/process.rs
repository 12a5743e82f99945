//! The built program, started with a development tenant, and what the system says of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use toolhost_tests::guests;

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A directory with a secret and a cache, from which hosts are started.
pub struct Home {
    directory: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut secret = std::fs::OpenOptions::new();
        let path = directory.path().join("secret");
        let mut secret = secret
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .unwrap();
        secret.write_all(b"tok_bench_a1B2c3D4e5F6g7H8").unwrap();
        Self { directory }
    }

    /// The program, the one that was built beside this one.
    pub fn program() -> PathBuf {
        let path = guests::target().join("release").join("host");
        assert!(
            path.exists(),
            "{} is missing: run `cargo xtask bench`",
            path.display()
        );
        path
    }

    /// `host run` with a plugin, and a connection for each thing that it may ask for.
    pub fn command(&self, plugin: &str, connections: &[(&str, String)]) -> Command {
        let place = self.directory.path();
        let mut command = Command::new(Self::program());
        command
            .current_dir(place)
            .env("RUST_BACKTRACE", "0")
            .env("RUST_LOG", "warn");
        command
            .args(["run", "--dev-tenant", "acme", "--yes", "--plugin"])
            .arg(guests::path(plugin));
        command
            .arg("--cache-dir")
            .arg(place.join("cache"))
            .arg("--lock")
            .arg(place.join("host.lock"));
        for (name, url) in connections {
            command.arg("--connection").arg(format!("{name}={url}"));
            command
                .arg("--credential")
                .arg(format!("{name}=@{}", place.join("secret").display()));
        }
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// A host that serves; it is ended when this is dropped.
pub struct Host {
    child: Child,
    pub address: SocketAddr,
    /// From before it was started until `/ready` said yes.
    pub took: Duration,
}

impl Host {
    pub fn start(mut command: Command) -> Self {
        let started = Instant::now();
        command
            .args(["--listen", "127.0.0.1:0", "--output", "json"])
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let said: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("the host said {line:?}"));
        let address = said["listen"].as_str().unwrap().parse().unwrap();
        while !is_ready(address) {
            assert!(started.elapsed() < PATIENCE, "it does not get ready");
            std::thread::sleep(Duration::from_micros(500));
        }
        Self {
            child,
            address,
            took: started.elapsed(),
        }
    }

    pub fn memory(&self) -> Memory {
        Memory::of(self.child.id())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _status = self.child.wait();
    }
}

fn is_ready(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let request = format!("GET /ready HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    let sent = stream
        .write_all(request.as_bytes())
        .and_then(|()| stream.read_to_string(&mut answer));
    sent.is_ok() && answer.starts_with("HTTP/1.1 200")
}

/// Resident memory of a process, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub resident: u64,
    /// The part that lies where the pool keeps linear memories: the guests' own pages.
    pub guests: u64,
}

/// Linear memories reserve 4 GiB each, so nothing else in the process is a neighbourhood of this size.
const POOL: u64 = 64 << 30;

impl Memory {
    pub fn of(process: u32) -> Self {
        let text =
            std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("smaps")).unwrap();
        let (mut resident, mut guests) = (0, 0);
        // Mappings that touch one another, as (beginning, end, resident).
        let mut span = (0, 0, 0);
        for line in text.lines() {
            if let Some((from, to)) = range(line) {
                if from != span.1 {
                    guests += if span.1 - span.0 >= POOL { span.2 } else { 0 };
                    span = (from, from, 0);
                }
                span.1 = to;
            } else if let Some(size) = line.strip_prefix("Rss:") {
                let bytes = size.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() << 10;
                resident += bytes;
                span.2 += bytes;
            }
        }
        guests += if span.1 - span.0 >= POOL { span.2 } else { 0 };
        Self { resident, guests }
    }
}

/// `7f00-7f01 rw-p …`: the head of a mapping.
fn range(line: &str) -> Option<(u64, u64)> {
    let (from, rest) = line.split_whitespace().next()?.split_once('-')?;
    Some((
        u64::from_str_radix(from, 16).ok()?,
        u64::from_str_radix(rest, 16).ok()?,
    ))
}
