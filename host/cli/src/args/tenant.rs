//! The flags of `host tenant`.

use clap::{ArgGroup, Args, Subcommand};

use super::DataDirArgs;
use super::plugin::ModeArg;

#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// Add a tenant; a host that runs serves it at once
    #[command(after_long_help = ADD)]
    Add(AddArgs),
    /// Change what people and identity providers call a tenant, and how far its tools may go
    #[command(after_long_help = SET)]
    Set(DescribeArgs),
    /// List all tenants
    #[command(after_long_help = LIST)]
    List(TenantListArgs),
    /// Show one tenant and those below it
    #[command(after_long_help = SHOW)]
    Show(TenantArgs),
    /// Put a tenant, and all below it, under another one
    #[command(after_long_help = MOVE)]
    Move(MoveArgs),
    /// Refuse the calls of a tenant and of all below it
    #[command(after_long_help = SUSPEND)]
    Suspend(TenantArgs),
    /// Serve a suspended tenant again
    #[command(after_long_help = RESUME)]
    Resume(TenantArgs),
    /// Remove a tenant and destroy its key and everything that is kept for it
    #[command(after_long_help = REMOVE)]
    Remove(TenantRemoveArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Its id: 1 to 63 of a-z, 0-9 and -
    #[arg(value_name = "NAME")]
    pub(crate) tenant: String,
    /// The tenant that it stands below [default: none; it is a root]
    #[arg(long, value_name = "NAME")]
    pub(crate) parent: Option<String>,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// What an identity provider calls it, beside its id; may be repeated
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// It was removed and a backup of it was restored: serve what was brought back
    #[arg(long)]
    pub(crate) restored: bool,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["name", "keys", "no_keys", "mode"]))]
pub(crate) struct DescribeArgs {
    /// Which
    #[arg(value_name = "NAME")]
    pub(crate) tenant: String,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// What an identity provider calls it, in place of all keys that it has; may be repeated
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Its id alone
    #[arg(long, conflicts_with = "keys")]
    pub(crate) no_keys: bool,
    /// How far its tools may go, where that is less than [tools] mode
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
    /// Which
    #[arg(value_name = "NAME")]
    pub(crate) tenant: String,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("where").required(true).args(["parent", "root"]))]
pub(crate) struct MoveArgs {
    /// Which
    #[arg(value_name = "NAME")]
    pub(crate) tenant: String,
    /// The tenant that it stands below from now on
    #[arg(long, value_name = "NAME")]
    pub(crate) parent: Option<String>,
    /// Below none
    #[arg(long)]
    pub(crate) root: bool,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TenantRemoveArgs {
    /// Which
    #[arg(value_name = "NAME")]
    pub(crate) tenant: String,
    /// Destroy it; there is no way back
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

const ADD: &str = "\
Examples:
  host tenant add acme --name 'Acme Ltd' --key org_AbC123
  host tenant add acme-eu --parent acme

One that was removed may be added again and starts empty; --restored serves what a backup brought.";

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

Calls in flight end as they would; calls that begin afterwards are refused. Nothing that is kept for the tenant is touched.";

const RESUME: &str = "\
Examples:
  host tenant resume acme";

const REMOVE: &str = "\
Examples:
  host tenant remove acme --yes

Its credentials, values and key are gone then; its audit chain stays. To keep them, suspend it instead.";
