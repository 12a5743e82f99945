//! The flags. A new verb is one variant here and one file under `verbs`.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "these comments are the help text, and [[issuers]] is a table of the configuration"
)]

mod connection;
mod data;
mod plugin;
mod tenant;
mod wiring;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use connection::{
    ApproveArgs, ConnectionCommand, ConnectionLoginArgs, ConnectionShowArgs, ConnectionTestArgs,
    ExplainArgs, LiftArgs, LintArgs, QuarantinesArgs,
};
pub(crate) use data::{
    AuditCommand, CredentialCommand, DataArgs, DataDirArgs, KeyCommand, MigrateArgs, SetArgs,
    StoreCommand, StoreKind, UserArgs,
};
pub(crate) use plugin::{PluginCommand, PluginDataArgs};
pub(crate) use tenant::TenantCommand;
pub(crate) use wiring::WiringArgs;

use crate::exit::STATUSES;

/// Run third-party tools for AI agents, sandboxed, for many tenants.
#[derive(Debug, Parser)]
#[command(name = "host", version, max_term_width = 100, after_long_help = STATUSES, propagate_version = true)]
pub(crate) struct Cli {
    /// Output format of results, on stdout
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) output: OutputFormat,
    /// Output format of logs, on stderr; RUST_LOG sets the levels
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub(crate) log_format: LogFormat,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    #[default]
    Text,
    Json,
    Table,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve plugins over MCP and HTTP, or over stdio
    #[command(after_long_help = RUN)]
    Run(Box<RunArgs>),
    /// Call one tool and print its result
    #[command(after_long_help = CALL)]
    Call(Box<CallArgs>),
    /// Show exports, imports and requested grants of a plugin, or the tools of a document
    #[command(after_long_help = INSPECT)]
    Inspect(InspectArgs),
    /// Embed a manifest in a component, so that one file is one plugin
    #[command(after_long_help = BUILD)]
    Build(BuildArgs),
    /// Create and inspect tokens for development
    #[command(subcommand)]
    Token(TokenCommand),
    /// Add, list, move, suspend and remove tenants
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Grant plugins and tools to tenants
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Manage tenants' credentials in the vault
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Show and test connections, approve what they offer, connect accounts
    #[command(subcommand)]
    Connection(ConnectionCommand),
    /// Show how a caller's request would be handled, without sending it
    #[command(after_long_help = connection::EXPLAIN)]
    Explain(Box<ExplainArgs>),
    /// Report risky configuration, such as credentials shared between tenants
    #[command(after_long_help = connection::LINT)]
    Lint(LintArgs),
    /// Back up, restore, check and migrate stored data
    #[command(subcommand)]
    Store(StoreCommand),
    /// Rotate the keys that encrypt stored data
    #[command(subcommand)]
    Key(KeyCommand),
    /// Read, verify and export the audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Check the configuration, secret files, keys, directories and the machine
    #[command(after_long_help = DOCTOR)]
    Doctor(DoctorArgs),
    /// Write shell completions to stdout
    #[command(after_long_help = COMPLETIONS)]
    Completions(CompletionsArgs),
}

impl Command {
    /// The log levels without `RUST_LOG`: a server logs what it does, a command that makes one call
    /// logs what the plugin and outside systems say.
    pub(crate) fn log_filter(&self) -> &'static str {
        match self {
            // rmcp tells of every stream that begins or ends, and of every error that a request is
            // answered with, with names that the client made up.
            Self::Run(_) => "info,rmcp=error",
            Self::Call(_) => "warn,guest=debug,upstream=debug",
            _ => "warn",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The address of MCP and HTTP [default: 127.0.0.1:8080]; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// The address of Prometheus metrics [default: none]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// The bearer token that scrapers of the metrics must send; required unless the address is
    /// loopback
    #[arg(long, value_name = "@FILE|env:VAR")]
    pub(crate) metrics_token: Option<String>,
    /// Serve MCP over stdin and stdout instead of HTTP; needs --token or --dev-tenant
    #[arg(long, conflicts_with_all = ["listen", "metrics_listen", "metrics_token"])]
    pub(crate) stdio: bool,
    /// The caller's token for --stdio; verified again at each call
    #[arg(long, value_name = "@FILE|env:VAR", requires = "stdio")]
    pub(crate) token: Option<String>,
    #[command(flatten)]
    pub(crate) wiring: WiringArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// The tool's name
    pub(crate) tool: String,
    /// The arguments: JSON, @FILE, or - for stdin
    #[arg(long, value_name = "JSON|@FILE|-", default_value = "{}")]
    pub(crate) args: String,
    /// The caller's token
    #[arg(long, value_name = "@FILE|env:VAR")]
    pub(crate) token: Option<String>,
    /// Answers to the tool's questions, without a terminal: a JSON object with the questions' ids
    /// as keys
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) answers: Option<String>,
    #[command(flatten)]
    pub(crate) wiring: WiringArgs,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The component, or an OpenAPI document
    pub(crate) file: PathBuf,
    /// The adapter that reads the document
    #[arg(long, value_name = "NAME[=FILE]", default_value = "openapi")]
    pub(crate) adapter: String,
    /// The configuration, which names the plugin or the adapter's component [default: host.toml, if
    /// it exists]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The cache of compiled plugins
    #[arg(long, value_name = "DIR", env = "TOOLHOST_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// The component
    pub(crate) file: PathBuf,
    /// The manifest, in TOML
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: PathBuf,
    /// The file of the plugin [default: replace the component]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token, signed with a development key, which is created on first use
    #[command(after_long_help = MINT)]
    Mint(Box<MintArgs>),
    /// Show a token's header and claims, and which checks of [[issuers]] it would pass
    #[command(after_long_help = TOKEN_INSPECT)]
    Inspect(TokenInspectArgs),
}

