use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::stage::{self, DevIssuer, HostProcess, Process};
use crate::workspace::{built, target};

/// Where the systems are in `host.toml`; here they take a free port.
const UPSTREAM: &str = "127.0.0.1:8097";

const AUDIENCE: &str = "https://tools.billing.example/mcp";

/// The components of `host.toml`.
const COMPONENTS: [&str; 3] = ["invoices", "openapi", "mcp"];

/// Both programs running, with the example's own `host.toml`, in a directory that goes with this.
pub(super) struct TenantBillingSetup {
    pub(super) host: HostProcess,
    pub(super) upstream_url: String,
    /// What crossed the wire.
    pub(super) record: PathBuf,
    pub(super) issuer: DevIssuer,
    _upstream: Process,
    _directory: tempfile::TempDir,
}

impl TenantBillingSetup {
    pub(super) fn set_up(root: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let place = directory.path();
        let record = place.join("wire.jsonl");
        let secret = place.join("broker.secret");
        stage::write(&secret, &stage::random("host_")?)?;
        let mut upstream = Command::new(built(root, "tenant-billing-upstream"));
        upstream
            .args(["--listen", "127.0.0.1:0", "--secret"])
            .arg(format!("@{}", secret.display()))
            .arg("--record")
            .arg(&record);
        let (upstream, line) = Process::start("tenant-billing-upstream", &mut upstream)?;
        let address = line.strip_prefix("listening on http://");
        let address = address.context("tenant-billing-upstream did not say where it is")?;

        let configuration = std::fs::read_to_string(root.join("examples/tenant-billing/host.toml"))
            .context("examples/tenant-billing/host.toml")?;
        ensure!(
            configuration.contains(UPSTREAM),
            "examples/tenant-billing/host.toml does not name {UPSTREAM}"
        );
        std::fs::write(place.join("host.toml"), configuration.replace(UPSTREAM, address))?;
        for component in COMPONENTS {
            let file = format!("{component}.wasm");
            let from = target(root).join("guests").join(&file);
            std::fs::copy(&from, place.join(&file)).with_context(|| from.display().to_string())?;
        }
        let issuer = DevIssuer::new(root, place, AUDIENCE)?;
        let mut approve = Command::new(built(root, "host"));
        approve
            .args([
                "connection",
                "approve",
                "support",
                "--as-tenant",
                "acme",
                "--yes",
                "--config",
            ])
            .arg(place.join("host.toml"))
            .arg("--cache-dir")
            .arg(stage::cache(root))
            .env("RUST_LOG", "warn");
        let approved = approve.output()?;
        ensure!(
            approved.status.success(),
            "the help desk cannot be approved: {}",
            String::from_utf8_lossy(&approved.stderr)
        );
        println!("\n{}", String::from_utf8_lossy(&approved.stderr).trim_end());
        println!("{}", String::from_utf8_lossy(&approved.stdout).trim_end());
        Ok(Self {
            host: HostProcess::start(root, place)?,
            upstream_url: format!("http://{address}"),
            record,
            issuer,
            _upstream: upstream,
            _directory: directory,
        })
    }
}
