use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Map, json};
use subtle::ConstantTimeEq as _;
use toolhost_examples::{RecordNotes, mask, problem};

use crate::customers::{Customers, System};

/// After so long a host must ask again.
const GOOD_FOR: Duration = Duration::from_secs(300);

struct Keeper {
    customers: Arc<Customers>,
    secret: String,
}

/// `POST /credentials`: which token a tenant has at which system. The application would look into
/// its own database here.
pub(crate) fn router(customers: Arc<Customers>, secret: String) -> Router {
    Router::new()
        .route("/credentials", post(give))
        .with_state(Arc::new(Keeper { customers, secret }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    tenant: String,
    connection: String,
}

async fn give(State(keeper): State<Arc<Keeper>>, headers: HeaderMap, body: Bytes) -> Response {
    let shown = headers
        .get(AUTHORIZATION)
        .map_or(&b""[..], |value| value.as_bytes());
    let wanted = format!("Bearer {}", keeper.secret);
    if !bool::from(shown.ct_eq(wanted.as_bytes())) {
        return problem(StatusCode::UNAUTHORIZED, "that is not a host's secret");
    }
    let Ok(question) = serde_json::from_slice::<Question>(&body) else {
        return problem(
            StatusCode::BAD_REQUEST,
            "the body is not {\"tenant\": …, \"connection\": …}",
        );
    };
    let accounts =
        System::named(&question.connection).map(|system| keeper.customers.accounts(system));
    let Some(account) = accounts
        .as_ref()
        .and_then(|accounts| accounts.account(&question.tenant))
    else {
        return problem(StatusCode::NOT_FOUND, "there is no such credential");
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let answer = json!({
        "secret": account.token,
        "external_tenant_id": account.id,
        "expires_at": (now + GOOD_FOR).as_secs(),
    });
    let mut noted = Map::new();
    noted.insert("gave".to_owned(), mask(&account.token).into());
    let mut response = Json(answer).into_response();
    response.extensions_mut().insert(RecordNotes(noted));
    response
}
