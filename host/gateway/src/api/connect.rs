use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::HeaderMap;

use super::tenant_headers::tenant_selection;
use crate::caller::RequestCaller;
use crate::connect::Logins;
use crate::problem::{not_found, problem};
use crate::shared_state::SharedState;

/// `POST /api/v1/connections/{name}/login`: a link where the caller connects an account of their
/// own.
pub(crate) async fn connect(
    State(shared): State<Arc<SharedState>>,
    Extension(logins): Extension<Option<Arc<Logins>>>,
    Extension(caller): Extension<RequestCaller>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    let binding = async {
        let said = tenant_selection(&headers)?;
        let binding = shared
            .switching
            .binding(caller.session_caller(), &said)
            .await?;
        said.check(Some(binding.tenant()))?;
        Ok(binding)
    };
    let binding = match binding.await {
        Ok(binding) => binding,
        Err(error) => return problem(&error),
    };
    let Some(logins) = logins else {
        return not_found();
    };
    match logins.link(&binding, &name).await {
        Ok(link) => Json(link).into_response(),
        Err(error) => problem(&error),
    }
}
