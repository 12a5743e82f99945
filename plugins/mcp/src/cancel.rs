//! A call that was dropped: the server is told, where it could know which call is meant.

use serde::{Deserialize, Serialize};
use toolhost_sdk::Failure;

use crate::exchange::{RequestEnvelope, tell};
use crate::message::ClientMessage;
use crate::state::Session;

/// What is left behind by a call.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    session: Session,
    id: u64,
}

impl Note {
    /// Empty where there is nothing to tell: from 2026-07-28 on, closing the stream says it. Before
    /// that it does not, also where the server gives its sessions no name.
    pub(crate) fn encode(session: &Session, id: u64) -> Vec<u8> {
        if session.version.is_stateless() {
            return Vec::new();
        }
        let note = Self {
            session: session.clone(),
            id,
        };
        serde_json::to_vec(&note).unwrap_or_default()
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CancelledParams {
    request_id: u64,
    reason: &'static str,
}

/// Tells the server that nobody waits for the answer any more.
///
/// # Errors
/// It could not be told.
pub(crate) fn cancel(note: &[u8]) -> Result<(), Failure> {
    let note: Note = serde_json::from_slice(note)
        .map_err(|_| Failure::failed("the note was left by another version of this plugin"))?;
    let method = "notifications/cancelled";
    let message = ClientMessage::notification(
        method,
        Some(CancelledParams {
            request_id: note.id,
            reason: "the caller no longer waits",
        }),
    );
    tell(&RequestEnvelope::new(Some(&note.session), method), &message)?;
    Ok(())
}
