use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use futures::FutureExt;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::Full;
use rmcp::RoleServer;
use rmcp::service::Peer;
use rmcp::transport::streamable_http_server::session::SessionManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;
use toolhost_identity::OwnerId;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tenancy::{SESSION_IDLE, SessionOwners};

use super::direct_request::{DirectRequest, SessionCallPoll, null_peer};
use super::expiring_stream::{ExpiringStream, end_of};
use super::handler::{Handler, HandlerParts};
use super::handlers::Handlers;
use super::pages::McpPageCache;
use super::questions::{ForeignMessage, QuestionIds, deliver};
use super::refusal;
use super::request_session::{RequestSession, SESSION_ID, owned_session, rebind_session, register_session};
use super::session_persistence::{McpSessionManager, OpenStreams, SessionPersistence};
use super::session_usage::SessionUsage;
use super::stream_replay::{LAST_EVENT_ID, stream};
use super::tool_list_text::ToolListText;
use crate::auth::RequestCaller;
use crate::gateway::SharedState;
use crate::http_server::RequestPermit;
use crate::problem::{not_found, problem};
use crate::{GatewayConfig, body, sse};

/// Locks for sessions that are taken up again, so that two requests do not take up the same one.
const TURNS: usize = 64;

const METHOD: &str = "mcp-method";

/// What `/mcp` keeps between requests.
pub(crate) struct McpState {
    pub(super) sessions: Arc<LocalSessionManager>,
    pub(super) owners: SessionOwners,
    pub(super) in_use: Arc<SessionUsage>,
    written: Arc<OpenStreams>,
    questions: Arc<QuestionIds>,
    turns: Box<[Mutex<()>]>,
    hasher: RandomState,
    pages: Arc<McpPageCache>,
    pub(super) handlers: Handlers,
    nobody: OnceLock<Peer<RoleServer>>,
    config: StreamableHttpServerConfig,
    stop: CancellationToken,
}

impl McpState {
    pub(crate) fn new(config: &GatewayConfig, stop: CancellationToken) -> Self {
        let mut sessions = LocalSessionManager::default();
        sessions.session_config.keep_alive = Some(Duration::from_secs(SESSION_IDLE));
        // Host and Origin were checked before every route, by stricter rules than the transport has.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_json_response(true)
            // What keeps a quiet stream is written where it ends.
            .with_sse_keep_alive(None)
            // Each stream of a session says by itself where it begins.
            .with_sse_retry(None)
            .with_max_request_body_bytes(config.max_body_bytes)
            .with_cancellation_token(stop.clone());
        Self {
            sessions: Arc::new(sessions),
            owners: SessionOwners::new(),
            in_use: Arc::default(),
            written: Arc::default(),
            questions: Arc::new(QuestionIds::new(RandomState::new().hash_one(0))),
            turns: (0..TURNS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            pages: Arc::default(),
            handlers: Handlers::default(),
            nobody: OnceLock::new(),
            config,
            stop,
        }
    }
}

impl McpState {
    /// Whether a session is in this process, and its handshake done. It has its owner here from that moment on, so the
    /// owner is looked at last.
    pub(super) async fn is_here(&self, id: &str, owner: &OwnerId) -> bool {
        self.sessions.sessions.read().await.contains_key(id) && self.owners.check(id, owner)
    }

    /// Waits until a session is here, or for the turn to take it up: it was begun on another host, or before a restart.
    /// Whoever has its turn lets go of it once the handshake is done again.
    async fn lock_unless_present(&self, id: &str, owner: &OwnerId) -> Option<MutexGuard<'_, ()>> {
        if self.is_here(id, owner).await {
            return None;
        }
        let turn = self.lock_turn(id).await?;
        if self.is_here(id, owner).await {
            return None;
        }
        // One that was left in the middle of its handshake would answer nobody.
        self.owners.remove(id, owner);
        let _gone = self.sessions.close_session(&id.into()).await;
        Some(turn)
    }

