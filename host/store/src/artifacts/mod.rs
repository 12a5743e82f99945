//! What plugins keep for their callers to fetch: bytes under an id of the host's making, until they
//! expire.
//!
//! An id is 128 random bits: it says nothing of its bytes, and equal bytes get different ids, since
//! an id that followed from them would tell who else has them (A14). It opens nothing by itself.
//! The tenant is the binding's, and an id of another tenant, of another person, of another plugin,
//! one that has expired and one that never was are the same nothing (T42).
//!
//! - [`ArtifactStore`]: the operations. [`NewArtifact`] and [`StoredArtifact`]: what goes in and
//!   comes out.
//! - [`ArtifactId`]: the id.
//! - [`ArtifactError`]: why not, in words that a guest may read.

mod artifact_store;
mod error;
mod head;
mod id;
mod layout;
mod sweep;

#[cfg(test)]
mod tests;

pub use artifact_store::{ArtifactStore, DEFAULT_TTL, MAX_TTL, NewArtifact, StoredArtifact};
pub use error::ArtifactError;
pub use id::ArtifactId;
