use std::fmt;

use sha2::{Digest, Sha256};

use crate::session::ChoiceKey;

/// Bytes of a place's digest in an id: enough that an id of another session is noticed. It guards
/// nothing; the owner does.
const TAG: usize = 4;

/// The place of an event among those of its session, as `Last-Event-ID` brings it back.
///
/// It names its session, so that an id of another one is refused and not taken for a place in this
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    pub(super) seq: u64,
    tag: [u8; TAG],
}

impl EventId {
    pub(super) fn new(place: &ChoiceKey, seq: u64) -> Self {
        let digest = Sha256::digest(place.name());
        let mut tag = [0; TAG];
        tag.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self { seq, tag }
    }

    /// What a request brought, if it is an id of this very session.
    pub(super) fn parse(place: &ChoiceKey, text: &str) -> Option<Self> {
        let (seq, _) = text.split_once('-')?;
        // One spelling a number: no sign, no leading zero.
        let id = Self::new(place, seq.parse().ok()?);
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:08x}", self.seq, u32::from_be_bytes(self.tag))
    }
}
