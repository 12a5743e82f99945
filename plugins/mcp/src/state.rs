//! What is kept of the server between calls, for this caller alone: the session, and which numbers
//! were used.
//!
//! A number is used once, whatever runs beside this call: servers have answered one client with
//! what was another's because both had asked with the same number.

use serde::{Deserialize, Serialize};
use toolhost_sdk::adapter::UpstreamState;
use toolhost_sdk::{Code, Failure};

use crate::protocol::Version;

/// How often another call may be first. Each time one of them has got on, so this many means that
/// something is wrong.
const MAX_TRIES: usize = 256;

/// How a server is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    #[serde(rename = "v")]
    pub(crate) version: Version,
    /// What the server calls it; not every server does.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

/// What is kept, as it was last seen.
#[derive(Debug, Default)]
pub(crate) struct ServerState {
    session: Option<Session>,
    version: Option<u64>,
}

impl ServerState {
    pub(crate) fn read() -> Result<Self, Failure> {
        let Some(kept) = UpstreamState::get()? else {
            return Ok(Self::default());
        };
        Ok(Self {
            // What another version of this plugin has kept is no session of ours.
            session: serde_json::from_slice(&kept.value).ok(),
            version: Some(kept.version),
        })
    }

    pub(crate) const fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// A number for a request, which no other request of this caller has. What another call has
    /// kept meanwhile is seen.
    pub(crate) fn next_id(&mut self) -> Result<u64, Failure> {
        self.change(|session| session)
    }

    /// Keeps a session, unless another call was first: then that one counts.
    pub(crate) fn keep(&mut self, session: &Session) -> Result<(), Failure> {
        self.change(|kept| kept.or_else(|| Some(session.clone())))?;
        Ok(())
    }

    /// Forgets a session that the server no longer knows, if no other call has a new one by now.
    pub(crate) fn forget(&mut self, dead: &Session) -> Result<(), Failure> {
        self.change(|kept| kept.filter(|kept| kept != dead))?;
        Ok(())
    }

    /// Writes what `next` makes of what is kept; returns the version, which no other value has.
    fn change(
        &mut self,
        next: impl Fn(Option<Session>) -> Option<Session>,
    ) -> Result<u64, Failure> {
        for _ in 0..MAX_TRIES {
            let session = next(self.session.clone());
            let value = match &session {
                Some(session) => serde_json::to_vec(session),
                None => Ok(b"{}".to_vec()),
            };
            let value = value.map_err(|_| Failure::failed("the session has no JSON form"))?;
            match UpstreamState::set(self.version, &value) {
                Ok(version) => {
                    (self.session, self.version) = (session, Some(version));
                    return Ok(version);
                }
                Err(failure) if failure.code == Code::Conflict => *self = Self::read()?,
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::new(
            Code::Conflict,
            "other calls were always first to change what is kept of the server",
        ))
    }
}
