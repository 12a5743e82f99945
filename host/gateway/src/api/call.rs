use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use tokio_util::sync::CancellationToken;
use toolhost_identity::TenantId;
use toolhost_policy::PublicError;

use super::asked::{CallBody, object};
use super::perform::{Call, CallAnswer, Target, perform};
use super::query::{self, Named};
use super::said::{of_tenant, said};
use crate::auth::Caller;
use crate::gateway::Doors;
use crate::problem::problem;

/// `POST /api/v1/tools/{name}/call`. A client that goes away drops this future, and the call with it.
pub(crate) async fn call(
    State(doors): State<Arc<Doors>>,
    Extension(caller): Extension<Caller>,
    Named(name): Named,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let said = match query::none(parts.uri.query()).and_then(|()| said(&parts.headers)) {
        Ok(said) => said,
        Err(error) => return problem(&error),
    };
    let body = match object::<CallBody>(&doors, &parts, body, "{\"arguments\": {…}}").await {
        Ok(body) => body,
        Err(response) => return *response,
    };
    let who = caller.who();
    let (answer, active) = async {
        let asked = body.asked()?;
        let target = Target::of(&doors, &who, &said, &name).await?;
        let cancel = CancellationToken::new();
        let _dropped = cancel.clone().drop_guard();
        let call = Call {
            who: &who,
            said: &said,
            tool: &name,
            asked,
            progress: None,
            cancel,
        };
        let (outcome, active) = perform(&doors, &target, call).await;
        Ok((outcome.map(CallAnswer::of), active))
    }
    .await
    .unwrap_or_else(|error: PublicError| (Err(error), None));
    answered(answer, active.as_ref())
}

fn answered(answer: Result<CallAnswer, PublicError>, active: Option<&TenantId>) -> Response {
    let response = match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => problem(&error),
    };
    of_tenant(response, active)
}
