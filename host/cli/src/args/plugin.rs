//! The flags of `host plugin`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use toolhost_policy::OperationMode;

use super::DataDirArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Give a tenant a plugin, or some of its tools; calls that begin afterwards may use them
    #[command(after_long_help = ASSIGN)]
    Assign(AssignArgs),
    /// Take a plugin from a tenant; calls that begin afterwards are refused
    #[command(after_long_help = UNASSIGN)]
    Unassign(UnassignArgs),
    /// List the plugins, and what tenants have of them
    #[command(after_long_help = LIST)]
    List(PluginListArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AssignArgs {
    /// Its name, as its manifest has it
    pub(crate) plugin: String,
    /// Who gets it
    pub(crate) tenant: String,
    /// This tool alone; may be repeated [default: all, and those that later versions add]
    #[arg(long = "tool", value_name = "NAME")]
    pub(crate) tools: Vec<String>,
    /// How far its tools may go for this tenant, where that is less than [tools] mode and the
    /// tenant's own
    #[arg(long, value_enum, value_name = "MODE")]
    pub(crate) mode: Option<ModeArg>,
    #[command(flatten)]
    pub(crate) kept: PluginDataArgs,
}

#[derive(Debug, Args)]
pub(crate) struct UnassignArgs {
    /// Its name, as its manifest has it
    pub(crate) plugin: String,
    /// From whom
    pub(crate) tenant: String,
    #[command(flatten)]
    pub(crate) kept: PluginDataArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PluginListArgs {
    /// What this tenant has [default: what every tenant has of which nothing else is said]
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) kept: PluginDataArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PluginDataArgs {
    /// Where no host runs: where grants are kept, and so which plugins there are [default:
    /// host.lock beside the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

/// How far tools may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArg {
    /// Tools that change nothing, and requests that change nothing
    ReadOnly,
    /// Tools that destroy nothing, and any request but DELETE
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

What was assigned before is replaced. It says who has a plugin of [plugins.NAME] tenants = \"assigned\"; of a plugin that every
tenant has, it says what is left of it for this one.";

const UNASSIGN: &str = "\
Examples:
  host plugin unassign billing globex

The tenant does not have the plugin then, also where every other tenant has it. Calls in flight end as they would.";

const LIST: &str = "\
Examples:
  host plugin list
  host plugin list --tenant acme --output table";
