//! A tenant's storage at its first sight: made once, resumed where it was broken off, and only for
//! tenants that the directory has or that an issuer may bring along (A17).

mod provisioner;
mod rate;
mod record;

pub(crate) use record::key as provision_key;

pub use provisioner::{MAX_ADMITTED, MAX_ADMITTED_A_MINUTE, ProvisionError, Provisioner};
