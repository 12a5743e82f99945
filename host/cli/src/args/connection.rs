//! The flags of the verbs that look at connections.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DataDirArgs, UserArgs, WiringArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum ConnectionCommand {
    /// List the connections of the configuration, and the sources of their credentials
    #[command(after_long_help = LIST)]
    List(ConnectionListArgs),
    /// Show one connection of the configuration
    #[command(after_long_help = SHOW)]
    Show(ConnectionShowArgs),
    /// Test a connection: get the credential, resolve the host and connect; send nothing
    #[command(after_long_help = TEST)]
    Test(Box<ConnectionTestArgs>),
    /// Create a link with which a caller connects their own account
    #[command(after_long_help = LOGIN)]
    Login(ConnectionLoginArgs),
    /// Review the operations or tools that a system offers now, and approve them
    #[command(after_long_help = APPROVE)]
    Approve(Box<ApproveArgs>),
    /// List the plugins that are quarantined because an answer contained the credential
    #[command(after_long_help = QUARANTINES)]
    Quarantines(QuarantinesArgs),
    /// End a quarantine: let plugins use a tenant's connection again
    #[command(after_long_help = LIFT)]
    Lift(LiftArgs),
}

#[derive(Debug, Args)]
pub(crate) struct QuarantinesArgs {
    /// List only this tenant's
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LiftArgs {
    /// The connection
    pub(crate) name: String,
    /// The tenant
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: String,
    /// Only for this plugin [default: for all]
    #[arg(long, value_name = "NAME")]
    pub(crate) plugin: Option<String>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectionListArgs {
    /// The configuration [default: host.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectionShowArgs {
    /// The connection
    pub(crate) name: String,
    /// The configuration [default: host.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The lock file, which holds what is approved [default: host.lock beside the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    /// The cache of compiled plugins [default: $XDG_CACHE_HOME/toolhost, or ~/.cache/toolhost]
    #[arg(long, value_name = "DIR", env = "TOOLHOST_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectionTestArgs {
    /// The connection
    pub(crate) name: String,
    /// The tenant
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: String,
    #[command(flatten)]
    pub(crate) user: UserArgs,
    #[command(flatten)]
    pub(crate) wiring: WiringArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectionLoginArgs {
    /// The connection
    pub(crate) name: String,
    /// The caller's token
    #[arg(long = "as", value_name = "@FILE|env:VAR")]
    pub(crate) token: String,
    /// Wait until the account is connected or the login has expired
    #[arg(long)]
    pub(crate) wait: bool,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The connection
    pub(crate) connection: String,
    /// For a system without a document: ask it with this tenant's credential
    #[arg(long, value_name = "NAME", conflicts_with = "dev_tenant")]
    pub(crate) as_tenant: Option<String>,
    /// Ask it with the credential of this token's caller
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
    /// The component of an adapter [default: adapters/NAME.wasm beside this program]
    #[arg(long = "adapter", value_name = "NAME=FILE")]
    pub(crate) adapters: Vec<String>,
    /// The lock file, which holds what is approved [default: host.lock beside the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) lock: Option<PathBuf>,
    /// The cache of compiled plugins [default: $XDG_CACHE_HOME/toolhost, or ~/.cache/toolhost]
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

If a host runs on the data directory, it makes the test; otherwise this process does. The exit status
is 5 if a step fails.";

const LOGIN: &str = "\
Examples:
  host connection login crm --as @token.jwt
  host connection login crm --as @token.jwt --wait

The host must be running. The link can be used once, within five minutes; whoever opens it connects an
account for the token's caller. To remove the account:
  host credential remove TENANT/NAME --user-issuer URL --user-subject NAME";

const QUARANTINES: &str = "\
Examples:
  host connection quarantines
  host connection quarantines --tenant acme --output table

After a second call with an answer that contains a tenant's credential, the plugin cannot use the
connection for that tenant any more, on any host of the store, until the quarantine is lifted.";

const LIFT: &str = "\
Examples:
  host connection lift billing --tenant acme
  host connection lift billing --tenant acme --plugin invoices

Find out first why the system returns the credential. If an operation does so by design, list it in
host.toml under [[connections.NAME.reflects]].";

const APPROVE: &str = "\
Examples:
  host connection approve billing
  host connection approve support --as-tenant acme --yes

Shows, tool by tool, what changed since the last approval, asks, and stores the answer in host.lock. A
running host serves the newly approved tools after its next start.";

pub(crate) const EXPLAIN: &str = "\
Examples:
  host explain billing GET '/v1/invoices?limit=5' --as @token.jwt
  host explain billing POST /v1/invoices/in_1/refunds --as env:TOOLHOST_TOKEN --output json

Nothing is sent except DNS queries, and no secret is shown. The exit status is 4 if the request would
be refused.";

pub(crate) const LINT: &str = "\
Examples:
  host lint
  host lint --config /etc/toolhost/host.toml --output json

The exit status is 7 if there are findings. Nothing is sent and no secret is shown.";
