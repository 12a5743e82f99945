use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use futures::FutureExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::Full;
use rmcp::model::ProtocolVersion;
use rmcp::transport::streamable_http_server::session::SessionManager;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;
use toolhost_identity::OwnerId;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tenancy::{SESSION_IDLE, SessionOwners};

use super::handler::{Handler, Parts};
use super::listed::Listed;
use super::pages::Pages;
use super::stream::{Ending, end_of};
use crate::GatewayConfig;
use crate::auth::Caller;
use crate::body;
use crate::gateway::Doors;
use crate::problem::{not_found, problem};

const SESSION_ID: &str = "mcp-session-id";
const PROTOCOL_VERSION: &str = "mcp-protocol-version";
const METHOD: &str = "mcp-method";
const LAST_EVENT_ID: &str = "last-event-id";

/// Comments on a quiet stream, so that proxies leave it open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What `/mcp` keeps between requests.
pub(crate) struct Mcp {
    sessions: Arc<LocalSessionManager>,
    owners: SessionOwners,
    pages: Arc<Pages>,
    config: StreamableHttpServerConfig,
}

impl Mcp {
    pub(crate) fn new(config: &GatewayConfig, stop: CancellationToken) -> Self {
        let mut sessions = LocalSessionManager::default();
        sessions.session_config.keep_alive = Some(Duration::from_secs(SESSION_IDLE));
        // Host and Origin were checked before every route, by stricter rules than the transport has.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_json_response(true)
            .with_sse_keep_alive(Some(KEEP_ALIVE))
            .with_max_request_body_bytes(config.max_body_bytes)
            .with_cancellation_token(stop);
        Self {
            sessions: Arc::new(sessions),
            owners: SessionOwners::new(),
            pages: Arc::default(),
            config,
        }
    }
}

impl fmt::Debug for Mcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mcp").finish_non_exhaustive()
    }
}

/// What a request says about sessions.
enum Session {
    /// The stateless protocol, which knows none.
    Stateless,
    /// The older protocol, before there is one.
    None,
    /// One of this caller's.
    Own(String),
    /// Unknown, somebody else's, or no id at all: one answer, so that ids cannot be tried out (T28, E25).
    Foreign,
}

fn session(headers: &HeaderMap, owners: &SessionOwners, owner: &OwnerId) -> Session {
    let version = headers
        .get(PROTOCOL_VERSION)
        .and_then(|version| version.to_str().ok());
    // ISO dates compare as text.
    if version.is_some_and(|version| version >= ProtocolVersion::V_2026_07_28.as_str()) {
        return Session::Stateless;
    }
    let mut ids = headers.get_all(SESSION_ID).iter();
    match (ids.next(), ids.next()) {
        (None, _) => Session::None,
        (Some(id), None) => match id.to_str() {
            Ok(id) if owners.check(id, owner) => Session::Own(id.to_owned()),
            _ => Session::Foreign,
        },
        _ => Session::Foreign,
    }
}

/// Gives a session that the transport has just made to its caller, and keeps a choice for it.
async fn begun(doors: &Doors, id: &str, caller: &Caller) -> Result<(), PublicError> {
    let owners = &doors.mcp.owners;
    owners
        .bind(id, caller.owner())
        .map_err(|error| PublicError::new(ErrorCode::Busy, error.to_string()))?;
    let Some(switching) = &doors.switching else {
        return Ok(());
    };
    let kept = switching.begun(id, caller).await;
    if kept.is_err() {
        owners.remove(id, &caller.owner());
    }
    kept
}

/// Whether a request of the stateless protocol says that it is of this method.
fn says_method(headers: &HeaderMap, method: &str) -> bool {
    headers.get(METHOD).is_some_and(|said| said == method)
}

