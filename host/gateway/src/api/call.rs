use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tools::{CallOptions, CallOutcome, ModelArgs, ToolOutput};

use crate::auth::Caller;
use crate::body;
use crate::call::{self as path, Door};
use crate::gateway::Doors;
use crate::problem::{problem, problem_with};

/// The body of a call. There is no member for a tenant, and there never is one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallBody {
    #[serde(default)]
    arguments: Map<String, Value>,
}

#[derive(Serialize)]
struct CallAnswer {
    content: Vec<rmcp::model::ContentBlock>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structured: Option<Value>,
}

/// `POST /api/v1/tools/{name}/call`. A client that goes away drops this future, and the call with it.
pub(crate) async fn call(
    State(doors): State<Arc<Doors>>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    if !is_json(&parts.headers) {
        let error = PublicError::new(
            ErrorCode::InvalidRequest,
            "the body of a call is application/json",
        );
        return problem_with(StatusCode::UNSUPPORTED_MEDIA_TYPE, &error.about("Content-Type"));
    }
    if parts.uri.query().is_some() {
        return problem(&PublicError::new(
            ErrorCode::InvalidRequest,
            "a call takes no query parameters",
        ));
    }
    let body = match body::read(body, doors.config.max_body_bytes, body::BODY_TIMEOUT).await {
        Ok(body) => body,
        Err(error) => return error.response(),
    };
    let arguments = match arguments(&body) {
        Ok(arguments) => arguments,
        Err(error) => return problem(&error),
    };
    let cancel = CancellationToken::new();
    let _dropped = cancel.clone().drop_guard();
    let options = CallOptions {
        cancel,
        ..CallOptions::default()
    };
    let binding = match caller.home() {
        Ok(binding) => binding,
        Err(error) => return problem(&error),
    };
    if let Some(switching) = &doors.switching {
        switching.presents(&binding, caller.admitted());
    }
    match path::call(
        doors.calls.as_ref(),
        Door::Api,
        &binding,
        &name,
        arguments,
        options,
    )
    .await
    {
        Ok(CallOutcome::Complete(output)) => answer(output),
        Ok(CallOutcome::InputRequired(_)) => {
            let text = "the tool asks for input, which this API cannot give; call it over MCP";
            problem(&PublicError::new(ErrorCode::InputUnsupported, text))
        }
        Err(error) => problem(&error),
    }
}

fn arguments(body: &[u8]) -> Result<ModelArgs, PublicError> {
    let refused = |why: &str| {
        let text = format!("the body is not {{\"arguments\": {{…}}}}: {why}");
        PublicError::new(ErrorCode::InvalidRequest, text)
    };
    // serde would take the members of an array for those of the object.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(refused("it is no object"));
    }
    let body: CallBody = serde_json::from_slice(body).map_err(|error| refused(&error.to_string()))?;
    Ok(ModelArgs::new(body.arguments))
}

fn answer(output: ToolOutput) -> Response {
    let ToolOutput { content, structured } = output;
    let content = content.into_iter().map(crate::mcp::block).collect();
    Json(CallAnswer { content, structured }).into_response()
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let essence = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
