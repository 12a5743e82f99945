//! The flags of the verbs that look at connections.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DataDirArgs, UserArgs, WiringArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// List the connections of the configuration, and where their credentials come from
    #[command(after_long_help = LIST)]
    List(ConnectionListArgs),
    /// Show one connection of the configuration
    #[command(after_long_help = SHOW)]
    Show(ConnectionShowArgs),
    /// Get a tenant's credential, look the address up and open a connection; send nothing
    #[command(after_long_help = TEST)]
    Test(Box<ConnectionTestArgs>),
    /// Make a link where a caller connects an account of their own
    #[command(after_long_help = LOGIN)]
    Login(ConnectionLoginArgs),
    /// Look at what a connection's system offers now, and say yes to it
    #[command(after_long_help = APPROVE)]
    Approve(Box<ApproveArgs>),
    /// List the plugins and connections of which answers have held the credential
    #[command(after_long_help = QUARANTINES)]
    Quarantines(QuarantinesArgs),
    /// Let plugins use a connection of a tenant again whose answers have held the credential
    #[command(after_long_help = LIFT)]
    Lift(LiftArgs),
}

#[derive(Debug, Args)]
pub(crate) struct QuarantinesArgs {
    /// Of this tenant alone
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LiftArgs {
    /// The connection
    pub(crate) name: String,
    /// Of this tenant
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: String,
    /// For this plugin alone
    #[arg(long, value_name = "NAME")]
    pub(crate) plugin: Option<String>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectionListArgs {
    /// The configuration [default: host.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectionShowArgs {
    /// Its name
    pub(crate) name: String,
    /// The configuration [default: host.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where grants are kept, and so what is approved [default: host.lock beside the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    /// Where compiled plugins are kept [default: $XDG_CACHE_HOME/toolhost, or ~/.cache/toolhost]
    #[arg(long, value_name = "DIR", env = "TOOLHOST_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectionTestArgs {
    /// Its name
    pub(crate) name: String,
    /// For this tenant
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: String,
    #[command(flatten)]
    pub(crate) user: UserArgs,
    #[command(flatten)]
    pub(crate) wiring: WiringArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectionLoginArgs {
    /// Its name
    pub(crate) name: String,
    /// The caller's token
    #[arg(long = "as", value_name = "@FILE|env:VAR")]
    pub(crate) token: String,
    /// Wait until the account is connected, for at most as long as a login may take
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The connection
    pub(crate) connection: String,
    /// For whom a system is asked that has no document: this tenant, with its credential
    #[arg(long, value_name = "NAME", conflicts_with = "dev_tenant")]
    pub(crate) as_tenant: Option<String>,
    /// Ask with the credential of this token's caller
    #[arg(long, value_name = "@FILE|env:VAR", conflicts_with = "as_tenant")]
    pub(crate) token: Option<String>,
    #[command(flatten)]
    pub(crate) wiring: WiringArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The connection
    pub(crate) connection: String,
    /// GET, HEAD, OPTIONS, POST, PUT, PATCH or DELETE
    pub(crate) method: String,
    /// Path and query, below the connection's base
    pub(crate) path: String,
    /// The caller's token
    #[arg(long = "as", value_name = "@FILE|env:VAR")]
    pub(crate) token: String,
    #[command(flatten)]
    pub(crate) wiring: WiringArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// The component of an adapter [default: NAME.wasm in the directory adapters beside this
    /// program]
    #[arg(long = "adapter", value_name = "NAME=FILE")]
    pub(crate) adapters: Vec<String>,
    /// Where grants are kept, and so what is approved [default: host.lock beside the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    /// Where compiled plugins are kept [default: $XDG_CACHE_HOME/toolhost, or ~/.cache/toolhost]
    #[arg(long, value_name = "DIR", env = "TOOLHOST_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

const LIST: &str = "\
Examples:
  host connection list
  host connection list --config /etc/toolhost/host.toml --output table";

const SHOW: &str = "\
Examples:
  host connection show billing --output json";

const TEST: &str = "\
Examples:
  host connection test billing --tenant acme
  host connection test crm --tenant acme --user-issuer https://idp.example.com --user-subject ada

A host that runs on the data directory tests it, and otherwise this process does. The exit status is 5 where a step failed.";

const LOGIN: &str = "\
Examples:
  host connection login crm --as @token.jwt
  host connection login crm --as @token.jwt --wait

The host has to run. The link is good once and for five minutes; whoever opens it connects an account for the token's caller.
host credential remove TENANT/NAME --user-issuer URL --user-subject NAME forgets the account.";

const QUARANTINES: &str = "\
Examples:
  host connection quarantines
  host connection quarantines --tenant acme --output table

With the second call whose answers hold a tenant's credential its connection is not used any more by that plugin for that
tenant, at any host of the store, until it is lifted.";

const LIFT: &str = "\
Examples:
  host connection lift billing --tenant acme
  host connection lift billing --tenant acme --plugin invoices

Look first why the system sends the credential back. An operation that does so by its nature is accepted in host.toml, with
[[connections.NAME.reflects]].";

const APPROVE: &str = "\
Examples:
  host connection approve billing
  host connection approve support --as-tenant acme --yes

Shows what changed since the last yes, tool by tool, asks, and keeps the answer in host.lock. A host that runs serves what
was approved when it is started again. Until then it serves what it had.";

pub(crate) const EXPLAIN: &str = "\
Examples:
  host explain billing GET '/v1/invoices?limit=5' --as @token.jwt
  host explain billing POST /v1/invoices/in_1/refunds --as env:TOOLHOST_TOKEN --output json

Nothing is sent but questions to name servers, and no secret is shown. What is judged is the way out: rules, credential and
address, not which tools a tenant is assigned. The exit status is 4 where the request would be refused.";

pub(crate) const LINT: &str = "\
Examples:
  host lint
  host lint --config /etc/toolhost/host.toml --output json

The exit status is 7 where something was found. Nothing is sent and no secret is shown.";
