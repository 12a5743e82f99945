//! The flags of the verbs that work on what lasts: credentials, store, keys, audit.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Where what lasts is.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Where it is kept")]
pub(crate) struct DataArgs {
    /// The data directory [default: [data] dir of the configuration]
    #[arg(long, value_name = "DIR", env = "TOOLHOST_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The master key [default: master.key in the data directory, made on first use]
    #[arg(long, value_name = "@FILE|env:VAR")]
    pub(crate) master_key: Option<String>,
}

/// A verb's data directory, where no other flag names the configuration.
#[derive(Debug, Args)]
pub(crate) struct DataDirArgs {
    /// The configuration [default: host.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// Store a tenant's credential; the secret comes from a prompt, from stdin or from a file
    #[command(after_long_help = SET)]
    Set(SetArgs),
    /// Give a stored credential a new secret; its attributes stay unless given
    #[command(after_long_help = ROTATE)]
    Rotate(SetArgs),
    /// List credentials: fingerprints, age, expiry and last use, never a secret
    #[command(after_long_help = LIST)]
    List(ListArgs),
    /// Remove a credential; calls that begin afterwards are refused
    #[command(after_long_help = REMOVE)]
    Remove(RemoveArgs),
    /// Take a tenant's credentials as a backup has them that was restored
    #[command(after_long_help = ACCEPT)]
    Accept(AcceptArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// Whose, and for which connection
    #[arg(value_name = "TENANT/CONNECTION")]
    pub(crate) name: String,
    /// Taken so that it can be refused without being repeated.
    #[arg(hide = true)]
    pub(crate) secret: Option<String>,
    #[command(flatten)]
    pub(crate) user: UserArgs,
    /// The secret's file, or - for stdin; without it a person is asked
    #[arg(long, value_name = "FILE|-")]
    pub(crate) secret_file: Option<PathBuf>,
    /// One of several secrets, where the connection has auth.parts; may be repeated
    #[arg(
        long = "part",
        value_name = "NAME=@FILE|env:VAR|-",
        conflicts_with = "secret_file"
    )]
    pub(crate) parts: Vec<String>,
    /// What goes with it and is no secret, for header templates; may be repeated
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    pub(crate) attributes: Vec<String>,
    /// When it ends, in RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_at: Option<String>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

/// One of the tenant's users, where the connection has `credential_of = "user"`.
#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    /// The user's issuer, where the credential is one user's
    #[arg(long, value_name = "URL", requires = "user_subject")]
    pub(crate) user_issuer: Option<String>,
    /// The user's subject at that issuer
    #[arg(long, value_name = "NAME", requires = "user_issuer")]
    pub(crate) user_subject: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Of this tenant [default: all]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Whose, and for which connection
    #[arg(value_name = "TENANT/CONNECTION")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) user: UserArgs,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AcceptArgs {
    /// Whose
    pub(crate) tenant: String,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Write a backup of every space, while the host runs or not
    #[command(after_long_help = BACKUP)]
    Backup(BackupArgs),
    /// Bring spaces back that are absent or damaged; what is sound is not touched
    #[command(after_long_help = RESTORE)]
    Restore(RestoreArgs),
    /// Open and verify every record
    #[command(after_long_help = CHECK)]
    Check(CheckArgs),
    /// Move everything from one store into the other, and verify it
    #[command(after_long_help = MIGRATE)]
    Migrate(MigrateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Where everything is
    #[arg(long, value_name = "KIND")]
    pub(crate) from: StoreKind,
    /// Where it is to be; nothing may be there
    #[arg(long, value_name = "KIND")]
    pub(crate) to: StoreKind,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

/// The stores that last.
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
    /// The backup
    pub(crate) directory: PathBuf,
    /// Only this tenant; possible while the host runs
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Only this tenant
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// A new key for a tenant, for the host's own space, or the master key; without downtime
    #[command(after_long_help = KEY_ROTATE)]
    Rotate(KeyRotateArgs),
}

#[derive(Debug, Args)]
pub(crate) struct KeyRotateArgs {
    /// This tenant's key [default: the key of the host's own space]
    #[arg(conflicts_with = "master")]
    pub(crate) tenant: Option<String>,
    /// The master key, which wraps the others
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
    /// Of this tenant [default: the host's own chain]
    pub(crate) tenant: Option<String>,
    /// How many
    #[arg(long, short = 'n', default_value_t = 10, value_name = "COUNT")]
    pub(crate) lines: usize,
    /// Go on with what comes
    #[arg(long, short)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Of this tenant [default: every chain; the host's own with --head]
    pub(crate) tenant: Option<String>,
    /// An earlier export: the chain must still reach its head
    #[arg(long, value_name = "FILE")]
    pub(crate) head: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) kept: DataDirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Of this tenant [default: the host's own chain]
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

A secret is never an argument: every process could read it. A running host uses the new one for calls that begin afterwards.";

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

What was rotated or removed after the backup was made is back then; look at the list.";

const BACKUP: &str = "\
Examples:
  host store backup /var/backups/toolhost/2026-11-21

A backup holds the tenants' keys, wrapped with the master key. Keep the master key elsewhere.";

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
No host may run. What was moved stays where it was.";

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