#[derive(Debug, Args)]
pub(crate) struct MintArgs {
    /// The directory of the development key (dev-key.pem) and its public half (jwks.json)
    #[arg(long, value_name = "DIR")]
    pub(crate) keys: PathBuf,
    /// `iss`, as `[[issuers]] issuer` has it
    #[arg(long, default_value = "https://issuer.localhost", value_name = "URL")]
    pub(crate) issuer: String,
    /// `aud`, as `[[issuers]] audience` has it
    #[arg(long, value_name = "URL")]
    pub(crate) audience: String,
    /// The value of the tenant claim [default: no claim]
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// The place of the tenant claim, as a JSON pointer
    #[arg(long, default_value = "/tenantId", value_name = "POINTER")]
    pub(crate) tenant_claim: String,
    /// The value of the role claim: admin, owner or superadmin
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Option<String>,
    /// The place of the role claim, as a JSON pointer
    #[arg(long, default_value = "/role", value_name = "POINTER")]
    pub(crate) role_claim: String,
    /// `sub`
    #[arg(long, default_value = "developer", value_name = "NAME")]
    pub(crate) subject: String,
    /// A scope; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// `client_id`
    #[arg(long, value_name = "NAME")]
    pub(crate) client: Option<String>,
    /// Create the token of a machine instead of a person
    #[arg(long)]
    pub(crate) machine: bool,
    /// The lifetime in seconds; at most a day
    #[arg(long, default_value_t = 3_600, value_name = "SECONDS")]
    pub(crate) ttl: u64,
    /// Create the key and write its public half, but no token
    #[arg(long, conflicts_with_all = ["tenant", "role", "scopes", "client", "machine"])]
    pub(crate) key_only: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TokenInspectArgs {
    /// The token
    #[arg(value_name = "@FILE|env:VAR")]
    pub(crate) token: String,
    /// The configuration with the issuers to check against [default: host.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The issuer's key set, to check the signature with if the configuration names no file
    #[arg(long, value_name = "FILE")]
    pub(crate) jwks: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The cache of compiled plugins
    #[arg(long, value_name = "DIR", env = "TOOLHOST_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

const RUN: &str = "\
Examples:
  Try a plugin on this machine, as one tenant:
    host run --plugin billing.wasm --dev-tenant acme \\
      --connection billing=https://billing.example.com --credential billing=env:BILLING_TOKEN --yes
  Serve what host.toml names, to callers with tokens:
    host run --config host.toml
  Serve one client over stdio:
    host run --stdio --token env:TOOLHOST_TOKEN

The grants that a plugin requests are shown once; the answer is stored in host.lock. If the plugin
changes or requests more, you are asked again. With --output json, one line on stdout has the
addresses. SIGTERM and SIGINT let calls in flight finish.";

const CALL: &str = "\
Examples:
  host call list_invoices --args '{\"limit\": 5}' --token env:TOOLHOST_TOKEN
  host call list_invoices --plugin billing.wasm --dev-tenant acme --yes \\
    --connection billing=https://billing.example.com --credential billing=@secrets/billing
  echo '{\"id\": \"in_1\"}' | host call get_invoice --args - --token @token.jwt --output json

The tool's questions are asked on the terminal, or answered by --answers '{\"ID\": {\"FIELD\": VALUE}}';
\"decline\" in place of the object declines. Progress, logs and refusals of outside systems go to stderr.
If a host runs on the data directory, the call goes through it.";

const INSPECT: &str = "\
Examples:
  host inspect billing.wasm
  host inspect billing.wasm --output json
  host inspect openapi.json --adapter openapi=openapi.wasm

For a document, it shows the tools, and for each operation without a tool the reason.";

const BUILD: &str = "\
Examples:
  host build target/wasm32-wasip2/release/billing.wasm --manifest plugin.toml --out billing.wasm";

const MINT: &str = "\
Examples:
  host token mint --keys dev --tenant acme --audience http://127.0.0.1:8080/mcp > acme.jwt
  host token mint --keys dev --key-only --audience http://127.0.0.1:8080/mcp

Development only: a host accepts these tokens if [[issuers]] names the key's jwks.json.";

const TOKEN_INSPECT: &str = "\
Examples:
  host token inspect @acme.jwt
  host token inspect env:TOOLHOST_TOKEN --config host.toml --output json

The signature is checked if the issuer's keys are in a file (jwks_file). It is never shown.";

const DOCTOR: &str = "\
Examples:
  host doctor
  host doctor --config /etc/toolhost/host.toml --output table";

const COMPLETIONS: &str = "\
Examples:
  host completions bash > ~/.local/share/bash-completion/completions/host
  host completions zsh > ~/.zfunc/_host";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_flags_contradict_neither_each_other_nor_clap() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_shows_an_example() {
        for verb in Cli::command().get_subcommands().flat_map(|verb| {
            let below: Vec<_> = verb.get_subcommands().collect();
            if below.is_empty() { vec![verb] } else { below }
        }) {
            let help = verb
                .get_after_long_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(help.contains("Example"), "{}", verb.get_name());
        }
    }
}
