use rmcp::model::{ErrorCode as RpcCode, ErrorData};
use serde_json::json;
use toolhost_policy::{ErrorCode, PublicError};

/// Characters of a name that a client made up, where it is repeated.
const MAX_REPEATED: usize = 64;

/// A public error as a JSON-RPC error.
pub(crate) fn protocol_error(error: &PublicError) -> ErrorData {
    let code = match error.code {
        ErrorCode::Internal => RpcCode::INTERNAL_ERROR,
        ErrorCode::Unauthenticated
        | ErrorCode::Forbidden
        | ErrorCode::TenantRequired
        | ErrorCode::TenantUnavailable => RpcCode::INVALID_REQUEST,
        _ => RpcCode::INVALID_PARAMS,
    };
    ErrorData::new(
        code,
        error.message.clone(),
        Some(json!({ "code": error.code, "param": error.param })),
    )
}

/// An unknown tool, and one of another tenant: one answer for both.
pub(super) fn unknown_tool(name: &str) -> ErrorData {
    ErrorData::invalid_params(
        format!("unknown tool: {}", truncate(name)),
        Some(json!({ "code": ErrorCode::NotFound })),
    )
}

/// The beginning of a text that a client made up.
pub(super) fn truncate(text: &str) -> String {
    text.chars().take(MAX_REPEATED).collect()
}
