use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;
use toolhost_examples::{Record, problem, write_down};

use crate::accounts::{Account, AuthRefusal, account_of};
use crate::ledger::{Ledger, RefundRefused};

/// A page without a limit.
const DEFAULT_LIMIT: usize = 20;

/// The largest page.
const MAX_LIMIT: usize = 100;

#[derive(Clone)]
struct Api {
    accounts: Arc<Vec<Account>>,
    ledgers: Arc<Mutex<HashMap<String, Ledger>>>,
}

/// The account that a request was let in for.
#[derive(Clone)]
struct AccountId(String);

pub(crate) fn router(accounts: Arc<Vec<Account>>, record: Record) -> Router {
    let ledgers = accounts
        .iter()
        .map(|account| (account.id.clone(), Ledger::opening(&account.id)))
        .collect();
    let api = Api {
        accounts,
        ledgers: Arc::new(Mutex::new(ledgers)),
    };
    Router::new()
        .route("/v1/invoices", get(list))
        .route("/v1/invoices/{id}", get(one))
        .route("/v1/invoices/{id}/refunds", post(refund))
        .layer(middleware::from_fn_with_state(api.clone(), authenticate))
        .layer(middleware::from_fn_with_state(record, write_down))
        .with_state(api)
}

async fn authenticate(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    match account_of(&api.accounts, request.headers()) {
        Ok(account) => {
            let id = AccountId(account.id.clone());
            request.extensions_mut().insert(id);
            next.run(request).await
        }
        Err(AuthRefusal::Token) => problem(StatusCode::UNAUTHORIZED, "the token opens no account"),
        Err(AuthRefusal::Account) => problem(
            StatusCode::FORBIDDEN,
            "x-account-id is not this token's account",
        ),
    }
}

#[derive(Deserialize)]
struct PageQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

async fn list(
    State(api): State<Api>,
    account: axum::Extension<AccountId>,
    Query(query): Query<PageQuery>,
) -> Response {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 || limit > MAX_LIMIT {
        return problem(StatusCode::BAD_REQUEST, "limit is from 1 to 100");
    }
    with_ledger(&api, &account, |ledger| {
        let (invoices, next_cursor) = ledger.page(limit, query.cursor.as_deref());
        Json(json!({ "invoices": invoices, "next_cursor": next_cursor })).into_response()
    })
}

async fn one(
    State(api): State<Api>,
    account: axum::Extension<AccountId>,
    Path(id): Path<String>,
) -> Response {
    with_ledger(&api, &account, |ledger| match ledger.invoice(&id) {
        Some(invoice) => Json(invoice).into_response(),
        None => problem(StatusCode::NOT_FOUND, "there is no such invoice"),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundBody {
    amount_cents: u64,
}

async fn refund(
    State(api): State<Api>,
    account: axum::Extension<AccountId>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let key = headers
        .get("idempotency-key")
        .and_then(|key| key.to_str().ok())
        .filter(|key| !key.is_empty());
    let Some(key) = key else {
        return problem(StatusCode::BAD_REQUEST, "a refund needs an Idempotency-Key");
    };
    let Ok(body) = serde_json::from_slice::<RefundBody>(&body) else {
        return problem(
            StatusCode::BAD_REQUEST,
            "the body is not {\"amount_cents\": N}",
        );
    };
    with_ledger(&api, &account, |ledger| {
        match ledger.refund(&id, body.amount_cents, key) {
            Ok(refund) => (StatusCode::CREATED, Json(refund)).into_response(),
            Err(RefundRefused::NoInvoice) => {
                problem(StatusCode::NOT_FOUND, "there is no such invoice")
            }
            Err(RefundRefused::TooMuch) => problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                "more than the invoice has left",
            ),
            Err(RefundRefused::KeyUsed) => problem(
                StatusCode::CONFLICT,
                "the Idempotency-Key was used for another refund",
            ),
        }
    })
}

fn with_ledger(
    api: &Api,
    account: &AccountId,
    answer: impl FnOnce(&mut Ledger) -> Response,
) -> Response {
    let mut ledgers = api.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
    match ledgers.get_mut(&account.0) {
        Some(ledger) => answer(ledger),
        None => problem(StatusCode::NOT_FOUND, "there is no such account"),
    }
}
