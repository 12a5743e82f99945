use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::balancer::Balancer;
use super::server::PostgresServer;
use crate::stage::{self, DevIssuer, HostProcess, Process};
use crate::workspace::{built, target};

/// Where things are in `host.toml`; here they take free ports.
const UPSTREAM: &str = "127.0.0.1:8099";
const DATABASE: &str = "127.0.0.1:5432";

const AUDIENCE: &str = "https://tools.cluster.example/mcp";

pub(super) const TENANTS: [&str; 2] = ["acme", "globex"];

/// What both hosts are given, beside their `host.toml`.
const SHARED: [&str; 6] = [
    "billing.wasm",
    "master.key",
    "database.password",
    "acme.secret",
    "globex.secret",
    "jwks.json",
];

/// All of it running, in directories that go with this. What is named first ends first.
pub(super) struct ClusterSetup {
    pub(super) balancer: Balancer,
    pub(super) one: HostProcess,
    pub(super) two: HostProcess,
    pub(super) server: PostgresServer,
    pub(super) upstream_url: String,
    /// What crossed the wire to the billing system.
    pub(super) record: PathBuf,
    pub(super) issuer: DevIssuer,
    pub(super) upstream: Process,
    pub(super) directory: tempfile::TempDir,
}

impl ClusterSetup {
    pub(super) fn set_up(root: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let place = directory.path();
        let record = place.join("wire.jsonl");
        let mut upstream = Command::new(built(root, "billing-upstream"));
        upstream
            .args(["--listen", "127.0.0.1:0", "--record"])
            .arg(&record);
        for tenant in TENANTS {
            let secret = place.join(format!("{tenant}.secret"));
            stage::write(&secret, &stage::random("tok_cluster_")?)?;
            upstream
                .arg("--account")
                .arg(format!("{tenant}=@{}", secret.display()));
        }
        let (upstream, line) = Process::start("billing-upstream", &mut upstream)?;
        let address = line.strip_prefix("listening on http://");
        let address = address.context("billing-upstream did not say where it is")?;

        let server = PostgresServer::start()?;
        stage::write(&place.join("database.password"), &server.password)?;
        stage::write(&place.join("master.key"), &master_key()?)?;
        let issuer = DevIssuer::new(root, place, AUDIENCE)?;
        std::fs::copy(place.join("keys/jwks.json"), place.join("jwks.json"))?;
        let plugin = target(root).join("guests/billing.wasm");
        std::fs::copy(&plugin, place.join("billing.wasm")).with_context(|| plugin.display().to_string())?;

        let mut configuration = std::fs::read_to_string(root.join("examples/cluster/host.toml"))
            .context("examples/cluster/host.toml")?;
        for (there, here) in [(UPSTREAM, address), (DATABASE, server.address.as_str())] {
            ensure!(
                configuration.contains(there),
                "examples/cluster/host.toml does not name {there}"
            );
            configuration = configuration.replace(there, here);
        }
        let one = host(root, place, "one", &configuration)?;
        let two = host(root, place, "two", &configuration)?;
        let balancer = Balancer::start(root, &place.join("nginx"), [one.address(), two.address()])?;
        Ok(Self {
            balancer,
            one,
            two,
            server,
            upstream_url: format!("http://{address}"),
            record,
            issuer,
            upstream,
            directory,
        })
    }
}

/// A host with a directory of its own, as if it were on a machine of its own.
fn host(root: &Path, place: &Path, name: &str, configuration: &str) -> anyhow::Result<HostProcess> {
    let own = place.join(name);
    std::fs::create_dir_all(own.join("keys"))?;
    std::fs::write(own.join("host.toml"), configuration)?;
    for file in SHARED {
        let folder = if file == "jwks.json" {
            own.join("keys")
        } else {
            own.clone()
        };
        // A copy is as private as what it is of.
        std::fs::copy(place.join(file), folder.join(file)).with_context(|| file.to_owned())?;
    }
    HostProcess::start(root, &own)
}

/// What `openssl rand -base64 32` makes, with what every Debian has.
fn master_key() -> anyhow::Result<String> {
    let output = Command::new("sh")
        .args(["-c", "head -c 32 /dev/urandom | base64"])
        .output()?;
    ensure!(output.status.success(), "no master key could be made");
    Ok(String::from_utf8(output.stdout)?)
}
