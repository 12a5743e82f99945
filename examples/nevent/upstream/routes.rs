use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use toolhost_examples::{Record, RecordNotes, mask, problem, write_down};

use crate::people::{Person, person};
use crate::tokens::{Claims, Signer};
use crate::{figures, people};

/// Figures are kept for so many days.
const MAX_DAYS: u32 = 90;

struct Api {
    signer: Signer,
    password: String,
}

pub(crate) fn router(signer: Signer, password: String, record: Record) -> Router {
    let api = Arc::new(Api { signer, password });
    Router::new()
        .route("/login", post(login))
        .route("/jwks", get(jwks))
        .route("/tenants/switch", post(switch))
        .route("/analytics/traffic", get(traffic))
        .route("/paid-media/spend", get(spend))
        .layer(middleware::from_fn_with_state(record, write_down))
        .with_state(api)
}

async fn jwks(State(api): State<Arc<Api>>) -> Json<Value> {
    Json(api.signer.jwks().clone())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoginBody {
    user: String,
    password: String,
}

async fn login(State(api): State<Arc<Api>>, body: Bytes) -> Response {
    let Ok(body) = serde_json::from_slice::<LoginBody>(&body) else {
        return problem(
            StatusCode::BAD_REQUEST,
            "the body is not {\"user\": …, \"password\": …}",
        );
    };
    let right = bool::from(body.password.as_bytes().ct_eq(api.password.as_bytes()));
    let Some(person) = person(&body.user).filter(|_| right) else {
        return problem(
            StatusCode::UNAUTHORIZED,
            "nobody has this name and password",
        );
    };
    given(api.signer.login(person), person.tenant)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SwitchBody {
    tenant_id: String,
}

/// Whoever the bearer was given to, for the tenant of the bearer or another: what counts is what
/// the person reaches.
async fn switch(State(api): State<Arc<Api>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some((_, person)) = bearer(&api, &headers) else {
        return unknown_bearer();
    };
    let Ok(body) = serde_json::from_slice::<SwitchBody>(&body) else {
        return problem(StatusCode::BAD_REQUEST, "the body is not {\"tenantId\": …}");
    };
    match person.reaches(&body.tenant_id) {
        Some(people::Tenant { id, .. }) => given(api.signer.switched(person, id), Some(id)),
        None => problem(
            StatusCode::FORBIDDEN,
            "there is no such tenant for this login",
        ),
    }
}

#[derive(Deserialize)]
struct Period {
    days: u32,
}

async fn traffic(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    Query(period): Query<Period>,
) -> Response {
    figures_of(&api, &headers, &period, figures::traffic)
}

async fn spend(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    Query(period): Query<Period>,
) -> Response {
    figures_of(&api, &headers, &period, figures::spend)
}

/// Answers by the tenant of the bearer. There is nothing else in a request that could say whose
/// figures are meant.
fn figures_of<F: Serialize>(
    api: &Api,
    headers: &HeaderMap,
    period: &Period,
    known: fn(&str, u32) -> Option<F>,
) -> Response {
    let Some((claims, _)) = bearer(api, headers) else {
        return unknown_bearer();
    };
    if period.days == 0 || period.days > MAX_DAYS {
        return problem(StatusCode::BAD_REQUEST, "days is from 1 to 90");
    }
    let tenant = claims.tenant.unwrap_or_default();
    let answer = match known(&tenant, period.days) {
        Some(figures) => Json(figures).into_response(),
        None => problem(
            StatusCode::FORBIDDEN,
            "the token names no tenant with figures",
        ),
    };
    noted(answer, json!({ "user": claims.sub, "tenant": tenant }))
}

/// Who asks: the one bearer token of a request, and the person whom it was given to.
fn bearer(api: &Api, headers: &HeaderMap) -> Option<(Claims, &'static Person)> {
    let mut values = headers.get_all("authorization").iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let claims = api
        .signer
        .believe(value.to_str().ok()?.strip_prefix("Bearer ")?)?;
    let person = person(&claims.sub)?;
    Some((claims, person))
}

fn unknown_bearer() -> Response {
    problem(StatusCode::UNAUTHORIZED, "the token is not one of ours")
}

/// A token, whose last characters and tenant are noted in the record.
fn given(token: anyhow::Result<String>, tenant: Option<&str>) -> Response {
    let Ok(token) = token else {
        return problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the token cannot be signed",
        );
    };
    let answer = json!({ "access_token": token, "token_type": "Bearer" });
    noted(
        Json(answer).into_response(),
        json!({ "gave": mask(&token), "tenant": tenant }),
    )
}

fn noted(mut response: Response, note: Value) -> Response {
    if let Value::Object(note) = note {
        response.extensions_mut().insert(RecordNotes(note));
    }
    response
}
