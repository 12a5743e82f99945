use std::collections::HashSet;

use axum::response::Response;
use http::HeaderMap;
use rmcp::model::ProtocolVersion;
use rmcp::transport::streamable_http_server::session::SessionManager;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tenancy::{MAX_CLIENT_BYTES, SessionError};

use super::state::McpState;
use super::stream_replay::PROTOCOL_VERSION;
use crate::caller::RequestCaller;
use crate::problem::{not_found, problem};

/// How often a session is asked to give way, where others take its place first or it is used
/// meanwhile.
const ATTEMPTS: usize = 8;

pub(super) const SESSION_ID: &str = "mcp-session-id";

/// What a request says about sessions.
pub(super) enum RequestSession {
    /// The stateless protocol, which knows none.
    Stateless,
    /// The older protocol, before there is one.
    None,
    /// One of this caller's.
    Own(String),
}

/// The session of a request, if it is this caller's own, and the caller in it.
///
/// # Errors
/// Unknown, somebody else's, or no id at all: one answer, so that ids cannot be tried out (T28,
/// E25).
pub(super) async fn owned_session(
    mcp: &McpState,
    headers: &HeaderMap,
    caller: RequestCaller,
) -> Result<(RequestSession, RequestCaller), Box<Response>> {
    let version = headers
        .get(PROTOCOL_VERSION)
        .and_then(|version| version.to_str().ok());
    // ISO dates compare as text.
    if version.is_some_and(|version| version >= ProtocolVersion::V_2026_07_28.as_str()) {
        return Ok((RequestSession::Stateless, caller));
    }
    let foreign = || Box::new(not_found());
    let mut ids = headers.get_all(SESSION_ID).iter();
    let id = match (ids.next(), ids.next()) {
        (None, _) => return Ok((RequestSession::None, caller)),
        (Some(id), None) => id.to_str().map_err(|_| foreign())?,
        _ => return Err(foreign()),
    };
    let (owners, owner) = (&mcp.owners, caller.owner());
    // The store knows whose it is, whichever host it began on.
    let session = match mcp.shared.switching.session(id, &caller).await {
        Ok(session) => session,
        Err(error) if error.code == ErrorCode::NotFound => {
            // What was chosen in it is gone, and it must not go on at another tenant.
            if owners.remove(id, &owner) {
                let _gone = mcp.sessions.close_session(&id.into()).await;
            }
            return Err(foreign());
        }
        Err(error) => return Err(Box::new(problem(&error))),
    };
    let id = id.to_owned();
    Ok((RequestSession::Own(id), caller.with_session(session)))
}

/// Gives a session that the transport has just made to its caller, and keeps a choice for it.
pub(super) async fn register_session(
    mcp: &McpState,
    id: &str,
    caller: &RequestCaller,
) -> Result<(), PublicError> {
    let owners = &mcp.owners;
    bind(mcp, id, caller).await?;
    let switching = &mcp.shared.switching;
    let kept = async {
        switching.begin_session(id, caller).await?;
        let client = switching.log(id, caller).await?.client().await;
        if client.map_err(|error| error.public())?.is_some() {
            return Ok(());
        }
        // No other host could go on with it, nor this one after a restart.
        let text = format!(
            "the parameters of initialize have more than the {MAX_CLIENT_BYTES} bytes that are kept"
        );
        Err(PublicError::new(ErrorCode::LimitExceeded, text))
    }
    .await;
    if kept.is_err() {
        owners.remove(id, &caller.owner());
        // What was kept of it before it failed goes too, or would stay until a sweep.
        let _gone = switching.end(id, caller).await;
    }
    kept
}

/// Gives a session that was taken up again to its caller.
pub(super) async fn rebind_session(
    mcp: &McpState,
    id: &str,
    caller: &RequestCaller,
) -> Result<(), PublicError> {
    bind(mcp, id, caller).await
}

/// Makes a session its caller's. Where there is no room, sessions that give way leave the process
/// first.
async fn bind(mcp: &McpState, id: &str, caller: &RequestCaller) -> Result<(), PublicError> {
    let (home, owner) = (caller.home_tenant(), caller.owner());
    let mut bound = mcp.owners.bind(id, home, owner);
    let mut stay = HashSet::new();
    for _ in 0..ATTEMPTS {
        if bound != Err(SessionError::Full) {
            break;
        }
        stay.extend(mcp.in_use.busy());
        let Some(other) = mcp.owners.eviction_candidate(home, &owner, &stay) else {
            break;
        };
        if !mcp.try_evict(&other).await {
            stay.insert(other);
        }
        bound = mcp.owners.bind(id, home, owner);
    }
    bound.map_err(|error| busy(&error))
}

fn busy(error: &SessionError) -> PublicError {
    PublicError::new(ErrorCode::Busy, error.to_string())
}
