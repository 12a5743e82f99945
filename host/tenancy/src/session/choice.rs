use serde::{Deserialize, Serialize};
use toolhost_identity::{GrantId, TenantId};
use toolhost_store::StoreError;

/// What a session has chosen, as it is kept. There is no role, no scope and no token in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The tenant of the token that the session began with; never changed (N12).
    pub(crate) home: Option<TenantId>,
    /// The tenant that was switched to; `None` before any switch.
    pub(crate) active: Option<TenantId>,
    /// Which tenant of its id the active one is.
    pub(crate) incarnation: u64,
    /// How many switches there were.
    pub(crate) generation: u64,
    /// The authority's grant of the last switch, where an authority gave one.
    pub(crate) grant: Option<GrantId>,
    /// Unix seconds.
    pub(crate) created: u64,
    /// Unix seconds; written once a minute at most.
    pub(crate) seen: u64,
}

impl Choice {
    pub(crate) fn new(home: Option<TenantId>, now: u64) -> Self {
        Self {
            home,
            active: None,
            incarnation: 0,
            generation: 0,
            grant: None,
            created: now,
            seen: now,
        }
    }

    /// The tenant of a call now.
    pub(crate) fn tenant(&self) -> Option<&TenantId> {
        self.active.as_ref().or(self.home.as_ref())
    }

    pub(crate) fn write(&self) -> Result<Vec<u8>, StoreError> {
        let written = ChoiceRecord {
            home: self.home.as_ref().map(ToString::to_string),
            active: self.active.as_ref().map(ToString::to_string),
            incarnation: self.incarnation,
            generation: self.generation,
            grant: self.grant.map(|grant| *grant.as_bytes()),
            created: self.created,
            seen: self.seen,
        };
        serde_json::to_vec(&written).map_err(|_| damaged_error())
    }

    pub(crate) fn read(value: &[u8]) -> Result<Self, StoreError> {
        let written: ChoiceRecord = serde_json::from_slice(value).map_err(|_| damaged_error())?;
        let tenant = |text: Option<String>| {
            text.map(|text| TenantId::parse(&text).map_err(|_| damaged_error()))
                .transpose()
        };
        Ok(Self {
            home: tenant(written.home)?,
            active: tenant(written.active)?,
            incarnation: written.incarnation,
            generation: written.generation,
            grant: written.grant.map(GrantId::new),
            created: written.created,
            seen: written.seen,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChoiceRecord {
    home: Option<String>,
    active: Option<String>,
    #[serde(default)]
    incarnation: u64,
    generation: u64,
    grant: Option<[u8; 16]>,
    created: u64,
    seen: u64,
}

fn damaged_error() -> StoreError {
    StoreError::Corrupt {
        space: "a session's space".into(),
        found: "a session that cannot be read".into(),
    }
}

/// A session as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Its name.
    pub id: super::SessionId,
    /// The tenant of a call now, whether it is still within reach or not.
    pub active: Option<TenantId>,
    /// The tenant that [`crate::Switch`] resets to.
    pub home: Option<TenantId>,
    /// How many switches there were.
    pub generation: u64,
    /// Unix seconds.
    pub created: u64,
    /// Unix seconds, to the minute.
    pub seen: u64,
}
