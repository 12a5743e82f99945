//! Refusals of the transports are told of in one place, wherever they are decided: the answer says
//! what it is.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::peer::PeerAddress;
use crate::shared_state::SharedState;

/// Why a request was refused before anything ran. It goes with the answer to [`tell`].
#[derive(Debug, Clone)]
struct RefusalMark {
    /// A label of `toolhost_refusals_total`.
    reason: &'static str,
    why: String,
}

/// The answer to a request that is refused before anything runs. `reason` is one of the list in
/// `docs/src/operations.md`; `why` is a sentence of the host's own.
pub(crate) fn mark_refused(
    mut answer: Response,
    reason: &'static str,
    why: impl Into<String>,
) -> Response {
    let why = why.into();
    answer.extensions_mut().insert(RefusalMark { reason, why });
    answer
}

/// The middleware before all that refuse: counts a refusal, and has it said and recorded once a
/// source.
pub(crate) async fn record_refusals(
    State(shared): State<Arc<SharedState>>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<PeerAddress>().copied();
    let mut answer = next.run(request).await;
    if let (Some(RefusalMark { reason, why }), Some(refusals)) =
        (answer.extensions_mut().remove(), shared.calls.refusals())
    {
        let source = peer.map_or_else(|| "unknown".to_owned(), |peer| peer.network());
        refusals.record_refusal(&source, reason, &why);
    }
    answer
}
