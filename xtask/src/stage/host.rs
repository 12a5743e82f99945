use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::Process;
use crate::workspace::{built, target};

/// Where compiled plugins are kept between plays, so that only the first one compiles.
pub(crate) fn cache(root: &Path) -> PathBuf {
    target(root).join("demo-cache")
}

/// A running host.
pub(crate) struct HostProcess {
    /// Its MCP endpoint.
    pub(crate) url: String,
    process: Process,
}

impl HostProcess {
    /// Starts it on a free port, as the `host.toml` of a directory says. It approves what its plugins ask for.
    pub(crate) fn start(root: &Path, directory: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(built(root, "host"));
        command
            .args(["run", "--yes", "--listen", "127.0.0.1:0"])
            .args(["--output", "json", "--config"])
            .arg(directory.join("host.toml"))
            .arg("--cache-dir")
            .arg(cache(root))
            .env("RUST_LOG", "warn")
            .env_remove("DEV_TENANT_NAME");
        let (process, line) = Process::start("host", &mut command)?;
        let ready: Value = serde_json::from_str(&line).context("the host did not say where it is")?;
        let listen = ready["listen"].as_str();
        let listen = listen.context("the host did not say where it listens")?;
        Ok(Self {
            url: format!("http://{listen}/mcp"),
            process,
        })
    }

    /// `ADDRESS:PORT` that it listens at.
    pub(crate) fn address(&self) -> &str {
        let url = self.url.trim_start_matches("http://");
        url.trim_end_matches("/mcp")
    }

    /// Ends it at once (SIGKILL), as a machine that fails does.
    pub(crate) fn kill(self) {
        drop(self.process);
    }

    /// Stops it; it must say that it went well.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        let status = self.process.stop()?;
        ensure!(status.success(), "the host stopped with {status}");
        Ok(())
    }
}