    pub(super) async fn lock_turn(&self, id: &str) -> Option<MutexGuard<'_, ()>> {
        Some(self.turn_lock(id)?.lock().await)
    }

    /// The turn of a session where nobody has it.
    pub(super) fn free_turn_of(&self, id: &str) -> Option<MutexGuard<'_, ()>> {
        self.turn_lock(id)?.try_lock().ok()
    }

    fn turn_lock(&self, id: &str) -> Option<&Mutex<()>> {
        self.turns.get(self.hasher.hash_one(id) as usize % TURNS)
    }
}

impl McpState {
    /// Who is behind a request without a session, as far as a handler could ask.
    pub(super) fn null_peer(&self) -> Peer<RoleServer> {
        self.nobody
            .get_or_init(|| null_peer(self.stop.child_token()))
            .clone()
    }
}

impl fmt::Debug for McpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpState").finish_non_exhaustive()
    }
}

/// Whether a request of the stateless protocol says that it is of this method.
fn says_method(headers: &HeaderMap, method: &str) -> bool {
    headers.get(METHOD).is_some_and(|said| said == method)
}

/// `/mcp`. The caller is verified; here its session is, and the transport does the rest.
pub(crate) async fn endpoint(
    State(doors): State<Arc<SharedState>>,
    Extension(caller): Extension<RequestCaller>,
    request: Request,
) -> Response {
    let mcp = &doors.mcp;
    let owner = caller.owner();
    let (mut parts, body) = request.into_parts();
    let (session, caller) = match owned_session(&doors, &parts.headers, caller).await {
        Ok(found) => found,
        Err(response) => return *response,
    };
    if matches!(session, RequestSession::Stateless) {
        // The transport would look at an id wherever a body speaks the older protocol; here it is no id.
        parts.headers.remove(SESSION_ID);
        parts.headers.remove(LAST_EVENT_ID);
    }
    let in_use = match &session {
        RequestSession::Own(id) => Some(Arc::new(mcp.in_use.begin(id))),
        RequestSession::Stateless | RequestSession::None => None,
    };
    let kept = SessionPersistence {
        switching: Arc::clone(&doors.switching),
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
        return end_with_token(doors, caller, response, true);
    }
    parts.extensions.insert(caller.clone());
    let method = parts.method.clone();
    let listed = ToolListText::default();
    if matches!(session, RequestSession::Stateless) && method == Method::POST {
        // One request, one answer in JSON: a session's stream has no such place, and is kept to be sent again.
        parts.extensions.insert(listed.clone());
    }
    let body = match method {
        Method::POST => match body::message(body, &doors.config).await {
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
        doors: &doors,
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
            calls: Arc::clone(&doors.calls),
            pages: Arc::clone(&mcp.pages),
            switching: Arc::clone(&doors.switching),
            version: doors.config.version,
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
        && let Ok(home) = caller.home()
    {
        // The transport asks for a schema where nothing can be read. The call itself says what went wrong.
        let _read = doors.calls.find(&home, "").await;
    }
    // This request's own, unless it begins a session: the transport asks it for schemas, and must see this caller's tools
    // alone.
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
        if let Err(error) = rebind_session(&doors, id, &caller).await {
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
                doors.switching.end_session(&caller).await;
                // It is over, and not merely accepted; clients warn of a 202.
                *response.status_mut() = StatusCode::NO_CONTENT;
            }
            _ => {}
        }
    }
    if let Some(id) = response.headers().get(SESSION_ID).and_then(|id| id.to_str().ok()) {
        let _in_use = mcp.in_use.begin(id);
        if let Err(error) = register_session(&doors, id, &caller).await {
            // Nobody has seen the id yet; a session without an owner must not stay.
            let _gone = mcp.sessions.close_session(&id.into()).await;
            return problem(&error);
        }
        mcp.handlers.put(id, &handler);
    }
    end_with_token(Arc::clone(&doors), caller, response, method == Method::GET)
}

/// Hands a client's message to the host that may wait for it. `None`: the transport of this one has its part in it too.
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
            let text =
                "nobody waits for this answer any more: the host that asked has stopped; call the tool again";
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
    doors: Arc<SharedState>,
    caller: RequestCaller,
    response: Response,
    standalone: bool,
) -> Response {
    if sse::is_stream(&response) {
        let end = end_of(doors, caller, standalone).boxed();
        response.map(|body| Body::new(ExpiringStream::new(body, end)))
    } else {
        response
    }
}
