//! What the players of the examples share.

#![allow(clippy::print_stdout, reason = "a player's output is for people")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use toolhost_harness::host::{built, write};
use toolhost_harness::{CallReply, Host, Issuer, McpClient, Process, guests, random_secret, root};

/// The issuer that the configurations of the examples name.
pub const ISSUER: &str = "https://issuer.localhost";

/// Runs a player in a runtime of its own. Its one argument, where there is one, is a file in which
/// it leaves the record of the outside system.
///
/// # Errors
/// A claim does not hold.
pub fn run<F: Future<Output = anyhow::Result<PlayedExample>>>(
    play: impl FnOnce() -> F,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let played = runtime.block_on(play())?;
    if let Some(record) = std::env::args_os().nth(1) {
        std::fs::copy(&played.record, &record).with_context(|| record.display().to_string())?;
    }
    println!(
        "\nAll as it should be, in {:.1} s.",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// An example that was played to its end.
#[derive(Debug)]
pub struct PlayedExample {
    /// The record of the outside system.
    pub record: PathBuf,
    /// The directory with the record.
    pub directory: Arc<TempDir>,
}

/// An outside system that was started.
#[derive(Debug)]
pub struct OutsideSystem {
    /// `ADDRESS:PORT`.
    pub address: String,
    /// What crossed the wire to it.
    pub record: PathBuf,
    _process: Process,
}

impl OutsideSystem {
    /// Starts the program on a free port, with these arguments; its record is in the directory.
    ///
    /// # Errors
    /// Its first line does not say where it listens.
    pub fn start(
        name: &'static str,
        directory: &Path,
        arguments: &[String],
    ) -> anyhow::Result<Self> {
        let record = directory.join("wire.jsonl");
        let mut command = Command::new(built(name));
        command
            .args(["--listen", "127.0.0.1:0", "--record"])
            .arg(&record)
            .args(arguments);
        let (process, line) = Process::start(name, &mut command);
        let address = line.strip_prefix("listening on http://");
        let address =
            address.with_context(|| format!("{name} did not say where it listens: {line}"))?;
        Ok(Self {
            address: address.to_owned(),
            record,
            _process: process,
        })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Makes a secret, in a file of the directory that only its owner reads; the text `@FILE`.
#[must_use]
pub fn secret_file(directory: &Path, name: &str, prefix: &str) -> String {
    let file = write(directory, name, random_secret(prefix));
    format!("@{}", file.display())
}

/// Makes an issuer with its public key in `keys/jwks.json` of the directory.
///
/// # Errors
/// The file cannot be written.
pub fn issuer(directory: &Path, audience: &str) -> anyhow::Result<Issuer> {
    let issuer = Issuer::es256(ISSUER, "example").with_audience(audience);
    std::fs::create_dir_all(directory.join("keys"))?;
    write(directory, "keys/jwks.json", issuer.jwks().to_string());
    Ok(issuer)
}

/// A token of somebody who has a role at a tenant.
#[must_use]
pub fn token_of_role(issuer: &Issuer, tenant: &str, role: &str) -> String {
    issuer.mint(&json!({ "tenantId": tenant, "role": role }))
}

/// The text of a file of an example, with other addresses.
///
/// # Errors
/// The file cannot be read, or does not name an address.
pub fn with_addresses(file: &str, addresses: &[(&str, &str)]) -> anyhow::Result<String> {
    let mut text = std::fs::read_to_string(root().join(file)).with_context(|| file.to_owned())?;
    for (there, here) in addresses {
        ensure!(text.contains(there), "{file} does not name {there}");
        text = text.replace(there, here);
    }
    Ok(text)
}

/// Copies built components into a directory.
///
/// # Errors
/// One cannot be copied.
pub fn copy_components(names: &[&str], directory: &Path) -> anyhow::Result<()> {
    for name in names {
        let from = guests::path(name);
        std::fs::copy(&from, directory.join(format!("{name}.wasm")))
            .with_context(|| from.display().to_string())?;
    }
    Ok(())
}

/// Sends SIGTERM to a host.
///
/// # Errors
/// Its exit status is not 0.
pub async fn stop(host: Host) -> anyhow::Result<()> {
    let status = host.stop().await;
    ensure!(status.success(), "the host stopped with {status}");
    Ok(())
}

/// A free port of loopback.
///
/// # Errors
/// No port is free.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port())
}

/// `tools/call`, as the client of somebody.
///
/// # Errors
/// The host answers with an error of JSON-RPC.
pub async fn call(client: &McpClient, tool: &str, arguments: Value) -> anyhow::Result<CallReply> {
    match client.call(tool, arguments).await {
        Ok(reply) => Ok(reply),
        Err(error) => bail!("the host answered with an error: {error}"),
    }
}

/// A headline of what is played.
pub fn title(text: &str) {
    println!("\n== {text}");
}
