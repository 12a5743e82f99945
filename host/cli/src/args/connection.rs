//! The flags of `host connection`.

use clap::{Args, Subcommand};

use super::WiringArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// Look at what a connection's system offers now, and say yes to it
    #[command(after_long_help = APPROVE)]
    Approve(Box<ApproveArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The connection
    pub(crate) connection: String,
    /// For whom a system is asked that has no document: this tenant, with its credential
    #[arg(long, value_name = "NAME", conflicts_with = "dev_tenant")]
    pub(crate) as_tenant: Option<String>,
    /// The same for the caller of a token
    #[arg(long, value_name = "@FILE|env:VAR", conflicts_with = "as_tenant")]
    pub(crate) token: Option<String>,
    #[command(flatten)]
    pub(crate) wiring: WiringArgs,
}

const APPROVE: &str = "\
Examples:
  host connection approve billing
  host connection approve support --as-tenant acme --yes

Shows what changed since the last yes, tool by tool, asks, and keeps the answer in host.lock. A host that runs serves what
was approved when it is started again. Until then it serves what it had.";
