use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use toolhost_net::ResponseBody;
use toolhost_policy::CheckedConnection;

use crate::outcome_log::unrecorded_error;
use crate::quarantine::Quarantine;
use crate::scrub::{Needles, ScrubState};
use crate::steps::{self, BodyDecoder, BodyPiece, OutcomeRecorder, ReflectionTracker};
use crate::{EgressCall, EgressFailure};

/// How much is decoded or scrubbed at once, in bytes: less than a millisecond of a thread. In
/// between others have it.
const SLICE: usize = 16 << 10;

/// What a [`BodyStream`] is made of.
pub(crate) struct StreamParts {
    pub(crate) body: ResponseBody,
    pub(crate) call: Arc<EgressCall>,
    pub(crate) connection: CheckedConnection,
    pub(crate) needles: Arc<Needles>,
    pub(crate) quarantine: Arc<Quarantine>,
    /// The operator accepts that the operation reflects.
    pub(crate) is_accepted: bool,
    /// What has followed from the head.
    pub(crate) reflecting: ReflectionTracker,
    pub(crate) decoding: BodyDecoder,
    pub(crate) is_text: bool,
    pub(crate) outcome: OutcomeRecorder,
}

/// The scrubbed body of a response, piece by piece. Its request's outcome is recorded when it ends,
/// fails or is dropped.
#[derive(Debug)]
pub struct BodyStream {
    /// `None` once it has ended.
    open: Option<OpenBody>,
    call: Arc<EgressCall>,
    connection: CheckedConnection,
    quarantine: Arc<Quarantine>,
    is_accepted: bool,
    received: u64,
}

#[derive(Debug)]
struct OpenBody {
    body: ResponseBody,
    needles: Arc<Needles>,
    decoding: BodyDecoder,
    state: ScrubState,
    outcome: OutcomeRecorder,
    reflecting: ReflectionTracker,
    /// What came and was not decoded yet.
    coded: Bytes,
    /// What was decoded and not scrubbed yet.
    decoded: Bytes,
    has_yielded: bool,
    /// What was scrubbed and not handed on yet.
    scrubbed: Option<ScrubbedChunk>,
}

#[derive(Debug)]
struct ScrubbedChunk {
    bytes: Result<Bytes, EgressFailure>,
    is_last: bool,
}

impl BodyStream {
    pub(crate) fn new(parts: StreamParts) -> Self {
        let state = ScrubState::new(&parts.needles.secret, parts.is_text);
        Self {
            open: Some(OpenBody {
                body: parts.body,
                needles: parts.needles,
                decoding: parts.decoding,
                state,
                outcome: parts.outcome,
                reflecting: parts.reflecting,
                coded: Bytes::new(),
                decoded: Bytes::new(),
                has_yielded: false,
                scrubbed: None,
            }),
            call: parts.call,
            connection: parts.connection,
            quarantine: parts.quarantine,
            is_accepted: parts.is_accepted,
            received: 0,
        }
    }

    /// The next piece, never empty; `None` at the end and after a failure. Dropping the future
    /// loses nothing.
    ///
    /// # Errors
    /// `reflected` where the credential came back and could not be replaced, `limit`, `timeout`,
    /// `upstream`.
    pub async fn next(&mut self) -> Option<Result<Bytes, EgressFailure>> {
        loop {
            let open = self.open.as_mut()?;
            if open.scrubbed.is_none() {
                open.scrubbed = open.read(&self.call, &mut self.received).await;
            }
            let reflections = open.state.reflections();
            let settled = open.reflecting.settle(
                &self.quarantine,
                &self.call,
                &self.connection,
                self.is_accepted,
                reflections,
            );
            let settled = settled.await;
            let Some(ScrubbedChunk { bytes, is_last }) = open.scrubbed.take() else {
                continue;
            };
            match settled.and(bytes) {
                Err(failure) => return Some(Err(self.fail(failure))),
                Ok(bytes) if is_last => {
                    return match self.close(None) {
                        Some(failure) => Some(Err(failure)),
                        None => (!bytes.is_empty()).then_some(Ok(bytes)),
                    };
                }
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Some(Ok(bytes)),
            }
        }
    }

    fn fail(&mut self, failure: EgressFailure) -> EgressFailure {
        let failure = match &self.open {
            Some(open) => steps::error_text(&open.needles, failure),
            None => failure,
        };
        self.close(Some(&failure));
        failure
    }

    /// Records the outcome; what is returned is that this failed.
    fn close(&mut self, failure: Option<&EgressFailure>) -> Option<EgressFailure> {
        let mut open = self.open.take()?;
        self.call.spend(open.body.take_cpu());
        open.outcome.add_reflections(open.state.reflections());
        open.outcome
            .finish(failure, false)
            .err()
            .map(|error| unrecorded_error(&self.call, &error))
    }
}

impl OpenBody {
    /// What is left once the last bytes have come.
    fn finish(&mut self, rest: Bytes) -> Result<Bytes, EgressFailure> {
        let set = &self.needles.secret;
        let head = self.state.push(set, rest);
        let both = head.and_then(|head| {
            let tail = self.state.finish(set)?;
            Ok(if head.is_empty() {
                tail
            } else {
                [head, tail].concat().into()
            })
        });
        both.map_err(|_| steps::withheld_error(&self.state))
    }

    /// Takes the next step: scrubs what was decoded, else decodes what came, else reads; `None`
    /// where nothing comes of it.
    async fn read(&mut self, call: &EgressCall, received: &mut u64) -> Option<ScrubbedChunk> {
        let is_behind = !(self.coded.is_empty() && self.decoded.is_empty());
        // Remembered, since a guest that looks whether something is there polls once and drops
        // this.
        if is_behind && !std::mem::replace(&mut self.has_yielded, true) {
            tokio::task::yield_now().await;
        }
        self.has_yielded = false;
        let (bytes, is_last) = if is_behind && Instant::now() >= call.deadline() {
            (Err(steps::too_late()), false)
        } else if !self.decoded.is_empty() {
            let slice = self.decoded.split_to(self.decoded.len().min(SLICE));
            let pushed = self.state.push(&self.needles.secret, slice);
            (
                pushed.map_err(|_| steps::withheld_error(&self.state)),
                false,
            )
        } else if !self.coded.is_empty() {
            let slice = self.coded.split_to(self.coded.len().min(SLICE));
            match self.decoding.push(slice) {
                Ok(decoded) => {
                    self.decoded = decoded;
                    return None;
                }
                Err(failure) => (Err(failure), false),
            }
        } else {
            match steps::next_piece(&mut self.body, call.deadline()).await {
                Ok(BodyPiece::Data(data)) => {
                    self.outcome.add_received(data.len());
                    match steps::count(&call.grant().limits, received, data.len()) {
                        Ok(()) => {
                            self.coded = data;
                            return None;
                        }
                        Err(failure) => (Err(failure), false),
                    }
                }
                // Nobody sees them.
                Ok(BodyPiece::Trailers(_)) => return None,
                Ok(BodyPiece::End) => (
                    self.decoding.finish().and_then(|rest| self.finish(rest)),
                    true,
                ),
                Err(failure) => (Err(failure), false),
            }
        };
        Some(ScrubbedChunk { bytes, is_last })
    }
}

impl Drop for BodyStream {
    fn drop(&mut self) {
        if let Some(open) = &mut self.open {
            self.call.spend(open.body.take_cpu());
            // The outcome records itself as cancelled when it goes.
            open.outcome.add_reflections(open.state.reflections());
        }
    }
}
