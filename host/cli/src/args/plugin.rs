//! The flags of `host plugin`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use toolhost_policy::OperationMode;

use super::DataDirArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Grant a plugin, or some of its tools, to a tenant; applies to calls from then on
    #[command(after_long_help = ASSIGN)]
    Assign(AssignArgs),
    /// Revoke a plugin from a tenant; calls that begin afterwards are refused
    #[command(after_long_help = UNASSIGN)]
    Unassign(UnassignArgs),
    /// List the plugins, and which of them tenants have
    #[command(after_long_help = LIST)]
    List(PluginListArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AssignArgs {
    /// The plugin's name, as in its manifest
    pub(crate) plugin: String,
    /// The tenant that gets it
    pub(crate) tenant: String,
    /// Grant only this tool; may be repeated [default: all, including those of later versions]
    #[arg(long = "tool", value_name = "NAME")]
    pub(crate) tools: Vec<String>,
    /// The mode of its tools for this tenant, if stricter than [tools] mode and the tenant's mode
    #[arg(long, value_enum, value_name = "MODE")]
    pub(crate) mode: Option<ModeArg>,
    #[command(flatten)]
    pub(crate) kept: PluginDataArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UnassignArgs {
    /// The plugin's name, as in its manifest
    pub(crate) plugin: String,
    /// The tenant that loses it
    pub(crate) tenant: String,
    #[command(flatten)]
    pub(crate) kept: PluginDataArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PluginListArgs {
    /// List what this tenant has [default: what a tenant without assignments of its own has]
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) kept: PluginDataArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PluginDataArgs {
    /// The lock file, which lists the plugins when no host runs [default: host.lock beside the
    /// configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

/// Which tools and requests are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// Only tools and requests that change nothing
    ReadOnly,
    /// Tools that destroy nothing, and any request except DELETE
    Standard,
    /// All tools
    Full,
}

impl From<ModeArg> for OperationMode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::ReadOnly => Self::ReadOnly,
            ModeArg::Standard => Self::Standard,
            ModeArg::Full => Self::Full,
        }
    }
}

const ASSIGN: &str = "\
Examples:
  host plugin assign billing acme
  host plugin assign billing globex --tool list_invoices --tool get_invoice --mode read-only

Replaces the tenant's earlier assignment of the plugin. With [plugins.NAME] tenants = \"assigned\", only
assigned tenants have the plugin; otherwise an assignment restricts it for this tenant.";

const UNASSIGN: &str = "\
Examples:
  host plugin unassign billing globex

The tenant loses the plugin even if all other tenants have it. Calls in flight are not interrupted.";

const LIST: &str = "\
Examples:
  host plugin list
  host plugin list --tenant acme --output table";
