use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use futures::FutureExt;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::Full;
use rmcp::transport::streamable_http_server::StreamableHttpService;
use rmcp::transport::streamable_http_server::session::SessionManager;
use toolhost_policy::{ErrorCode, PublicError};

use super::direct_request::{DirectRequest, SessionCallPoll};
use super::expiring_stream::{ExpiringStream, end_of};
use super::handler::{Handler, HandlerParts};
use super::questions::{ForeignMessage, deliver};
use super::refusal;
use super::request_session::{
    RequestSession, SESSION_ID, owned_session, rebind_session, register_session,
};
use super::session_persistence::{McpSessionManager, SessionPersistence};
use super::state::McpState;
use super::stream_replay::{LAST_EVENT_ID, stream};
use super::tool_list_text::ToolListText;
use crate::caller::RequestCaller;
use crate::http_server::RequestPermit;
use crate::problem::{not_found, problem};
use crate::shared_state::SharedState;
use crate::{body, sse};

const METHOD: &str = "mcp-method";

/// Whether a request of the stateless protocol says that it is of this method.
fn says_method(headers: &HeaderMap, method: &str) -> bool {
    headers.get(METHOD).is_some_and(|said| said == method)
}

/// `/mcp`. The caller is verified; here its session is, and the transport does the rest.
pub(crate) async fn endpoint(
    State(mcp): State<Arc<McpState>>,
    Extension(caller): Extension<RequestCaller>,
    request: Request,
) -> Response {
    let shared = &mcp.shared;
    let owner = caller.owner();
    let (mut parts, body) = request.into_parts();
    let (session, caller) = match owned_session(&mcp, &parts.headers, caller).await {
        Ok(found) => found,
        Err(response) => return *response,
    };
    if matches!(session, RequestSession::Stateless) {
        // The transport would look at an id wherever a body speaks the older protocol; here it is
        // no id.
        parts.headers.remove(SESSION_ID);
        parts.headers.remove(LAST_EVENT_ID);
    }
    let in_use = match &session {
        RequestSession::Own(id) => Some(Arc::new(mcp.in_use.begin(id))),
        RequestSession::Stateless | RequestSession::None => None,
    };
    let kept = SessionPersistence {
        switching: Arc::clone(&shared.switching),
        caller: caller.clone(),
        written: Arc::clone(&mcp.written),
        questions: Arc::clone(&mcp.questions),
        in_use: in_use.as_ref().map(Arc::downgrade),
    };
    if let (RequestSession::Own(id), &Method::GET) = (&session, &parts.method) {
        RequestPermit::becomes_stream(&parts.extensions, id);
        let response = match kept.switching.log(id, &caller).await {
            Ok(log) => stream(&parts.headers, log, &kept.written).await,
            Err(error) => problem(&error),
        };
        return end_with_token(Arc::clone(shared), caller, response, true);
    }
    parts.extensions.insert(caller.clone());
    let method = parts.method.clone();
    let listed = ToolListText::default();
    if matches!(session, RequestSession::Stateless) && method == Method::POST {
        // One request, one answer in JSON: a session's stream has no such place, and is kept to be
        // sent again.
        parts.extensions.insert(listed.clone());
    }
    let body = match method {
        Method::POST => match body::message(body, &shared.config).await {
            Ok(body) => body,
            Err(error) => return error.response(),
        },
        _ => bytes::Bytes::new(),
    };
    if let (RequestSession::Own(id), &Method::POST) = (&session, &method)
        && let Some(elsewhere) = mcp.questions.foreign_message(&body)
        && let Some(response) = forward_to_host(&kept, id, elsewhere, &body).await
    {
        return response;
    }
    let plain = DirectRequest {
        mcp: &mcp,
        caller: &caller,
        headers: &parts.headers,
        body: &body,
    };
    if let (RequestSession::Own(id), &Method::POST) = (&session, &method) {
        match plain.in_session(id, &kept).await {
            SessionCallPoll::Answered(response) => return response,
            SessionCallPoll::Begun(begun) => {
                parts.extensions.insert(begun);
            }
            SessionCallPoll::Not => {}
        }
    }
    if method == Method::POST
        && let Some(refusal) = refusal::refusal(&parts.headers, &body)
    {
        return refusal;
    }
    let handler = Arc::new(Handler::http(
        HandlerParts {
            calls: Arc::clone(&shared.calls),
            dispatcher: shared.dispatcher.clone(),
            pages: Arc::clone(&mcp.pages),
            switching: Arc::clone(&shared.switching),
            version: shared.config.version,
        },
        caller.clone(),
        !matches!(session, RequestSession::Stateless),
    ));
    if let (RequestSession::Stateless, &Method::POST) = (&session, &method)
        && let Some(response) = plain.stateless(&handler).await
    {
        return response;
    }
    if says_method(&parts.headers, "tools/call")
        && let Ok(home) = caller.session_caller().home()
    {
        // The transport asks for a schema where nothing can be read. The call itself says what went
        // wrong.
        let _read = shared.calls.find(&home, "").await;
    }
    // This request's own, unless it begins a session: the transport asks it for schemas, and must
    // see this caller's tools alone.
    let own = Arc::clone(&handler);
    let factory = move || Ok(Arc::clone(&own));
    let mut config = mcp.config.clone();
    config.session_store = Some(Arc::new(kept.clone()));
    let turn = match &session {
        RequestSession::Own(id) => mcp.lock_unless_present(id, &owner).await,
        _ => None,
    };
    let sessions = McpSessionManager {
        local: Arc::clone(&mcp.sessions),
        kept,
        handler: match &session {
            RequestSession::Own(id) if turn.is_none() => mcp.handlers.get(id),
            _ => None,
        }
        .unwrap_or_else(|| Arc::clone(&handler)),
    };
    let asked = (parts.headers.clone(), body.clone());
    let transport = StreamableHttpService::new(factory, Arc::new(sessions), config);
    let response = transport
        .handle(http::Request::from_parts(parts, Full::new(body)))
        .await;
    if let (Some(_), RequestSession::Own(id), &Method::POST) = (&turn, &session, &method)
        && response.status().is_success()
    {
        if let Err(error) = rebind_session(&mcp, id, &caller).await {
            let _gone = mcp.sessions.close_session(&id.as_str().into()).await;
            return problem(&error);
        }
        mcp.handlers.put(id, &handler);
    }
    drop(turn);
    let response = refusal::spelled_out(&asked.0, &asked.1, response.map(Body::new)).await;
    let mut response = match listed.complete(response).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a list cannot be answered");
            return problem(&PublicError::new(
                ErrorCode::Internal,
                "the list could not be written",
            ));
        }
    };

    if let RequestSession::Own(id) = &session {
        match response.status() {
            // It ended by itself meanwhile, which looks as if it had never been.
            StatusCode::NOT_FOUND => {
                mcp.owners.remove(id, &owner);
                return not_found();
            }
            status if method == Method::DELETE && status.is_success() => {
                mcp.owners.remove(id, &owner);
                shared.switching.end_session(&caller).await;
                // It is over, and not merely accepted; clients warn of a 202.
                *response.status_mut() = StatusCode::NO_CONTENT;
            }
            _ => {}
        }
    }
    if let Some(id) = response
        .headers()
        .get(SESSION_ID)
        .and_then(|id| id.to_str().ok())
    {
        let _in_use = mcp.in_use.begin(id);
        if let Err(error) = register_session(&mcp, id, &caller).await {
            // Nobody has seen the id yet; a session without an owner must not stay.
            let _gone = mcp.sessions.close_session(&id.into()).await;
            return problem(&error);
        }
        mcp.handlers.put(id, &handler);
    }
    end_with_token(Arc::clone(shared), caller, response, method == Method::GET)
}

