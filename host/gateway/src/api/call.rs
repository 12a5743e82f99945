use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use tokio_util::sync::CancellationToken;
use toolhost_identity::TenantId;
use toolhost_policy::PublicError;

use super::call_input::{CallBody, object};
use super::perform::{ApiCall, CallResponse, CallTarget, perform};
use super::query::{self, PathName};
use super::tenant_headers::{of_tenant, tenant_selection};
use crate::auth::RequestCaller;
use crate::gateway::SharedState;
use crate::problem::problem;

/// `POST /api/v1/tools/{name}/call`. A client that goes away drops this future, and the call with it.
pub(crate) async fn call(
    State(doors): State<Arc<SharedState>>,
    Extension(caller): Extension<RequestCaller>,
    PathName(name): PathName,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let said = match query::reject_query(parts.uri.query()).and_then(|()| tenant_selection(&parts.headers)) {
        Ok(said) => said,
        Err(error) => return problem(&error),
    };
    let body = match object::<CallBody>(&doors, &parts, body, "{\"arguments\": {…}}").await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    let who = caller.to_session_caller();
    let (answer, active) = async {
        let asked = body.into_input()?;
        let target = CallTarget::resolve(&doors, &who, &said, &name).await?;
        let cancel = CancellationToken::new();
        let _dropped = cancel.clone().drop_guard();
        let call = ApiCall {
            who: &who,
            said: &said,
            tool: &name,
            asked,
            progress: None,
            cancel,
        };
        let (outcome, active) = perform(&doors, &target, call).await;
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
