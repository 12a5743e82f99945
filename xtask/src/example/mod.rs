//! `cargo xtask example NAME`: a set-up of `examples/`, played from its start to its end. Every claim that is printed is
//! checked, and one that does not hold ends it with a failure.

#![allow(
    clippy::indexing_slicing,
    reason = "only JSON values are indexed: reading one gives null for what is not there"
)]

mod cluster;
mod nevent;
mod tenant_billing;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::ValueEnum;

use crate::{guests, install, workspace};

/// From the first start to the last stop. None takes more than a few seconds.
const WHOLE: Duration = Duration::from_secs(60);

/// A folder of `examples/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Example {
    /// One login, several tenants: list, switch, segments, reset, help
    Nevent,
    /// Two hosts on one PostgreSQL server behind nginx, one of which is killed
    Cluster,
    /// An authored tool, an OpenAPI connection and an MCP connection, for two tenants
    TenantBilling,
}

impl Example {
    /// What is started.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Nevent => &["host", "nevent-upstream"],
            Self::Cluster => &["host", "billing-upstream"],
            Self::TenantBilling => &["host", "tenant-billing-upstream"],
        }
    }

    async fn play(self, root: &Path, record: Option<&Path>) -> anyhow::Result<()> {
        match self {
            Self::Nevent => nevent::play(root, record).await,
            Self::Cluster => cluster::play(root, record).await,
            Self::TenantBilling => tenant_billing::play(root, record).await,
        }
    }
}

/// Builds, unless it is built; starts, calls, shows, stops.
///
/// # Errors
/// Something does not build or start, or anything is not as it should be.
pub(crate) fn run(root: &Path, example: Example, built: bool, record: Option<&Path>) -> anyhow::Result<()> {
    if !built {
        if example == Example::Cluster {
            install::cluster()?;
        }
        guests::build(root)?;
        workspace::build_programs(root, example.programs())?;
    }
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime
        .block_on(async { tokio::time::timeout(WHOLE, example.play(root, record)).await })
        .with_context(|| format!("the example took longer than {} s", WHOLE.as_secs()))??;
    println!(
        "\nAll as it should be, in {:.1} s.",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}
