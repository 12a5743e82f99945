//! Keys: one master key, and under it one key a space, wrapped, in files outside the database.
//!
//! ```text
//! master key ── wraps ──> keys/tenants/<tenant>.key: generations of the space's key
//!                           └─ generation n ─ HKDF ─> one subkey a purpose: records, digest, credentials, audit
//! ```
//!
//! Destroying the file destroys the tenant: what the database leaves on the disk does not open any more. A file is bound
//! to its space's name, so it is no other space's key, whoever copies it there.

mod cipher;
mod error;
mod master;
mod ring;
mod space_key;
mod wrapped;

pub use cipher::{Subkey, Unopened};
pub use error::KeyFileError;
pub use master::MasterKey;
pub use ring::{Keyring, Rewrapped};
pub use space_key::{Generation, Purpose, SpaceKey};
