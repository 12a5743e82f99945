//! What lasts: records in one space a tenant and one of the host, sealed with the space's own key.
//!
//! This crate decides under which key a record is found, who can open it and when a write is
//! acknowledged. What must never happen here: a key that reaches another space, whatever its bytes;
//! a space that is named by anything but a [`Binding`](toolhost_identity::Binding) or an
//! [`Operator`](toolhost_identity::Operator); a damaged space that is served as empty or in part; a
//! write that is acknowledged and lost.
//!
//! # Tour
//!
//! - [`Store`]: the trait; [`Space`], [`Key`], [`Record`], [`Change`] and [`Scan`] are its words.
//! - [`SledStore`]: the embedded store, a sled database a space in a [`DataDir`] that no other
//!   process has; with its backup, restoration, check and resealing. Its module says what each
//!   guard is for.
//! - [`PostgresStore`]: the same for several hosts, in a server; [`postgres`] says what is kept
//!   apart there, and by whom.
//! - [`DurableStore`]: either of them, with what an operator does to it.
//! - [`migrate`]: from either of them into the other. [`ChangeSubscription`]: what other hosts
//!   change.
//! - [`keys`]: the master key, and one key a space under it, outside the database.
//! - [`MemoryStore`]: a model of it, for tests and for what need not last.
//! - [`kv`]: what plugins keep, with quotas.
//! - [`artifacts`]: what plugins keep for their callers to fetch, with quotas and an end.
//! - [`allocator`]: the setting without which many databases take a gigabyte.
//! - [`TenantLru`]: values in memory, bounded for each tenant and for all.
//!
//! # The data directory
//!
//! ```text
//! lock                                locked; the process id as text
//! keys/host.key, keys/tenants/*.key   wrapped keys; destroying one destroys its tenant
//! host/, tenants/<tenant>/            a sled database each, with its witness
//! tenants/<tenant>.damaged            what was found by reading; the space is refused until it is restored
//! quarantine/                         what a restoration put aside
//! ```
//!
//! # Limits of the embedded store
//!
//! - One process, on a local disk. Up to 10,000 tenants: an idle one takes about half a megabyte of
//!   disk, one that is written to all the time about three.
//! - 256 open databases ([`EmbeddedSettings::handles`]), about 240 KB of memory and four file
//!   descriptors each, and up to 256 KB of values that were read: `nofile` must be above that and
//!   the sockets together. One in use is never closed; where all are, an open waits 5 s.
//! - A value of at most 8,000 bytes that was read twice stays open in memory until it is written,
//!   its key goes or its database is closed, and is not read from the disk again: damage that comes
//!   after is found by a check, or by a read after the next open. Credentials and the audit chain's
//!   keys are never kept so.
//! - Names of 1,024 bytes, values of 1 MiB ([`MAX_VALUE`]), pages of 1,000 ([`MAX_PAGE`]).
//! - A space of more than 20,000 entries is checked in the background after its open: writes,
//!   listings and absences wait. So is the host's of more than 1,000, so that a start takes as long
//!   with many tenants; of it everything waits.
//! - A write is seen by readers from when it is made, and outlives a loss of power from when it is
//!   acknowledged.
//! - A check or a backup holds up the writes of the one space whose turn it is.
//! - A generation of a tenant's key seals at most 2^32 parts: rotate it before.
//! - Whoever can write to the disk can put a whole older copy of a space back, with its witness.
//!   [`SledStore::revision`] is lower then than what was seen before; the vault compares.
//! - Names and sizes of records stand on the disk as they are; values do not. The host's space
//!   names the tenants.

pub mod allocator;
pub mod artifacts;
mod blocking;
mod change;
mod changes;
mod durable_store;
mod embedded;
mod error;
mod files;
mod key;
pub mod keys;
pub mod kv;
mod memory;
pub mod migrate;
pub mod postgres;
mod record;
mod scan;
mod seal;
mod space;
mod state_sealer;
mod store;
mod tenant_lru;

pub use artifacts::{ArtifactError, ArtifactId, ArtifactStore, NewArtifact, StoredArtifact};
pub use change::{Change, Precondition};
pub use changes::{ChangeSubscription, Notice, RecordChange};
pub use durable_store::DurableStore;
pub use embedded::{
    DataDir, EmbeddedSettings, RestoreOutcome, RestoreScope, RestoredSpace, SledStore, SpaceBackup,
    SpaceContents, SpaceReport,
};
pub use error::StoreError;
pub use key::{Key, KeyError, MAX_NAME, Table};
pub use kv::{KeyPage, KvEntry, KvError, KvQuota, KvScope, KvSpace, PluginKv};
pub use memory::MemoryStore;
pub use postgres::PostgresStore;
pub use record::{MAX_VALUE, Record};
pub use scan::{KeyedRecord, MAX_PAGE, RecordPage, Scan};
pub use space::Space;
pub use state_sealer::{StateError, StatePurpose, StateSealer};
pub use store::Store;
pub use tenant_lru::TenantLru;
