use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tenancy::{EventReader, SessionLog, SessionLogItem};
use toolhost_tools::CallOptions;

use super::call_recorder::{CallRecorder, LatestProgress};
use super::refusal;
use crate::api::call_input::{AnswerBody, CallInput, ClientCapability, object};
use crate::api::call_response::CallResponse;
use crate::api::query::{self, PathName};
use crate::api::tenant_headers::{about_header, of_tenant, tenant_selection};
use crate::call_transport::CallTransport;
use crate::caller::RequestCaller;
use crate::dispatcher::ToolCallRequest;
use crate::problem::problem;
use crate::shared_state::SharedState;

/// The longest id that a program gives a call of its own.
const MAX_CALL_ID: usize = 64;
/// Random bytes of an id that the host gives.
const RANDOM: usize = 12;

/// The body of a call in a session.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionCallBody {
    tool: String,
    arguments: Option<Map<String, Value>>,
    accepts: Option<Vec<ClientCapability>>,
    answers: Option<Vec<AnswerBody>>,
    state: Option<String>,
    call_id: Option<String>,
}

/// `POST /api/v1/sessions/{id}/calls`. A client that goes away drops this future, and the call with
/// it; what the call answered before that is among the session's events.
pub(crate) async fn call(
    State(shared): State<Arc<SharedState>>,
    Extension(caller): Extension<RequestCaller>,
    PathName(id): PathName,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let begun = async {
        // Before the body is looked at: what is wrong with it is told to the owner alone.
        let session = shared.switching.session(&id, &caller).await;
        let session = session.map_err(|error| Box::new(refusal(&error)))?;
        let problem = |error: PublicError| Box::new(problem(&error));
        query::reject_query(parts.uri.query()).map_err(problem)?;
        let said = tenant_selection(&parts.headers).map_err(problem)?;
        let body: SessionCallBody = object(
            &shared,
            &parts,
            body,
            "{\"tool\": \"…\", \"arguments\": {…}}",
        )
        .await?;
        let call_id = call_id(body.call_id).map_err(problem)?;
        let asked = CallInput::new(
            body.arguments,
            body.accepts.as_deref(),
            body.answers,
            body.state,
        )
        .map_err(problem)?;
        let who = caller
            .clone()
            .with_session(session)
            .session_caller()
            .clone();
        let target = shared.dispatcher.resolve(&who, &said, &body.tool).await;
        let target = target.map_err(|error| problem(about_header(error)))?;
        let log = shared.switching.log(&id, &caller).await.map_err(problem)?;
        Ok::<_, Box<Response>>((who, said, body.tool, asked, call_id, target, log))
    };
    let (who, said, tool, asked, call_id, target, log) = match begun.await {
        Ok(begun) => begun,
        Err(response) => return *response,
    };
    let cancel = CancellationToken::new();
    let _dropped = cancel.clone().drop_guard();
    let ended = wait_for_end(&log).await;
    let recorded = CallRecorder::begin(log, &call_id, &tool, target.tenant());
    let reports = Arc::new(LatestProgress::default());
    let call = ToolCallRequest {
        transport: CallTransport::Api,
        caller: &who,
        selection: &said,
        name: &tool,
        arguments: asked.arguments,
        options: CallOptions {
            progress: Some(Arc::clone(&reports) as _),
            cancel: cancel.clone(),
            resume: asked.resume,
            client: asked.client,
            log: None,
        },
    };
    let beside = async {
        let over = async {
            ended.await;
            cancel.cancel();
        };
        futures::join!(over, recorded.reports(&reports))
    };
    let called = std::pin::pin!(shared.dispatcher.call(&target, call));
    let (outcome, active) = match futures::future::select(called, std::pin::pin!(beside)).await {
        futures::future::Either::Left((called, _)) => called,
        // What a call reports has no end of its own.
        futures::future::Either::Right((((), never), _)) => match never {},
    };
    let answer = outcome.map(CallResponse::from_outcome);
    recorded.finish(&answer, active.as_ref()).await;
    let response = match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => problem(&error),
    };
    of_tenant(response, active.as_ref())
}

/// Waits until the session is over.
async fn wait_for_end(log: &SessionLog) -> impl Future<Output = ()> + use<> {
    let reader = log.from_now().await;
    async move {
        let Ok(mut reader) = reader else {
            return std::future::pending().await;
        };
        read_until_end(&mut reader).await;
    }
}

async fn read_until_end(reader: &mut EventReader) {
    loop {
        match reader.next().await {
            Ok(SessionLogItem::Ended) => return,
            Ok(_) => {}
            // A store that does not answer now says nothing about the session.
            Err(_) => std::future::pending().await,
        }
    }
}

fn call_id(own: Option<String>) -> Result<String, PublicError> {
    if let Some(own) = own {
        let fits = (1..=MAX_CALL_ID).contains(&own.len())
            && own.bytes().all(|byte| byte.is_ascii_graphic());
        let text = format!("call_id has 1 to {MAX_CALL_ID} visible ASCII characters");
        return match fits {
            true => Ok(own),
            false => Err(PublicError::new(ErrorCode::InvalidRequest, text).about("call_id")),
        };
    }
    let mut bytes = [0; RANDOM];
    getrandom::fill(&mut bytes).map_err(|_| {
        PublicError::new(ErrorCode::Internal, "the system has no randomness to give")
    })?;
    Ok(format!("c_{}", URL_SAFE_NO_PAD.encode(bytes)))
}
