//! The flags of `host tenant`.

use clap::{ArgGroup, Args, Subcommand};

use super::DataDirArgs;
use super::plugin::ModeArg;

#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Add a tenant; a running host serves it immediately
    #[command(after_long_help = ADD)]
    Add(AddArgs),
    /// Change a tenant's display name, keys at identity providers, or mode
    #[command(after_long_help = SET)]
    Set(DescribeArgs),
    /// List all tenants
    #[command(after_long_help = LIST)]
    List(TenantListArgs),
    /// Show one tenant and its descendants
    #[command(after_long_help = SHOW)]
    Show(TenantArgs),
    /// Move a tenant, with its descendants, below another tenant
    #[command(after_long_help = MOVE)]
    Move(MoveArgs),
    /// Refuse the calls of a tenant and of its descendants
    #[command(after_long_help = SUSPEND)]
    Suspend(TenantArgs),
    /// Serve a suspended tenant again
    #[command(after_long_help = RESUME)]
    Resume(TenantArgs),
    /// Remove a tenant, and destroy its key and all its data
    #[command(after_long_help = REMOVE)]
    Remove(TenantRemoveArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The tenant's id: 1 to 63 of a-z, 0-9 and -
    #[arg(value_name = "NAME")]
    pub(crate) tenant: String,
    /// The parent tenant [default: none; the tenant is a root]
    #[arg(long, value_name = "NAME")]
    pub(crate) parent: Option<String>,
    /// The display name
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// A key that identity providers use for the tenant, beside its id; may be repeated
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// The tenant was removed and a backup of it restored: serve the restored data
    #[arg(long)]
    pub(crate) restored: bool,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["name", "keys", "no_keys", "mode"]))]
pub(crate) struct DescribeArgs {
    /// The tenant
    #[arg(value_name = "NAME")]
    pub(crate) tenant: String,
    /// The display name
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// A key that identity providers use, in place of all its present keys; may be repeated
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Remove all its keys: only its id remains
    #[arg(long, conflicts_with = "keys")]
    pub(crate) no_keys: bool,
    /// The mode of its tools, if stricter than [tools] mode
    #[arg(long, value_enum, value_name = "MODE")]
    pub(crate) mode: Option<ModeArg>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TenantListArgs {
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TenantArgs {
    /// The tenant
    #[arg(value_name = "NAME")]
    pub(crate) tenant: String,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("where").required(true).args(["parent", "root"]))]
pub(crate) struct MoveArgs {
    /// The tenant
    #[arg(value_name = "NAME")]
    pub(crate) tenant: String,
    /// The new parent tenant
    #[arg(long, value_name = "NAME")]
    pub(crate) parent: Option<String>,
    /// Make the tenant a root
    #[arg(long)]
    pub(crate) root: bool,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TenantRemoveArgs {
    /// The tenant
    #[arg(value_name = "NAME")]
    pub(crate) tenant: String,
    /// Confirm: the data cannot be recovered
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

const ADD: &str = "\
Examples:
  host tenant add acme --name 'Acme Ltd' --key org_AbC123
  host tenant add acme-eu --parent acme

A removed tenant can be added again and starts empty; with --restored it has the data of a backup.";

const SET: &str = "\
Examples:
  host tenant set acme --name 'Acme plc'
  host tenant set acme --key org_AbC123 --key org_XyZ789
  host tenant set acme --mode read-only";

const LIST: &str = "\
Examples:
  host tenant list
  host tenant list --output table";

const SHOW: &str = "\
Examples:
  host tenant show acme --output json";

const MOVE: &str = "\
Examples:
  host tenant move acme-eu --parent globex
  host tenant move acme-eu --root";

const SUSPEND: &str = "\
Examples:
  host tenant suspend acme

Calls in flight are not interrupted; calls that begin afterwards are refused. No data is deleted.";

const RESUME: &str = "\
Examples:
  host tenant resume acme";

const REMOVE: &str = "\
Examples:
  host tenant remove acme --yes

Deletes the tenant's credentials, values and key, but not its audit chain. To keep them, suspend the
tenant instead.";
