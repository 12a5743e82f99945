use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use http::{Extensions, HeaderMap};
use serde_json::json;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tenancy::{EventReader, SessionLog, SessionLogItem};

use super::{SessionJson, refusal};
use crate::api::query::{self, PathName};
use crate::caller::RequestCaller;
use crate::http_server::RequestPermit;
use crate::mcp::{ExpiringStream, end_of, is_mcp};
use crate::problem::problem;
use crate::shared_state::SharedState;
use crate::sse;

/// Where a client says what it saw last.
const LAST_EVENT_ID: &str = "last-event-id";

/// How the session is when a stream begins.
const SESSION: &str = "session";
/// What was to come next is not kept any more.
const LOST: &str = "events_lost";
/// The session is over.
const ENDED: &str = "session_ended";

/// `GET /api/v1/sessions/{id}/events`: what happened since an event, or since the beginning of what
/// is kept, and then what happens. It ends with the session, with the token, and when the host
/// drains.
pub(crate) async fn events(
    State(shared): State<Arc<SharedState>>,
    Extension(caller): Extension<RequestCaller>,
    PathName(id): PathName,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    extensions: Extensions,
) -> Response {
    let begun = async {
        let view = shared.switching.session_view(&id, &caller).await;
        let view = view.map_err(|error| Box::new(refusal(&error)))?;
        let problem = |error: PublicError| Box::new(problem(&error));
        query::reject_query(query.as_deref()).map_err(problem)?;
        let log = shared.switching.log(&id, &caller).await.map_err(problem)?;
        let reader = reader(&log, &headers).await.map_err(problem)?;
        Ok::<_, Box<Response>>((SessionJson::from(view), reader))
    };
    let (session, reader) = match begun.await {
        Ok(begun) => begun,
        Err(response) => return *response,
    };
    RequestPermit::becomes_stream(&extensions, id.as_str());
    let session = serde_json::to_string(&session).unwrap_or_default();
    let first = [sse::retry(), sse::event(None, Some(SESSION), &session)];
    let rest = futures::stream::unfold(Some(reader), |reader| async move { next(reader?).await });
    let response = sse::response(futures::stream::iter(first).chain(rest));
    let end = end_of(shared, caller, true).boxed();
    response.map(|body| Body::new(ExpiringStream::new(body, end)))
}

async fn reader(log: &SessionLog, headers: &HeaderMap) -> Result<EventReader, PublicError> {
    let mut ids = headers.get_all(LAST_EVENT_ID).iter();
    let id = match (ids.next(), ids.next()) {
        (None, _) => return log.from_start().await.map_err(|error| error.public()),
        (Some(id), None) => id.to_str().ok().and_then(|id| log.parse(id)),
        _ => None,
    };
    let text = "Last-Event-ID is not an event of this session";
    let id =
        id.ok_or_else(|| PublicError::new(ErrorCode::InvalidRequest, text).about("Last-Event-ID"))?;
    Ok(log.read_after(&id))
}

async fn next(mut reader: EventReader) -> Option<(Bytes, Option<EventReader>)> {
    loop {
        let frame = match tokio::time::timeout(sse::KEEP_ALIVE, reader.next()).await {
            Err(_) => sse::COMMENT,
            Ok(Ok(SessionLogItem::Event(event))) if is_mcp(&event.label) => continue,
            Ok(Ok(SessionLogItem::Event(event))) => {
                let data = String::from_utf8_lossy(&event.data);
                sse::event(Some(&event.id.to_string()), Some(&event.label), &data)
            }
            Ok(Ok(SessionLogItem::Lost(id))) => {
                let id = id.to_string();
                let data = json!({ "after": id, "detail": "events before this one are not kept any more" });
                sse::event(Some(&id), Some(LOST), &data.to_string())
            }
            Ok(Ok(SessionLogItem::Ended)) => {
                return Some((sse::event(None, Some(ENDED), "{}"), None));
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "a session's events cannot be read");
                return None;
            }
        };
        return Some((frame, Some(reader)));
    }
}
