use serde::{Deserialize, Serialize};
use toolhost_store::{Space, StoreError};

/// What the host's own space and chain are called. No tenant is: a tenant's id has no upper case.
pub const HOST: &str = "HOST";

/// What was found of a space, or done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceRow {
    /// [`HOST`], or the tenant.
    pub space: String,
    /// How many records.
    pub records: u64,
    /// Their bytes, sealed.
    pub bytes: u64,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

pub(crate) fn space_row(space: &Space, found: &Result<(u64, u64), StoreError>) -> SpaceRow {
    let (records, bytes) = found.as_ref().map_or((0, 0), |found| *found);
    SpaceRow {
        space: space
            .tenant()
            .map_or_else(|| HOST.to_owned(), ToString::to_string),
        records,
        bytes,
        problem: found.as_ref().err().map(ToString::to_string),
    }
}
