use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;

use crate::egress::unrecorded;
use crate::scrub::{Needles, State};
use crate::steps::{self, Outcome, Piece};
use crate::{EgressCall, EgressFailure};

/// The scrubbed body of a response, piece by piece. Its request's outcome is recorded when it ends, fails or is dropped.
#[derive(Debug)]
pub struct BodyStream {
    /// `None` once it has ended.
    open: Option<Open>,
    call: Arc<EgressCall>,
    received: u64,
}

#[derive(Debug)]
struct Open {
    body: Incoming,
    needles: Arc<Needles>,
    state: State,
    outcome: Outcome,
}

impl BodyStream {
    pub(crate) fn new(
        body: Incoming,
        call: Arc<EgressCall>,
        needles: Arc<Needles>,
        is_text: bool,
        outcome: Outcome,
    ) -> Self {
        let state = State::new(&needles.secret, is_text);
        Self {
            open: Some(Open {
                body,
                needles,
                state,
                outcome,
            }),
            call,
            received: 0,
        }
    }

    /// The next piece, never empty; `None` at the end and after a failure. Dropping the future loses nothing.
    ///
    /// # Errors
    /// `reflected` where the credential came back and could not be replaced, `limit`, `timeout`, `upstream`.
    pub async fn next(&mut self) -> Option<Result<Bytes, EgressFailure>> {
        loop {
            let open = self.open.as_mut()?;
            let piece = steps::next_piece(&mut open.body, self.call.deadline()).await;
            let released = match piece {
                Ok(Piece::Data(data)) => {
                    open.outcome.received(data.len());
                    let limits = &self.call.grant().limits;
                    let within = steps::count(limits, &mut self.received, data.len());
                    within.and_then(|()| {
                        open.state
                            .push(&open.needles.secret, data)
                            .map_err(|_| steps::reflected())
                    })
                }
                // Nobody sees them.
                Ok(Piece::Trailers(_)) => continue,
                Ok(Piece::End) => return self.end(),
                Err(failure) => Err(failure),
            };
            match released {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Some(Ok(bytes)),
                Err(failure) => return Some(Err(self.fail(failure))),
            }
        }
    }

    fn end(&mut self) -> Option<Result<Bytes, EgressFailure>> {
        let open = self.open.as_mut()?;
        match open.state.finish(&open.needles.secret) {
            Err(_) => Some(Err(self.fail(steps::reflected()))),
            Ok(rest) => match self.close(None) {
                Some(failure) => Some(Err(failure)),
                None => (!rest.is_empty()).then_some(Ok(rest)),
            },
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
        open.outcome.reflected(open.state.reflections());
        open.outcome
            .finish(failure, false)
            .err()
            .map(|error| unrecorded(&self.call, &error))
    }
}

impl Drop for BodyStream {
    fn drop(&mut self) {
        if let Some(open) = &mut self.open {
            // The outcome records itself as cancelled when it goes.
            open.outcome.reflected(open.state.reflections());
        }
    }
}
