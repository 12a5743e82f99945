//! What lasts: records in one space a tenant and one of the host, sealed with the space's own key.
//!
//! This room decides under which key a record is found, who can open it and when a write is acknowledged. What must never
//! happen here: a key that reaches another space, whatever its bytes; a space that is named by anything but a
//! [`Binding`](toolhost_identity::Binding) or an [`Operator`](toolhost_identity::Operator); a damaged space that is served
//! as empty or in part; a write that is acknowledged and lost.
//!
//! # Tour
//!
//! - [`Store`]: the trait; [`Space`], [`Key`], [`Record`], [`Change`] and [`Scan`] are its words.
//! - [`MemoryStore`]: a model of it, for tests and for what need not last.
//! - [`kv`]: what plugins keep, with quotas.

mod change;
mod error;
mod key;
pub mod kv;
mod memory;
mod scan;
mod space;
mod store;

pub use change::{Change, Expect};
pub use error::StoreError;
pub use key::{Key, KeyError, MAX_NAME, Table};
pub use kv::{Entry, KeyPage, MemoryKv, KvError, KvQuota, KvScope, KvSpace};
pub use memory::MemoryStore;
pub use scan::{Found, MAX_PAGE, Page, Scan};
pub use space::Space;
pub use store::{MAX_VALUE, Record, Store};
