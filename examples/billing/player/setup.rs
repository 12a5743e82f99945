use std::sync::Arc;

use anyhow::{Context, ensure};
use tempfile::TempDir;
use toolhost_examples::player::{self, ISSUER, OutsideSystem};
use toolhost_harness::host::write;
use toolhost_harness::{Host, Issuer, guests};

/// The tenants that call.
pub(super) const TENANTS: [&str; 2] = ["acme", "globex"];

/// The audience of tokens. The port is not known before the host listens, so it is not the
/// listener's URL.
const AUDIENCE: &str = "https://toolhost.localhost/mcp";

/// How many characters of a secret the billing system's record shows.
const SHOWN: usize = 4;

/// Both programs running, and all that they were given.
pub(super) struct DemoSetup {
    pub(super) host: Host,
    pub(super) upstream: OutsideSystem,
    issuer: Issuer,
    pub(super) directory: Arc<TempDir>,
}

impl DemoSetup {
    pub(super) fn set_up() -> anyhow::Result<Self> {
        let directory = Arc::new(tempfile::tempdir()?);
        let place = directory.path();
        let mut accounts = Vec::new();
        for tenant in TENANTS {
            let secret = player::secret_file(place, &format!("{tenant}.secret"), "tok_demo_");
            accounts.extend(["--account".to_owned(), format!("{tenant}={secret}")]);
        }
        let upstream = OutsideSystem::start("billing-upstream", place, &accounts)?;
        let issuer = player::issuer(place, AUDIENCE)?;
        write(place, "host.toml", configuration(&upstream.url())?);
        Ok(Self {
            host: Host::start_in(Arc::clone(&directory)),
            upstream,
            issuer,
            directory,
        })
    }

    /// A caller's token.
    pub(super) fn token(&self, tenant: &str) -> String {
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
}

fn configuration(upstream: &str) -> anyhow::Result<String> {
    let plugin = guests::path("billing");
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
