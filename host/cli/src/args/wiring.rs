//! The flags that `run` and `call` share: what is served, with what, for whom.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(next_help_heading = "What is served")]
pub(crate) struct WiringArgs {
    /// A plugin to serve, beside those of the configuration; may be repeated
    #[arg(long = "plugin", value_name = "FILE")]
    pub(crate) plugins: Vec<PathBuf>,
    /// The component of an adapter [default: NAME.wasm in the directory adapters beside this
    /// program]
    #[arg(long = "adapter", value_name = "NAME=FILE")]
    pub(crate) adapters: Vec<String>,
    /// The configuration [default: host.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Development: callers without a token are this tenant; loopback listeners only
    #[arg(long, value_name = "NAME", env = "DEV_TENANT_NAME")]
    pub(crate) dev_tenant: Option<String>,
    /// A connection that plugins may ask for, with a bearer credential; http:// for loopback only
    #[arg(long = "connection", value_name = "NAME=URL")]
    pub(crate) connections: Vec<String>,
    /// A tenant's credential for a connection; TENANT/ may be left out with --dev-tenant
    #[arg(long = "credential", value_name = "[TENANT/]NAME=@FILE|env:VAR")]
    pub(crate) credentials: Vec<String>,
    /// Grant what the plugins ask for without a question
    #[arg(long)]
    pub(crate) yes: bool,
    /// Where grants are kept [default: host.lock beside the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    /// Where compiled plugins are kept [default: $XDG_CACHE_HOME/toolhost, or ~/.cache/toolhost]
    #[arg(long, value_name = "DIR", env = "TOOLHOST_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: super::DataArgs,
}
