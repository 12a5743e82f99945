//! Real MCP servers, each a process of its own, for the MCP adapter. `cargo xtask clients` installs
//! them.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{clients, host};

/// An interpreter and its imports take some seconds on a machine that is busy.
const STARTS: Duration = Duration::from_secs(60);

/// A server that was started. It does not outlive this.
#[derive(Debug)]
pub struct McpServer {
    command: Command,
    child: Child,
    port: u16,
}

/// Which one of the Python SDK's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A server of 2026-07-28, as the SDK makes it.
    Modern,
    /// A server of before 2026-07-28, with sessions.
    Stateful,
    /// A server of before 2026-07-28, without sessions.
    Stateless,
}

impl McpServer {
    /// The reference server, by the TypeScript SDK 1.x: with sessions.
    #[must_use]
    pub fn reference() -> Self {
        let port = host::free_port();
        let mut command = Command::new(clients::node());
        command
            .arg("node_modules/@modelcontextprotocol/server-everything/dist/index.js")
            .arg("streamableHttp")
            .env("PORT", port.to_string());
        Self::start(command, port)
    }

    /// One by the Python SDK.
    #[must_use]
    pub fn python(kind: Kind) -> Self {
        let port = host::free_port();
        let kind = match kind {
            Kind::Modern => "modern",
            Kind::Stateful => "stateful",
            Kind::Stateless => "stateless",
        };
        let mut command = Command::new(clients::python());
        command
            .arg(clients::script("upstream.py"))
            .args([port.to_string().as_str(), kind]);
        Self::start(command, port)
    }

    fn start(mut command: Command, port: u16) -> Self {
        command
            .current_dir(clients::directory())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().unwrap();
        let mut server = Self {
            command,
            child,
            port,
        };
        server.listens();
        server
    }

    fn listens(&mut self) {
        let deadline = Instant::now() + STARTS;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(
                Instant::now() < deadline,
                "{:?} did not start",
                self.command
            );
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "{:?} ended",
                self.command
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it and starts it again at its place. It knows no session then.
    #[must_use]
    pub fn restarted(mut self) -> Self {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = self.command.spawn().unwrap();
        self.listens();
        self
    }

    /// Where it speaks MCP.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/mcp", self.port)
    }
}

impl Drop for McpServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
