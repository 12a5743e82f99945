use rmcp::RoleServer;
use rmcp::model::ErrorData;
use rmcp::service::RequestContext;
use toolhost_policy::{ErrorCode, PublicError};

use super::Era;
use super::errors::protocol_error;
use crate::call_transport::CallTransport;
use crate::caller::{RequestCaller, SessionCaller};
use crate::stdio_caller::StdioCaller;

/// Where a request's caller comes from. Over HTTP it is that request's own token, at every request:
/// a handler lives as long as a session, and a session is no proof of who is calling.
pub(super) enum HandlerCaller {
    /// `schemas_of` is asked for a tool's schema alone, while the transport checks headers against
    /// arguments.
    Http {
        schemas_of: RequestCaller,
    },
    Stdio(StdioCaller),
}

impl HandlerCaller {
    /// The caller of this request.
    pub(super) async fn session_caller(
        &self,
        context: &RequestContext<RoleServer>,
    ) -> Result<SessionCaller, ErrorData> {
        match self {
            Self::Http { .. } => {
                let parts = context.extensions.get::<http::request::Parts>();
                let caller = match parts {
                    Some(parts) => parts.extensions.get::<RequestCaller>(),
                    None => context.extensions.get::<RequestCaller>(),
                };
                let missing = || {
                    let text = "the request has no verified caller";
                    protocol_error(&PublicError::new(ErrorCode::Unauthenticated, text))
                };
                let caller = caller.ok_or_else(missing)?;
                Ok(caller.session_caller().clone())
            }
            Self::Stdio(caller) => {
                let has_session = Era::from_context(context) == Era::Legacy;
                let caller = caller.session_caller(has_session).await;
                caller.map_err(|error| protocol_error(&error))
            }
        }
    }

    pub(super) fn transport(&self) -> CallTransport {
        match self {
            Self::Http { .. } => CallTransport::Mcp,
            Self::Stdio(_) => CallTransport::Stdio,
        }
    }
}