/// `/mcp`. The caller is verified; here its session is, and the transport does the rest.
pub(crate) async fn endpoint(
    State(doors): State<Arc<Doors>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let mcp = &doors.mcp;
    let owner = caller.owner();
    let (mut parts, body) = request.into_parts();
    let session = session(&parts.headers, &mcp.owners, &owner);
    match session {
        Session::Foreign => return not_found(),
        // The transport would look at an id wherever a body speaks the older protocol; here it is no id.
        Session::Stateless => {
            parts.headers.remove(SESSION_ID);
            parts.headers.remove(LAST_EVENT_ID);
        }
        Session::None | Session::Own(_) => {}
    }
    let caller = match (&session, &doors.switching) {
        (Session::Own(id), Some(switching)) => match switching.session(id, &caller).await {
            Ok(session) => caller.within(Some(session)),
            Err(error) if error.code == ErrorCode::NotFound => {
                // What was chosen in it is gone, and it must not go on at another tenant.
                mcp.owners.remove(id, &owner);
                let _gone = mcp.sessions.close_session(&id.as_str().into()).await;
                return not_found();
            }
            Err(error) => return problem(&error),
        },
        _ => caller,
    };
    parts.extensions.insert(caller.clone());
    let method = parts.method.clone();
    let listed = Listed::default();
    if matches!(session, Session::Stateless) && method == Method::POST {
        // One request, one answer in JSON: a session's stream has no such place, and is kept to be sent again.
        parts.extensions.insert(listed.clone());
    }
    let body = match method {
        Method::POST => match body::read(body, doors.config.max_body_bytes, body::BODY_TIMEOUT).await {
            Ok(body) => body,
            Err(error) => return error.response(),
        },
        _ => bytes::Bytes::new(),
    };
    if says_method(&parts.headers, "tools/call")
        && let Ok(home) = caller.home()
    {
        // The transport asks for a schema where nothing can be read. The call itself says what went wrong.
        let _read = doors.calls.find(&home, "").await;
    }
    // A handler of this request's own: the transport asks it for schemas, and must see this caller's tools alone.
    let (calls, pages) = (Arc::clone(&doors.calls), Arc::clone(&mcp.pages));
    let (version, switching) = (doors.config.version, doors.switching.clone());
    let (schemas_of, announces) = (caller.clone(), !matches!(session, Session::Stateless));
    let handler = move || {
        let parts = Parts {
            calls: Arc::clone(&calls),
            pages: Arc::clone(&pages),
            switching: switching.clone(),
            version,
        };
        Ok(Handler::http(parts, schemas_of.clone(), announces))
    };
    let transport = StreamableHttpService::new(handler, Arc::clone(&mcp.sessions), mcp.config.clone());
    let response = transport
        .handle(http::Request::from_parts(parts, Full::new(body)))
        .await;
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

    if let Session::Own(id) = &session {
        match response.status() {
            // It ended by itself meanwhile, which looks as if it had never been.
            StatusCode::NOT_FOUND => {
                mcp.owners.remove(id, &owner);
                return not_found();
            }
            status if method == Method::DELETE && status.is_success() => {
                mcp.owners.remove(id, &owner);
                if let Some(switching) = &doors.switching {
                    switching.ended(&caller).await;
                }
                // It is over, and not merely accepted; clients warn of a 202.
                *response.status_mut() = StatusCode::NO_CONTENT;
            }
            _ => {}
        }
    }
    if let Some(id) = response.headers().get(SESSION_ID).and_then(|id| id.to_str().ok())
        && let Err(error) = begun(&doors, id, &caller).await
    {
        // Nobody has seen the id yet; a session without an owner must not stay.
        let _gone = mcp.sessions.close_session(&id.into()).await;
        return problem(&error);
    }
    if response.headers().get(header::CONTENT_TYPE) == Some(&HeaderValue::from_static("text/event-stream")) {
        let end = end_of(Arc::clone(&doors), caller, method == Method::GET).boxed();
        response.map(|body| Body::new(Ending::new(body, end)))
    } else {
        response
    }
}
