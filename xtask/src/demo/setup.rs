use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::stage::{self, DevIssuer, HostProcess, ISSUER, Process};
use crate::workspace::{built, target};

/// Who plays.
pub(super) const TENANTS: [&str; 2] = ["acme", "globex"];

/// What tokens name as their audience. The port is not known before the host listens, so it is not the listener's URL.
const AUDIENCE: &str = "https://toolhost.localhost/mcp";

/// How much of a secret the billing system's record shows.
const SHOWN: usize = 4;

/// Both programs running, and all that they were given, in a directory that goes with this.
pub(super) struct DemoSetup {
    pub(super) upstream_url: String,
    /// What crossed the wire.
    pub(super) record: PathBuf,
    directory: tempfile::TempDir,
    issuer: DevIssuer,
    pub(super) host: HostProcess,
    upstream: Process,
}

impl DemoSetup {
    pub(super) async fn set_up(root: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let place = directory.path();
        let record = place.join("wire.jsonl");
        let mut upstream = Command::new(built(root, "billing-upstream"));
        upstream
            .args(["--listen", "127.0.0.1:0", "--record"])
            .arg(&record);
        for tenant in TENANTS {
            let secret = place.join(format!("{tenant}.secret"));
            stage::write(&secret, &stage::random("tok_demo_")?)?;
            upstream
                .arg("--account")
                .arg(format!("{tenant}=@{}", secret.display()));
        }
        let (upstream, line) = Process::start("billing-upstream", &mut upstream)?;
        let upstream_url = line
            .strip_prefix("listening on ")
            .context("billing-upstream did not say where it is")?;
        let upstream_url = upstream_url.to_owned();

        let issuer = DevIssuer::new(root, place, AUDIENCE)?;
        let plugin = target(root).join("guests").join("billing.wasm");
        std::fs::write(place.join("host.toml"), configuration(&plugin, &upstream_url)?)?;
        let host = HostProcess::start(root, place)?;
        Ok(Self {
            upstream_url,
            record,
            directory,
            issuer,
            host,
            upstream,
        })
    }

    /// A caller's token.
    pub(super) fn token(&self, tenant: &str) -> anyhow::Result<String> {
        self.issuer.token(tenant)
    }

    /// The last characters of a tenant's secret, as the record shows them.
    pub(super) fn secret_tail(&self, tenant: &str) -> anyhow::Result<String> {
        let secret = self.secret(tenant)?;
        let start = secret.len().saturating_sub(SHOWN);
        Ok(secret.get(start..).unwrap_or_default().to_owned())
    }

    /// No secret of anybody is in a text.
    pub(super) fn check_no_secret(&self, text: &str) -> anyhow::Result<()> {
        for tenant in TENANTS {
            ensure!(
                !text.contains(&self.secret(tenant)?),
                "an answer held {tenant}'s secret"
            );
        }
        Ok(())
    }

    fn secret(&self, tenant: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(
            self.directory.path().join(format!("{tenant}.secret")),
        )?)
    }

    /// Stops both; the host must say that it went well.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.host.stop()?;
        drop(self.upstream);
        Ok(())
    }
}

fn configuration(plugin: &Path, upstream: &str) -> anyhow::Result<String> {
    let plugin = plugin
        .to_str()
        .context("the target directory's name is not UTF-8")?;
    let tenants: String = TENANTS
        .iter()
        .map(|tenant| {
            format!(
                "[tenants.{tenant}]\n[credentials.{tenant}.billing]\nfile = \"{tenant}.secret\"\nexternal_tenant_id = \"acct_{tenant}\"\n"
            )
        })
        .collect();
    Ok(format!(
        r#"[server]
public_url = "{AUDIENCE}"
allowed_hosts = ["127.0.0.1"]
[plugins.billing]
file = '{plugin}'
[connections.billing]
base = "{upstream}"
auth = {{ type = "bearer" }}
headers = {{ x-account-id = "{{external_tenant_id}}" }}
allow_http = true
allow_loopback = true
[[issuers]]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
jwks_file = "keys/jwks.json"
tenant_claim = "/tenantId"
{tenants}"#
    ))
}
