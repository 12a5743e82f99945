use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use tokio_util::sync::CancellationToken;
use toolhost_identity::TenantId;
use toolhost_policy::PublicError;
use toolhost_tools::CallOptions;

use super::call_input::{CallBody, object};
use super::call_response::CallResponse;
use super::query::{self, PathName};
use super::tenant_headers::{about_header, of_tenant, tenant_selection};
use crate::call_transport::CallTransport;
use crate::caller::RequestCaller;
use crate::dispatcher::ToolCallRequest;
use crate::problem::problem;
use crate::shared_state::SharedState;

/// `POST /api/v1/tools/{name}/call`. A client that goes away drops this future, and the call with
/// it.
pub(crate) async fn call(
    State(shared): State<Arc<SharedState>>,
    Extension(caller): Extension<RequestCaller>,
    PathName(name): PathName,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let said = match query::reject_query(parts.uri.query())
        .and_then(|()| tenant_selection(&parts.headers))
    {
        Ok(said) => said,
        Err(error) => return problem(&error),
    };
    let body = match object::<CallBody>(&shared, &parts, body, "{\"arguments\": {…}}").await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    let caller = caller.session_caller();
    let (answer, active) = async {
        let asked = body.into_input()?;
        let target = shared.dispatcher.resolve(caller, &said, &name).await;
        let target = target.map_err(about_header)?;
        let cancel = CancellationToken::new();
        let _dropped = cancel.clone().drop_guard();
        let call = ToolCallRequest {
            transport: CallTransport::Api,
            caller,
            selection: &said,
            name: &name,
            arguments: asked.arguments,
            options: CallOptions {
                cancel,
                resume: asked.resume,
                client: asked.client,
                ..CallOptions::default()
            },
        };
        let (outcome, active) = shared.dispatcher.call(&target, call).await;
        Ok((outcome.map(CallResponse::from_outcome), active))
    }
    .await
    .unwrap_or_else(|error: PublicError| (Err(error), None));
    call_response(answer, active.as_ref())
}

fn call_response(answer: Result<CallResponse, PublicError>, active: Option<&TenantId>) -> Response {
    let response = match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => problem(&error),
    };
    of_tenant(response, active)
}
