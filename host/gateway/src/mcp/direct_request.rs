//! Calls that are answered in their request's own task.
//!
//! The SDK serves each request with a service of its own (stateless) or hands it from task to task
//! (in a session), since a call may want to talk to its client before it is done. Nearly none does.
//! A plain call in a request that has nothing wrong is begun here: without a session it is awaited
//! like any other request, and in a session it is polled once. What is not done then goes to the
//! transport with its request, where it can be waited for, cancelled, asked about and taken up
//! again as any other call.
//!
//! What must never happen here: that a request is let through which the transport would refuse.
//! Whatever is not plain (a header that stands twice, a member that is not known, a progress token)
//! is left to it.

use std::sync::Arc;
use std::task::Poll;

use axum::body::Body;
use axum::response::Response;
use futures::poll;
use http::header::AsHeaderName;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rmcp::model::{
    CallToolRequestParams, ErrorCode as RpcCode, JsonRpcMessage, ProtocolVersion, RequestId,
    RequestMetaObject, ServerJsonRpcMessage, ServerResult,
};
use rmcp::service::{Peer, RequestContext};
use rmcp::{RoleServer, ServerHandler};
use toolhost_policy::{ErrorCode, PublicError};

use super::Era;
use super::handler::Handler;
use super::request::ToolCall;
use super::running_call::{RunningCall, StartedCall, ToolCallResult};
use super::session_persistence::SessionPersistence;
use super::state::McpState;
use super::stream_replay::PROTOCOL_VERSION;
use crate::caller::RequestCaller;
use crate::problem::problem;
use crate::sse;

const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

/// Where `_meta` says what a handshake would have said, and more that changes how a request is
/// answered.
const PROTOCOL_KEYS: &str = "io.modelcontextprotocol/";

/// Where `_meta` asks for reports while the call runs.
const PROGRESS_TOKEN: &str = "progressToken";

/// A name that is written in another way than as it is.
const ENCODED: &str = "=?";

/// One plain request, and what it came with.
pub(super) struct DirectRequest<'a> {
    pub(super) mcp: &'a McpState,
    pub(super) caller: &'a RequestCaller,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

/// What became of a call in a session.
pub(super) enum SessionCallPoll {
    /// It was not begun.
    Not,
    Answered(Response),
    /// It goes on behind the transport.
    Begun(StartedCall),
}