/// Hands a client's message to the host that may wait for it. `None`: the transport of this one has
/// its part in it too.
async fn forward_to_host(
    kept: &SessionPersistence,
    id: &str,
    elsewhere: ForeignMessage,
    body: &[u8],
) -> Option<Response> {
    let is_answer = matches!(elsewhere, ForeignMessage::Answer(_));
    let log = match kept.switching.log(id, &kept.caller).await {
        Ok(log) if is_answer || log.is_shared() => log,
        Ok(_) => return None,
        Err(error) => return Some(problem(&error)),
    };
    match deliver(&log, elsewhere, body).await {
        Ok(true) if is_answer => {
            let mut accepted = Response::new(Body::empty());
            *accepted.status_mut() = StatusCode::ACCEPTED;
            Some(accepted)
        }
        Ok(true) => None,
        Ok(false) => {
            let text = "nobody waits for this answer any more: the host that asked has stopped; call the tool again";
            Some(problem(
                &PublicError::new(ErrorCode::InvalidRequest, text).about("id"),
            ))
        }
        Err(error) if is_answer => Some(problem(&error.public())),
        Err(_) => None,
    }
}

/// A stream that ends with its caller's right to it; any other response as it is.
fn end_with_token(
    shared: Arc<SharedState>,
    caller: RequestCaller,
    response: Response,
    standalone: bool,
) -> Response {
    if sse::is_stream(&response) {
        let end = end_of(shared, caller, standalone).boxed();
        response.map(|body| Body::new(ExpiringStream::new(body, end)))
    } else {
        response
    }
}
