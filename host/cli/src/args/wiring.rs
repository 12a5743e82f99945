//! The flags that `run` and `call` share: what is served, with what, for whom.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "What is served")]
pub(crate) struct WiringArgs {
    /// A plugin to serve, in addition to those of the configuration; may be repeated
    #[arg(long = "plugin", value_name = "FILE")]
    pub(crate) plugins: Vec<PathBuf>,
    /// The component of an adapter [default: adapters/NAME.wasm beside this program]
    #[arg(long = "adapter", value_name = "NAME=FILE")]
    pub(crate) adapters: Vec<String>,
    /// The configuration [default: host.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Development: a caller without a token is this tenant; only on loopback addresses
    #[arg(long, value_name = "NAME", env = "DEV_TENANT_NAME")]
    pub(crate) dev_tenant: Option<String>,
    /// A connection with a bearer credential; http:// for loopback only
    #[arg(long = "connection", value_name = "NAME=URL")]
    pub(crate) connections: Vec<String>,
    /// A tenant's credential for a connection; with --dev-tenant, TENANT/ is optional
    #[arg(long = "credential", value_name = "[TENANT/]NAME=@FILE|env:VAR")]
    pub(crate) credentials: Vec<String>,
    /// Approve all grants that the plugins request, without a prompt
    #[arg(long)]
    pub(crate) yes: bool,
    /// The lock file, which holds the grants [default: host.lock beside the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    /// The cache of compiled plugins [default: $XDG_CACHE_HOME/toolhost, or ~/.cache/toolhost]
    #[arg(long, value_name = "DIR", env = "TOOLHOST_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: super::DataArgs,
}