impl DirectRequest<'_> {
    /// A call without a session. `None`: nothing was done.
    pub(super) async fn stateless(&self, handler: &Arc<Handler>) -> Option<Response> {
        let call = self.read()?;
        let is_plain = single_header(self.headers, PROTOCOL_VERSION)
            == Some(ProtocolVersion::V_2026_07_28.as_str())
            && single_header(self.headers, METHOD) == Some("tools/call")
            && single_header(self.headers, NAME) == Some(call.name())
            && !call.name().starts_with(ENCODED);
        if !is_plain || self.requires_header_arguments(call.name()).await {
            return None;
        }
        let (id, params, meta) = call.into_parts();
        let is_complete = meta.protocol_version() == Some(ProtocolVersion::V_2026_07_28)
            && meta.client_capabilities().is_some();
        if !is_complete || meta.contains_key(PROGRESS_TOKEN) {
            return None;
        }
        let nobody = self.mcp.null_peer();
        let context = self.context(id.clone(), nobody, meta);
        let answer = running_call(Arc::clone(handler), params, context).await;
        let (status, message) = message(id, answer, Era::Modern);
        Some(to_json_bytes(&message).map_or_else(write_error_response, |text| json(status, text)))
    }

    /// A call in the caller's own session.
    pub(super) async fn in_session(
        &self,
        session: &str,
        kept: &SessionPersistence,
    ) -> SessionCallPoll {
        let Some((id, mut running, primes)) = self.begin(session).await else {
            return SessionCallPoll::Not;
        };
        let Poll::Ready(answer) = poll!(&mut running) else {
            return SessionCallPoll::Begun(StartedCall::new(running));
        };
        let (_, message) = message(id.clone(), answer, Era::Legacy);
        let Some(text) = to_json_bytes(&message) else {
            return SessionCallPoll::Answered(write_error_response());
        };
        let body = kept.store_whole_stream(session, &id, text, primes).await;
        SessionCallPoll::Answered(sse::stream(Body::from(body)))
    }

    /// The call, and whether its stream begins with an event of empty data.
    async fn begin(&self, session: &str) -> Option<(RequestId, RunningCall, bool)> {
        let call = self.read()?;
        let is_plain = match self.headers.get(PROTOCOL_VERSION) {
            None => true,
            Some(_) => single_header(self.headers, PROTOCOL_VERSION).is_some_and(is_known),
        };
        let (id, params, meta) = call.into_parts();
        let says_more = |key: &String| key.starts_with(PROTOCOL_KEYS) || key == PROGRESS_TOKEN;
        if !is_plain || meta.keys().any(says_more) {
            return None;
        }
        let mcp = self.mcp;
        let handler = mcp.handlers.get(session)?;
        let client = handler.client()?;
        if !mcp.is_here(session, &self.caller.owner()).await {
            return None;
        }
        let context = self.context(id.clone(), client, meta);
        let primes = handler.primes();
        Some((id, running_call(handler, params, context), primes))
    }

    /// The call, where the request is one that the transport would read.
    fn read(&self) -> Option<ToolCall> {
        let json = |value: &str| {
            let kind = value.split_once(';').map_or(value, |(kind, _)| kind);
            kind.trim().eq_ignore_ascii_case("application/json")
        };
        if !single_header(self.headers, header::CONTENT_TYPE).is_some_and(json)
            || !takes_both(self.headers)
        {
            return None;
        }
        ToolCall::read(self.body)
    }

    /// Whether headers have to say again what stands in the arguments (`x-mcp-header`).
    async fn requires_header_arguments(&self, name: &str) -> bool {
        let Ok(home) = self.caller.session_caller().home() else {
            return false;
        };
        match self.mcp.shared.calls.find(&home, name).await {
            Ok(entry) => entry.is_some_and(|entry| entry.has_header_arguments()),
            Err(_) => true,
        }
    }

    fn context(
        &self,
        id: RequestId,
        client: Peer<RoleServer>,
        meta: RequestMetaObject,
    ) -> RequestContext<RoleServer> {
        let mut context = RequestContext::new(id, client);
        context.meta = meta;
        context.extensions.insert(self.caller.clone());
        context
    }
}

fn running_call(
    handler: Arc<Handler>,
    params: CallToolRequestParams,
    context: RequestContext<RoleServer>,
) -> RunningCall {
    let cancel = context.ct.clone();
    RunningCall::new(
        async move { handler.call_tool(params, context).await },
        cancel,
    )
}

/// The value of a header that stands there once, as text.
fn single_header(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Whether the client takes both kinds of answers, and says so without weights.
fn takes_both(headers: &HeaderMap) -> bool {
    let Some(accepted) = single_header(headers, header::ACCEPT) else {
        return false;
    };
    let takes = |kind: &str| {
        accepted
            .split(',')
            .any(|one| one.trim().eq_ignore_ascii_case(kind))
    };
    !accepted.contains([';', '"']) && takes("application/json") && takes("text/event-stream")
}

fn is_known(version: &str) -> bool {
    ProtocolVersion::KNOWN_VERSIONS
        .iter()
        .any(|known| known.as_str() == version)
}

/// The answer as the SDK's dispatcher and its transport would have it.
fn message(id: RequestId, answer: ToolCallResult, era: Era) -> (StatusCode, ServerJsonRpcMessage) {
    match answer {
        Ok(result) => {
            let mut result = ServerResult::from(result);
            if era == Era::Legacy {
                result.strip_result_type_for_legacy_peer();
            }
            (StatusCode::OK, JsonRpcMessage::response(result, id))
        }
        Err(error) => {
            let status = match error.code {
                RpcCode::UNSUPPORTED_PROTOCOL_VERSION
                | RpcCode::MISSING_REQUIRED_CLIENT_CAPABILITY
                | RpcCode::HEADER_MISMATCH => StatusCode::BAD_REQUEST,
                RpcCode::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
                _ => StatusCode::OK,
            };
            (status, JsonRpcMessage::error(error, Some(id)))
        }
    }
}

fn to_json_bytes(message: &ServerJsonRpcMessage) -> Option<Vec<u8>> {
    serde_json::to_vec(message).ok()
}

/// The call was made, so it must not be made again.
fn write_error_response() -> Response {
    let text = "the answer could not be written";
    problem(&PublicError::new(ErrorCode::Internal, text))
}

fn json(status: StatusCode, text: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
