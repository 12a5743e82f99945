use std::sync::Arc;

use anyhow::ensure;
use tempfile::TempDir;
use toolhost_examples::player::{self, OutsideSystem};
use toolhost_harness::host::{run, write};
use toolhost_harness::{Host, Issuer};

/// The address of the systems in `host.toml`; here they take a free port.
const UPSTREAM: &str = "127.0.0.1:8097";

const AUDIENCE: &str = "https://tools.billing.example/mcp";

/// The components of `host.toml`.
const COMPONENTS: [&str; 3] = ["invoices", "openapi", "mcp"];

/// Both programs running, with the example's own `host.toml`.
pub(super) struct TenantBillingSetup {
    pub(super) host: Host,
    pub(super) upstream: OutsideSystem,
    pub(super) issuer: Issuer,
    pub(super) directory: Arc<TempDir>,
}

impl TenantBillingSetup {
    pub(super) fn set_up() -> anyhow::Result<Self> {
        let directory = Arc::new(tempfile::tempdir()?);
        let place = directory.path();
        let secret = player::secret_file(place, "broker.secret", "host_");
        let upstream = OutsideSystem::start(
            "tenant-billing-upstream",
            place,
            &["--secret".to_owned(), secret],
        )?;
        let configuration = player::with_addresses(
            "examples/tenant-billing/host.toml",
            &[(UPSTREAM, &upstream.address)],
        )?;
        write(place, "host.toml", configuration);
        player::copy_components(&COMPONENTS, place)?;
        let issuer = player::issuer(place, AUDIENCE)?;
        let approved = run(
            place,
            &[
                "connection",
                "approve",
                "support",
                "--as-tenant",
                "acme",
                "--yes",
            ],
        );
        ensure!(
            approved.status == 0,
            "the help desk cannot be approved: {}",
            approved.stderr
        );
        println!("\n{}", approved.stderr.trim_end());
        println!("{}", approved.stdout.trim_end());
        Ok(Self {
            host: Host::start_in(Arc::clone(&directory)),
            upstream,
            issuer,
            directory,
        })
    }
}
