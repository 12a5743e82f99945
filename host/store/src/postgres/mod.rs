//! The store in a PostgreSQL server, for several hosts at once.
//!
//! This decides as whom a statement runs, when a batch counts as made, and when a host may believe
//! what it has in memory. What must never happen here: a statement that reaches another tenant's
//! rows, however wrong it is; a batch that is acknowledged and not made, or reported as not made
//! and made; a key or a credential that is used after another host has destroyed it, for longer
//! than a second.
//!
//! # Tour
//!
//! - [`PostgresSettings`]: which server, as whom, in which [`Layout`]; `address` is what of it is
//!   safe to use.
//! - [`PostgresStore`]: the store; [`PostgresError`] says why it does not open.
//! - `setup` makes the host's space, `lifecycle` a tenant's; `login` refuses a role that passes
//!   what keeps tenants apart.
//! - `space_location` takes a tenant's role for one transaction, `read` and `write` are what is
//!   done in it.
//! - `clock` is the server's clock, by which hosts compare times.
//! - `keys` has the wrapped keys ([`Keyring::in_postgres`](crate::keys::Keyring::in_postgres)),
//!   `feed` what other hosts change.
//! - `upkeep` checks and reseals, `migration` lets [`crate::migrate`] in and out.
//!
//! # What lies in the server
//!
//! ```text
//! <prefix>_host       schema and role: installation, space, record
//! <prefix>_keys       schema and role: ring, key (wrapped with the master key, which no server has)
//! <prefix>_t_<id>     schema and role of a tenant, or its database: space, record; _x_<digest> where the name is too long
//! ```
//!
//! # Limits
//!
//! - What guards the embedded store against its disk is the server's business here: checksums,
//!   replicas, `pg_dump`. A record that was changed or moved does not open and its space is not
//!   served; one that was removed, or put back as it was, is found where a witness says so: of
//!   credentials, by the vault.
//! - Names and sizes of records, and which tenants there are, can be read in the server; values
//!   cannot.
//! - A key that was destroyed is gone for every host within a second. The server's log and its
//!   backups still have it, wrapped.
//! - A host listens on one connection and asks for keys on another, beside its pool. A proxy that
//!   hands out connections for single transactions cannot be between.
//! - Making a tenant takes a role, a schema and five relations; hosts have made it one at a time.

mod address;
mod announce;
mod clock;
mod connect;
mod error;
mod feed;
mod keys;
mod lifecycle;
mod login;
mod migration;
mod prefix;
mod quarantine;
mod read;
mod row;
mod settings;
mod setup;
mod space_location;
mod store;
mod upkeep;
mod write;

pub use error::PostgresError;
pub use prefix::Prefix;
pub use settings::{Layout, PostgresSettings};
pub use store::PostgresStore;
