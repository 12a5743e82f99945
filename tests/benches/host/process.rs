//! The built program, started with a development tenant, and what the system says of it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use toolhost_harness::{guests, host};

/// A directory with a secret and a cache, from which hosts are started.
pub struct Home {
    directory: Arc<TempDir>,
}

impl Home {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        host::write(directory.path(), "secret", "tok_bench_a1B2c3D4e5F6g7H8");
        Self {
            directory: Arc::new(directory),
        }
    }

    /// `host run` with a plugin, and a connection for each thing that it may ask for.
    pub fn command(&self, plugin: &str, connections: &[(&str, String)]) -> Command {
        let place = self.directory.path();
        let plugin = guests::path(plugin).display().to_string();
        let mut command = host::command(
            place,
            &["run", "--dev-tenant", "acme", "--yes", "--plugin", &plugin],
        );
        command
            .env("RUST_BACKTRACE", "0")
            .env("RUST_LOG", "warn")
            .args(["--cache-dir", "cache", "--lock", "host.lock"]);
        for (name, url) in connections {
            command
                .args(["--connection", &format!("{name}={url}")])
                .args(["--credential", &format!("{name}=@secret")]);
        }
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts it on a free port, until it is ready and the plugin is loaded.
    pub fn start(&self, mut command: Command) -> Host {
        let started = Instant::now();
        command.args(["--listen", "127.0.0.1:0", "--output", "json"]);
        let process = host::Host::launch(Arc::clone(&self.directory), command);
        process.wait_for_plugins();
        Host {
            address: process.address(),
            took: started.elapsed(),
            process,
        }
    }
}

/// A host that serves; it is ended when this is dropped.
pub struct Host {
    process: host::Host,
    pub address: SocketAddr,
    /// From before it was started until its plugin was served.
    pub took: Duration,
}

impl Host {
    pub fn memory(&self) -> Memory {
        Memory::from_process(self.process.pid())
    }
}

/// Resident memory of a process, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    pub resident: u64,
    /// The part that lies where the pool keeps linear memories: the guests' own pages.
    pub guests: u64,
}

/// Linear memories reserve 4 GiB each, so nothing else in the process is a neighbourhood of this
/// size.
const POOL: u64 = 64 << 30;

impl Memory {
    pub fn from_process(process: u32) -> Self {
        let text =
            std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("smaps"))
                .unwrap();
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
                let bytes = size
                    .trim()
                    .trim_end_matches(" kB")
                    .trim()
                    .parse::<u64>()
                    .unwrap()
                    << 10;
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
