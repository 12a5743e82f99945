//! The flags of the verbs that work on what lasts: credentials, store, keys, audit.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Where stored data is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where it is kept")]
pub(crate) struct DataArgs {
    /// The data directory [default: [data] dir of the configuration]
    #[arg(long, value_name = "DIR", env = "TOOLHOST_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The master key [default: master.key in the data directory, created on first use]
    #[arg(long, value_name = "@FILE|env:VAR")]
    pub(crate) master_key: Option<String>,
}

/// The data directory of a command that has no other flag for the configuration.
#[derive(Debug, Args)]
pub(crate) struct DataDirArgs {
    /// The configuration [default: host.toml, if it exists]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// Store a tenant's credential; the secret is read from a prompt, stdin or a file
    #[command(after_long_help = SET)]
    Set(SetArgs),
    /// Replace the secret of a stored credential; its attributes stay unless given
    #[command(after_long_help = ROTATE)]
    Rotate(SetArgs),
    /// List credentials: fingerprint, age, expiry and last use, never a secret
    #[command(after_long_help = LIST)]
    List(ListArgs),
    /// Remove a credential; calls that begin afterwards are refused
    #[command(after_long_help = REMOVE)]
    Remove(RemoveArgs),
    /// Accept a tenant's credentials as they are in a restored backup
    #[command(after_long_help = ACCEPT)]
    Accept(AcceptArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// The tenant and the connection
    #[arg(value_name = "TENANT/CONNECTION")]
    pub(crate) name: String,
    /// Parsed as optional, so that the error does not repeat it.
    #[arg(hide = true)]
    pub(crate) secret: Option<String>,
    #[command(flatten)]
    pub(crate) user: UserArgs,
    /// The file of the secret, or - for stdin [default: ask on the terminal]
    #[arg(long, value_name = "FILE|-")]
    pub(crate) secret_file: Option<PathBuf>,
    /// One of several secrets, for a connection with auth.parts; may be repeated
    #[arg(
        long = "part",
        value_name = "NAME=@FILE|env:VAR|-",
        conflicts_with = "secret_file"
    )]
    pub(crate) parts: Vec<String>,
    /// A value that is not secret, for header templates; may be repeated
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    pub(crate) attributes: Vec<String>,
    /// When the credential expires, in RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_at: Option<String>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

/// One user of the tenant, for a connection with `credential_of = "user"`.
#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    /// The user's issuer, for the credential of one user
    #[arg(long, value_name = "URL", requires = "user_subject")]
    pub(crate) user_issuer: Option<String>,
    /// The user's subject at that issuer
    #[arg(long, value_name = "NAME", requires = "user_issuer")]
    pub(crate) user_subject: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// List only this tenant's [default: all]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// The tenant and the connection
    #[arg(value_name = "TENANT/CONNECTION")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) user: UserArgs,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AcceptArgs {
    /// The tenant
    pub(crate) tenant: String,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Write a backup of every space, while the host runs or not
    #[command(after_long_help = BACKUP)]
    Backup(BackupArgs),
    /// Restore spaces that are missing or damaged; intact ones are not changed
    #[command(after_long_help = RESTORE)]
    Restore(RestoreArgs),
    /// Read and verify every record
    #[command(after_long_help = CHECK)]
    Check(CheckArgs),
    /// Copy everything from one store into the other, and verify it
    #[command(after_long_help = MIGRATE)]
    Migrate(MigrateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// The store that has the data
    #[arg(long, value_name = "KIND")]
    pub(crate) from: StoreKind,
    /// The store that gets the data; must be empty
    #[arg(long, value_name = "KIND")]
    pub(crate) to: StoreKind,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

/// The persistent stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// In the data directory
    Embedded,
    /// In the server of [store]
    Postgres,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// An empty or new directory
    pub(crate) directory: PathBuf,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The directory of the backup
    pub(crate) directory: PathBuf,
    /// Restore only this tenant; possible while the host runs
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Check only this tenant
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Rotate the key of a tenant, of the host's own space, or the master key; without downtime
    #[command(after_long_help = KEY_ROTATE)]
    Rotate(KeyRotateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct KeyRotateArgs {
    /// Rotate this tenant's key [default: the key of the host's own space]
    #[arg(conflicts_with = "master")]
    pub(crate) tenant: Option<String>,
    /// Rotate the master key, which wraps the others
    #[arg(long)]
    pub(crate) master: bool,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Show the last records of a chain
    #[command(after_long_help = TAIL)]
    Tail(TailArgs),
    /// Find records that were cut, changed, moved or dropped
    #[command(after_long_help = VERIFY)]
    Verify(VerifyArgs),
    /// Write records to stdout, and then the chain's head
    #[command(after_long_help = EXPORT)]
    Export(ExportArgs),
}

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// Show this tenant's chain [default: the host's own chain]
    pub(crate) tenant: Option<String>,
    /// The number of records
    #[arg(long, short = 'n', default_value_t = 10, value_name = "COUNT")]
    pub(crate) lines: usize,
    /// Keep running, and show new records as they are written
    #[arg(long, short)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Verify this tenant's chain [default: every chain; the host's own with --head]
    pub(crate) tenant: Option<String>,
    /// An earlier export: the chain must still contain its head
    #[arg(long, value_name = "FILE")]
    pub(crate) head: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Export this tenant's chain [default: the host's own chain]
    pub(crate) tenant: Option<String>,
    /// The number of the first record
    #[arg(long, default_value_t = 0, value_name = "SEQ")]
    pub(crate) from: u64,
    /// The number of the last record
    #[arg(long, default_value_t = u64::MAX, hide_default_value = true, value_name = "SEQ")]
    pub(crate) to: u64,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

const SET: &str = "\
Examples:
  host credential set acme/billing --data-dir data
  host credential set acme/billing --secret-file token.txt --attribute external_tenant_id=acct_acme
  pass show acme/billing | host credential set acme/billing --secret-file -

A secret is never an argument, because other processes can read arguments. A running host uses the new
secret for calls that begin afterwards.";

const ROTATE: &str = "\
Examples:
  host credential rotate acme/billing --secret-file new-token.txt --expires-at 2027-01-31T00:00:00Z";

const LIST: &str = "\
Examples:
  host credential list
  host credential list acme --output table";

const REMOVE: &str = "\
Examples:
  host credential remove acme/billing";

const ACCEPT: &str = "\
Examples:
  host credential accept acme

Credentials that were rotated or removed after the backup are valid again. Check the list first.";

const BACKUP: &str = "\
Examples:
  host store backup /var/backups/toolhost/2026-11-21

A backup contains the tenants' keys, wrapped with the master key. Keep the master key in another place.";

const RESTORE: &str = "\
Examples:
  host store restore /var/backups/toolhost/2026-11-21
  host store restore /var/backups/toolhost/2026-11-21 --tenant acme";

const CHECK: &str = "\
Examples:
  host store check
  host store check --tenant acme --output json";

const MIGRATE: &str = "\
Examples:
  host store migrate --from embedded --to postgres
  host store migrate --from postgres --to embedded

[store] kind = \"postgres\" names the server in both directions.
Stop all hosts first. The source is not changed.";

const KEY_ROTATE: &str = "\
Examples:
  host key rotate acme
  host key rotate --master";

const TAIL: &str = "\
Examples:
  host audit tail acme -n 20
  host audit tail --follow";

const VERIFY: &str = "\
Examples:
  host audit verify
  host audit verify acme --head acme-2026-11.jsonl";

const EXPORT: &str = "\
Examples:
  host audit export acme > acme-2026-11.jsonl";
