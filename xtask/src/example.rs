//! `cargo xtask demo` and `cargo xtask example`: builds what an example of `examples/` needs, and
//! runs its player, which starts the programs, calls them, shows what they answer, and fails where
//! a claim that it prints does not hold.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use clap::ValueEnum;

use crate::steps::bounded;
use crate::{guests, install, workspace};

/// From the first start to the last stop. No example takes more than a few seconds.
const WHOLE: Duration = Duration::from_secs(60);

/// A folder of `examples/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Example {
    /// One tool, two tenants: what `cargo xtask demo` shows
    Billing,
    /// One login, several tenants: list, switch, segments, reset, help
    Nevent,
    /// Two hosts on one PostgreSQL server behind nginx, one of which is killed
    Cluster,
    /// An authored tool, an OpenAPI connection and an MCP connection, for two tenants
    TenantBilling,
}

impl Example {
    /// Its player, and the outside system that the player starts beside the host.
    fn programs(self) -> [&'static str; 2] {
        match self {
            Self::Billing => ["play-billing", "billing-upstream"],
            Self::Nevent => ["play-nevent", "nevent-upstream"],
            Self::Cluster => ["play-cluster", "billing-upstream"],
            Self::TenantBilling => ["play-tenant-billing", "tenant-billing-upstream"],
        }
    }
}

/// Builds, unless it is built, and plays.
///
/// # Errors
/// Something does not build, or the player fails.
pub(crate) fn run(
    root: &Path,
    example: Example,
    built: bool,
    record: Option<&Path>,
) -> anyhow::Result<()> {
    let [player, upstream] = example.programs();
    if !built {
        if example == Example::Cluster {
            install::cluster()?;
        }
        guests::build(root)?;
        workspace::build_programs(root, &["host", player, upstream])?;
    }
    let mut command = Command::new(workspace::built(root, player));
    command
        .args(record)
        .env("PATH", install::path_with_servers()?);
    let Some(status) = bounded(&mut command, WHOLE)? else {
        anyhow::bail!("{player} took longer than {} s", WHOLE.as_secs());
    };
    ensure!(
        status.success(),
        "{player} failed ({status}); the reason is above"
    );
    Ok(())
}
