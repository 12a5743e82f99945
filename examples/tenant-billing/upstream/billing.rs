use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::{delete, get, patch};
use axum::{Extension, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toolhost_examples::problem;

use crate::customers::{Accounts, Customer, authenticate};

/// How the API describes itself. Anybody may read it.
const DESCRIPTION: &str = include_str!("billing.openapi.json");

/// A page without a limit.
const DEFAULT_LIMIT: usize = 20;

/// The largest page.
const MAX_LIMIT: usize = 100;

/// What a subscription can be.
const PLANS: [&str; 3] = ["starter", "team", "enterprise"];

#[derive(Clone, Serialize)]
struct Invoice {
    id: String,
    customer: &'static str,
    amount_cents: u64,
    currency: &'static str,
    status: &'static str,
}

#[derive(Clone, Serialize)]
struct Subscription {
    id: String,
    plan: String,
    seats: u32,
}

/// The plans, which can change. Invoices cannot.
type Subscriptions = Arc<Mutex<HashMap<&'static str, Subscription>>>;

pub(crate) fn router(accounts: Accounts) -> Router {
    Router::new()
        .route("/v1/invoices", get(list))
        .route("/v1/invoices/{id}", get(one))
        .route("/v1/subscriptions/{id}", patch(change))
        .route("/v1/account", delete(close))
        .route_layer(from_fn_with_state(accounts, authenticate))
        .route("/openapi.json", get(describe))
        .with_state(Subscriptions::default())
}

async fn describe() -> Response {
    ([(CONTENT_TYPE, "application/json")], DESCRIPTION).into_response()
}

fn invoices(customer: Customer) -> Vec<Invoice> {
    let owed: &[(&'static str, u64)] = match customer.0 {
        "acme" => &[
            ("Wile E. Coyote", 129_900),
            ("Road Runner Freight", 4_500),
            ("Desert Rail", 86_050),
        ],
        "globex" => &[
            ("Hank Scorpio", 9_999_900),
            ("Cypress Creek Schools", 31_415),
        ],
        _ => &[],
    };
    let invoice = |(&(name, amount_cents), number): (&(&'static str, u64), u32)| Invoice {
        id: format!("in_{}_{number}", customer.0),
        customer: name,
        amount_cents,
        currency: "EUR",
        status: if number % 2 == 1 { "paid" } else { "open" },
    };
    owed.iter().zip(1..).map(invoice).collect()
}

#[derive(Deserialize)]
struct PageQuery {
    limit: Option<usize>,
}

async fn list(
    Extension(customer): Extension<Customer>,
    Query(query): Query<PageQuery>,
) -> Response {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 || limit > MAX_LIMIT {
        return problem(StatusCode::BAD_REQUEST, "limit is from 1 to 100");
    }
    let page: Vec<Invoice> = invoices(customer).into_iter().take(limit).collect();
    Json(json!({ "invoices": page })).into_response()
}

async fn one(Extension(customer): Extension<Customer>, Path(id): Path<String>) -> Response {
    match invoices(customer)
        .into_iter()
        .find(|invoice| invoice.id == id)
    {
        Some(invoice) => Json(invoice).into_response(),
        None => problem(StatusCode::NOT_FOUND, "there is no such invoice"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    plan: Option<String>,
    seats: Option<u32>,
}

async fn change(
    State(subscriptions): State<Subscriptions>,
    Extension(customer): Extension<Customer>,
    Path(id): Path<String>,
    body: Bytes,
) -> Response {
    let change = serde_json::from_slice::<Change>(&body).ok();
    let known = |plan: &String| PLANS.contains(&plan.as_str());
    let change =
        change.filter(|change| change.plan.as_ref().is_none_or(known) && change.seats != Some(0));
    let Some(change) = change else {
        return problem(
            StatusCode::BAD_REQUEST,
            "that is no change of a subscription",
        );
    };
    let mut subscriptions = subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
    let subscription = subscriptions
        .entry(customer.0)
        .or_insert_with(|| Subscription {
            id: format!("sub_{}", customer.0),
            plan: "starter".to_owned(),
            seats: 3,
        });
    if subscription.id != id {
        return problem(StatusCode::NOT_FOUND, "there is no such subscription");
    }
    subscription.plan = change.plan.unwrap_or_else(|| subscription.plan.clone());
    subscription.seats = change.seats.unwrap_or(subscription.seats);
    Json(subscription.clone()).into_response()
}

/// What nobody should let a model do, and the API offers.
async fn close() -> Json<Value> {
    Json(json!({ "closed": true }))
}
