use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, ensure};
use tempfile::TempDir;
use toolhost_examples::player::{self, OutsideSystem};
use toolhost_harness::host::write;
use toolhost_harness::{Host, Issuer};

use crate::balancer::Balancer;
use crate::server::PostgresServer;

/// The addresses in `host.toml`; here they take free ports.
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
    "keys/jwks.json",
];

/// All of it running. What is named first ends first.
pub(super) struct ClusterSetup {
    pub(super) balancer: Balancer,
    pub(super) one: Host,
    pub(super) two: Host,
    pub(super) server: PostgresServer,
    pub(super) issuer: Issuer,
    pub(super) upstream: OutsideSystem,
    pub(super) directory: Arc<TempDir>,
}

impl ClusterSetup {
    pub(super) fn set_up() -> anyhow::Result<Self> {
        let directory = Arc::new(tempfile::tempdir()?);
        let place = directory.path();
        let mut accounts = Vec::new();
        for tenant in TENANTS {
            let secret = player::secret_file(place, &format!("{tenant}.secret"), "tok_cluster_");
            accounts.extend(["--account".to_owned(), format!("{tenant}={secret}")]);
        }
        let upstream = OutsideSystem::start("billing-upstream", place, &accounts)?;
        let server = PostgresServer::start()?;
        write(place, "database.password", &server.password);
        write(place, "master.key", master_key()?);
        let issuer = player::issuer(place, AUDIENCE)?;
        player::copy_components(&["billing"], place)?;
        let configuration = player::with_addresses(
            "examples/cluster/host.toml",
            &[(UPSTREAM, &upstream.address), (DATABASE, &server.address)],
        )?;
        let one = host(place, &configuration)?;
        let two = host(place, &configuration)?;
        let [first, second] = [&one, &two].map(|host| host.address().to_string());
        let balancer = Balancer::start(&place.join("nginx"), [&first, &second])?;
        Ok(Self {
            balancer,
            one,
            two,
            server,
            issuer,
            upstream,
            directory,
        })
    }
}

/// A host with a directory of its own, as if it were on a machine of its own.
fn host(place: &Path, configuration: &str) -> anyhow::Result<Host> {
    let own = Arc::new(tempfile::tempdir()?);
    std::fs::create_dir(own.path().join("keys"))?;
    write(own.path(), "host.toml", configuration);
    for file in SHARED {
        // A copy has the permissions of the original.
        std::fs::copy(place.join(file), own.path().join(file)).with_context(|| file.to_owned())?;
    }
    Ok(Host::start_in(own))
}

/// What `openssl rand -base64 32` makes, with what every Debian has.
fn master_key() -> anyhow::Result<String> {
    let output = Command::new("sh")
        .args(["-c", "head -c 32 /dev/urandom | base64"])
        .output()?;
    ensure!(output.status.success(), "no master key could be made");
    Ok(String::from_utf8(output.stdout)?)
}
