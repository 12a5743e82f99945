use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use toolhost_identity::TenantId;
use toolhost_policy::{ErrorCode, PublicError};

use super::query::{self, PathName};
use crate::caller::RequestCaller;
use crate::problem::{not_found, problem};
use crate::shared_state::SharedState;
use crate::switching::ReachableTenant;

/// Tenants of one page.
const PAGE: usize = 100;

#[derive(Serialize)]
struct TenantList {
    tenants: Vec<ReachableTenant>,
    home_tenant_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// `GET /api/v1/tenants?cursor=`: what the caller's own login reaches, as `list_tenants` has it. To
/// read is all that this API can do with tenants: they are added, moved and removed by the
/// operator.
pub(crate) async fn list(
    State(shared): State<Arc<SharedState>>,
    Extension(caller): Extension<RequestCaller>,
    RawQuery(query): RawQuery,
) -> Response {
    match list_page(&shared, &caller, query.as_deref()).await {
        Ok(list) => Json(list).into_response(),
        Err(error) => problem(&error),
    }
}

async fn list_page(
    shared: &SharedState,
    caller: &RequestCaller,
    query: Option<&str>,
) -> Result<TenantList, PublicError> {
    // The id that a page ends with: one that is gone by then has its place all the same.
    let after = query::cursor(query)?.map(|cursor| {
        let text = "the cursor is not one of this list";
        TenantId::parse(&cursor)
            .map(|id| id.to_string())
            .map_err(|_| PublicError::new(ErrorCode::InvalidRequest, text).about("cursor"))
    });
    let after = after.transpose()?;
    let reached = shared
        .switching
        .reachable_tenants(caller.session_caller())
        .await?
        .into_iter();
    let mut rest =
        reached.skip_while(|tenant| after.as_ref().is_some_and(|after| tenant.id <= *after));
    let tenants: Vec<ReachableTenant> = rest.by_ref().take(PAGE).collect();
    let last = tenants.last().map(|tenant| tenant.id.clone());
    Ok(TenantList {
        home_tenant_id: caller
            .admitted_caller()
            .caller
            .home()
            .map(ToString::to_string),
        next_cursor: rest.next().and(last),
        tenants,
    })
}

/// `GET /api/v1/tenants/{id}`. One that is not there and one that is out of reach are one answer
/// (N21).
pub(crate) async fn show(
    State(shared): State<Arc<SharedState>>,
    Extension(caller): Extension<RequestCaller>,
    PathName(id): PathName,
    RawQuery(query): RawQuery,
) -> Response {
    if let Err(error) = query::reject_query(query.as_deref()) {
        return problem(&error);
    }
    let reached = shared.switching.reachable_tenants(caller.session_caller());
    match reached.await {
        Ok(reached) => match reached.into_iter().find(|tenant| tenant.id == id) {
            Some(tenant) => Json(tenant).into_response(),
            None => not_found(),
        },
        Err(error) => problem(&error),
    }
}
