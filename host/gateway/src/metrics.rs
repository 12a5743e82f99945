use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use metrics::{counter, histogram};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolhost_admission::ConnectionBounds;
use toolhost_policy::PublicError;
use toolhost_tools::CallOutcome;

use crate::call::Door;
use crate::door::{HttpDoor, Leaving};
use crate::rebinding::{Admitted, admit};

/// How often histograms are folded; the exporter keeps each sample until then.
const UPKEEP: Duration = Duration::from_secs(5);

/// Open connections of scrapers. There are one or two; the oldest idle one gives way.
const MAX_CONNECTIONS: usize = 16;

/// How long a scrape that has begun may take once shutdown has begun.
const GRACE: Duration = Duration::from_secs(1);

/// Counts one call. Labels are closed lists: no tenant, no tool, nothing that a request brought (T52).
pub(crate) fn called(door: Door, outcome: &Result<CallOutcome, PublicError>, took: Duration) {
    let outcome = match outcome {
        Ok(CallOutcome::Complete(_)) => "ok",
        Ok(CallOutcome::InputRequired(_)) => "input_required",
        Err(error) => error.code.as_str(),
    };
    counter!("toolhost_gateway_calls_total", "door" => door.as_str(), "outcome" => outcome).increment(1);
    histogram!("toolhost_gateway_call_seconds", "door" => door.as_str(), "outcome" => outcome).record(took);
}

/// The middleware: counts requests by door and status.
pub(crate) async fn count(request: Request, next: Next) -> Response {
    let door = match request.uri().path() {
        "/mcp" => "mcp",
        path if path.starts_with("/api/") => "api",
        path if path.starts_with("/.well-known/") => "discovery",
        "/health" | "/ready" => "health",
        _ => "other",
    };
    let response = next.run(request).await;
    counter!("toolhost_gateway_requests_total", "door" => door, "status" => status(response.status().as_u16()))
        .increment(1);
    response
}

/// The statuses that the doors answer with; a label must not grow with what clients send.
fn status(code: u16) -> &'static str {
    const EXACT: &[(u16, &str)] = &[
        (200, "200"),
        (202, "202"),
        (400, "400"),
        (401, "401"),
        (403, "403"),
        (404, "404"),
        (405, "405"),
        (406, "406"),
        (408, "408"),
        (413, "413"),
        (415, "415"),
        (422, "422"),
        (424, "424"),
        (499, "499"),
        (500, "500"),
        (502, "502"),
        (503, "503"),
        (504, "504"),
    ];
    let exact = EXACT.iter().find(|(known, _)| *known == code);
    exact.map_or_else(
        || match code / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        },
        |(_, label)| label,
    )
}

/// Serves `/metrics` (Prometheus text format) until `shutdown`. The listener is a loopback one, which its opener has
/// seen to; requests under any name but a loopback one, and those of any web page, are refused all the same (T51).
///
/// # Errors
/// None at present: a connection that fails is only logged.
pub async fn serve_metrics(
    listener: TcpListener,
    handle: PrometheusHandle,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let upkeep = handle.clone();
    let folding = async {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    };
    let leaving = Leaving {
        begins: shutdown,
        drain: Duration::ZERO,
        grace: GRACE,
        stop: CancellationToken::new(),
    };
    let door = HttpDoor::new(router(handle), ConnectionBounds::new(MAX_CONNECTIONS), leaving);
    tokio::select! {
        () = door.serve(listener, || ()) => {}
        () = folding => {}
    }
    Ok(())
}

fn router(handle: PrometheusHandle) -> Router {
    Router::new()
        .route(
            "/metrics",
            get(async |State(handle): State<PrometheusHandle>| handle.render()),
        )
        .with_state(handle)
        .layer(from_fn_with_state(Arc::new(Admitted::loopback()), admit))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower::ServiceExt;

    use super::{router, status};

    #[tokio::test]
    async fn metrics_answer_to_loopback_names_alone() {
        let get = async |host: &str, origin: Option<&str>| {
            let mut request = Request::get("/metrics").header("host", host);
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let router = router(PrometheusBuilder::new().build_recorder().handle());
            router
                .oneshot(request.body(Body::empty()).unwrap())
                .await
                .unwrap()
                .status()
                .as_u16()
        };
        assert_eq!(get("127.0.0.1:9000", None).await, 200);
        assert_eq!(get("[::1]:9000", None).await, 200);
        assert_eq!(get("rebound.example:9000", None).await, 403);
        assert_eq!(get("127.0.0.1:9000", Some("https://evil.example")).await, 403);
    }

    #[test]
    fn every_status_has_a_label_and_labels_are_few() {
        let labels: std::collections::BTreeSet<_> = (100..1000).map(status).collect();
        assert!(labels.len() < 30);
    }
}
