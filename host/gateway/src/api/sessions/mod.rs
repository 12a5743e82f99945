//! `/api/v1/sessions`: a place for a choice of tenant, for calls in it, and for what happens there.
//! A session is its owner's alone: to everybody else, and to the same person with another tenant in
//! its token, it is as if it were not there.

mod call_recorder;
mod calls;
mod events;

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tenancy::{SESSION_IDLE, SessionView};

use super::call_input::parse_body;
use super::query::{self, PathName};
use crate::body;
use crate::caller::RequestCaller;
use crate::problem::{not_found, problem};
use crate::shared_state::SharedState;

pub(crate) use calls::call;
pub(crate) use events::events;

/// The longest body of a request that begins a session: it has nothing to say.
const MAX_EMPTY_BODY: usize = 1 << 10;

/// A session as its owner sees it.
#[derive(Debug, Serialize)]
struct SessionJson {
    id: String,
    active_tenant_id: Option<String>,
    home_tenant_id: Option<String>,
    generation: u64,
    created_at: u64,
    last_used_at: u64,
    idle_seconds: u64,
}

impl From<SessionView> for SessionJson {
    fn from(view: SessionView) -> Self {
        Self {
            id: view.id.as_str().to_owned(),
            active_tenant_id: view.active.map(|tenant| tenant.to_string()),
            home_tenant_id: view.home.map(|tenant| tenant.to_string()),
            generation: view.generation,
            created_at: view.created,
            last_used_at: view.seen,
            idle_seconds: SESSION_IDLE,
        }
    }
}

#[derive(Serialize)]
struct SessionList {
    sessions: Vec<SessionJson>,
}

/// The body that begins a session. Its owner is the token's, and it begins at home.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSessionBody {}

/// That a request has no query: there is nothing to ask for in one here.
pub(crate) struct NoQuery;

impl<S: Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        query::reject_query(parts.uri.query()).map_err(|error| problem(&error))?;
        Ok(Self)
    }
}

/// The answer to an error of a session: one that is not there has the body of whatever is not
/// there.
fn refusal(error: &PublicError) -> Response {
    match error.code {
        ErrorCode::NotFound => not_found(),
        _ => problem(error),
    }
}

/// `POST /api/v1/sessions`.
pub(crate) async fn begin(
    State(shared): State<Arc<SharedState>>,
    NoQuery: NoQuery,
    Extension(caller): Extension<RequestCaller>,
    request: Request,
) -> Response {
    let begun = async {
        let problem = |error: PublicError| Box::new(problem(&error));
        let body = body::read(request.into_body(), MAX_EMPTY_BODY, body::BODY_TIMEOUT).await;
        let body = body.map_err(|error| Box::new(error.response()))?;
        if !body.is_empty() {
            parse_body::<NewSessionBody>(&body, "empty, or {}").map_err(problem)?;
        }
        let id = shared
            .switching
            .begin(caller.admitted_caller())
            .await
            .map_err(problem)?;
        shared
            .switching
            .session_view(id.as_str(), &caller)
            .await
            .map_err(problem)
    };
    match begun.await {
        Ok(view) => {
            let place = format!("/api/v1/sessions/{}", view.id.as_str());
            let mut response = (StatusCode::CREATED, Json(SessionJson::from(view))).into_response();
            if let Ok(place) = HeaderValue::from_str(&place) {
                response.headers_mut().insert(header::LOCATION, place);
            }
            response
        }
        Err(response) => *response,
    }
}

/// `GET /api/v1/sessions`: the caller's own, of every transport. An owner has too few for pages.
pub(crate) async fn list(
    State(shared): State<Arc<SharedState>>,
    NoQuery: NoQuery,
    Extension(caller): Extension<RequestCaller>,
) -> Response {
    match shared.switching.shown_all(&caller).await {
        Ok(views) => Json(SessionList {
            sessions: views.into_iter().map(SessionJson::from).collect(),
        })
        .into_response(),
        Err(error) => problem(&error),
    }
}

/// `GET /api/v1/sessions/{id}`; a use of it.
pub(crate) async fn show(
    State(shared): State<Arc<SharedState>>,
    NoQuery: NoQuery,
    Extension(caller): Extension<RequestCaller>,
    PathName(id): PathName,
) -> Response {
    match shared.switching.session_view(&id, &caller).await {
        Ok(view) => Json(SessionJson::from(view)).into_response(),
        Err(error) => refusal(&error),
    }
}

/// `DELETE /api/v1/sessions/{id}`: its calls are cancelled, its streams end, and what was kept of
/// it goes.
pub(crate) async fn end(
    State(shared): State<Arc<SharedState>>,
    NoQuery: NoQuery,
    Extension(caller): Extension<RequestCaller>,
    PathName(id): PathName,
) -> Response {
    match shared.switching.end(&id, &caller).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refusal(&error),
    }
}
