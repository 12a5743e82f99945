use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, HeaderValue, header};
use metrics::{counter, histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolhost_admission::ConnectionBounds;
use toolhost_policy::{ErrorCode, PublicError, Secret};
use toolhost_tools::CallOutcome;

use crate::call::CallTransport;
use crate::http_server::{HttpServer, Shutdown};
use crate::problem::problem;
use crate::rebinding::{RebindingGuard, admit};

/// How often histograms are folded; the exporter keeps each sample until then.
const UPKEEP: Duration = Duration::from_secs(5);

/// Open connections of scrapers. There are one or two; the oldest idle one gives way.
const MAX_CONNECTIONS: usize = 16;

/// A refused scrape is logged once in this time.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// How long a scrape that has begun may take once shutdown has begun.
const GRACE: Duration = Duration::from_secs(1);

/// Upper bounds of the histograms' buckets, in seconds. A cached call takes a tenth of a millisecond, a plugin's own work some
/// milliseconds, an outside system's answer up to seconds, and the default of `wall_ms` is 30 s.
const SECONDS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
    30.0,
];

/// What kind a metric is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Seconds, in buckets.
    Histogram,
}

/// Every metric of the host, with what it says. A test compares the page of operations with it.
pub const METRICS: &[(&str, MetricKind, &str)] = &[
    (
        "toolhost_gateway_requests_total",
        MetricKind::Counter,
        "Requests at the doors.",
    ),
    (
        "toolhost_gateway_connections_closed_total",
        MetricKind::Counter,
        "Connections that were closed for a newcomer.",
    ),
    (
        "toolhost_gateway_calls_total",
        MetricKind::Counter,
        "Tool calls at the doors, by outcome.",
    ),
    (
        "toolhost_gateway_call_seconds",
        MetricKind::Histogram,
        "How long tool calls took at the doors.",
    ),
    (
        "toolhost_calls_total",
        MetricKind::Counter,
        "Tool calls on the call path, by outcome.",
    ),
    (
        "toolhost_call_seconds",
        MetricKind::Histogram,
        "How long tool calls took, without the door.",
    ),
    (
        "toolhost_refusals_total",
        MetricKind::Counter,
        "Requests refused before anything ran, by reason.",
    ),
    (
        "toolhost_plugins",
        MetricKind::Gauge,
        "Plugins that were named, by state.",
    ),
    (
        "toolhost_plugins_left_out",
        MetricKind::Gauge,
        "Plugins that cannot be served, by reason.",
    ),
    (
        "toolhost_cancels_total",
        MetricKind::Counter,
        "Dropped calls that an outside system was to be told of.",
    ),
    (
        "toolhost_egress_requests_total",
        MetricKind::Counter,
        "Requests of guests, by outcome.",
    ),
    (
        "toolhost_egress_reflections_total",
        MetricKind::Counter,
        "Answers that held the credential.",
    ),
    (
        "toolhost_egress_quarantines_total",
        MetricKind::Counter,
        "Connections that were quarantined for a plugin of a tenant.",
    ),
];

/// Records the metrics of this process from here on.
///
/// # Errors
/// Something records them already.
pub fn record_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = recorder()?.install_recorder()?;
    describe();
    Ok(handle)
}

/// Times are histograms: those of several hosts can be added up, and summaries cannot.
fn recorder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new().set_buckets(&SECONDS)
}

fn describe() {
    for (name, kind, help) in METRICS {
        match kind {
            MetricKind::Counter => metrics::describe_counter!(*name, *help),
            MetricKind::Gauge => metrics::describe_gauge!(*name, *help),
            MetricKind::Histogram => metrics::describe_histogram!(*name, *help),
        }
    }
}

/// Counts one call. Labels are closed lists: no tenant, no tool, nothing that a request brought (T52).
pub(crate) fn record_call(door: CallTransport, outcome: &Result<CallOutcome, PublicError>, took: Duration) {
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

/// Serves `/metrics` (Prometheus text format) until `shutdown`. Without a token the listener is a loopback one, which its opener
/// has seen to, and requests under any name but a loopback one are refused all the same; those of any web page always are (T51).
/// With one, a request must present it as a bearer token.
///
/// # Errors
/// None at present: a connection that fails is only logged.
pub async fn serve_metrics(
    listener: TcpListener,
    handle: PrometheusHandle,
    token: Option<Secret>,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let upkeep = handle.clone();
    let folding = async {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    };
    let leaving = Shutdown {
        begins: shutdown,
        drain: Duration::ZERO,
        grace: GRACE,
        stop: CancellationToken::new(),
    };
    let door = HttpServer::new(
        router(handle, token),
        ConnectionBounds::new(MAX_CONNECTIONS),
        leaving,
    );
    tokio::select! {
        () = door.serve(listener, || ()) => {}
        () = folding => {}
    }
    Ok(())
}

fn router(handle: PrometheusHandle, token: Option<Secret>) -> Router {
    let metrics = Router::new()
        .route(
            "/metrics",
            get(async |State(handle): State<PrometheusHandle>| {
                ([(header::CONTENT_TYPE, EXPOSITION)], handle.render())
            }),
        )
        .with_state(handle);
    match token {
        None => metrics.layer(from_fn_with_state(Arc::new(RebindingGuard::loopback()), admit)),
        Some(token) => metrics.layer(from_fn_with_state(Arc::new(Scrapers::new(&token)), scrape)),
    }
}

/// The media type of the text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Who may read the metrics: whoever presents a token, of which the digest is kept.
struct Scrapers {
    token: [u8; 32],
    /// When a refusal was last logged.
    said: Mutex<Option<Instant>>,
}

impl Scrapers {
    fn new(token: &Secret) -> Self {
        Self {
            token: Sha256::digest(token.expose()).into(),
            said: Mutex::default(),
        }
    }

    /// Counted, and logged once a minute: scrapers are few, and this listener is open before there is an audit chain.
    fn refused(&self, why: &'static str) {
        counter!("toolhost_refusals_total", "reason" => "metrics").increment(1);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|at| at.elapsed() >= SAID_EVERY) {
            *said = Some(Instant::now());
            tracing::warn!(why, "a request for the metrics was refused");
        }
    }

    /// Digests are compared: how many bytes of one agree says nothing about the token.
    fn has(&self, headers: &HeaderMap) -> bool {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(only), None) = (given.next(), given.next()) else {
            return false;
        };
        let Some((scheme, token)) = only.to_str().ok().and_then(|text| text.split_once(' ')) else {
            return false;
        };
        let digest: [u8; 32] = Sha256::digest(token.trim()).into();
        scheme.eq_ignore_ascii_case("bearer") && digest == self.token
    }
}

async fn scrape(State(scrapers): State<Arc<Scrapers>>, request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        let text = "metrics are not for web pages";
        scrapers.refused(text);
        return problem(&PublicError::new(ErrorCode::Forbidden, text).about("Origin"));
    }
    if scrapers.has(request.headers()) {
        return next.run(request).await;
    }
    let text = "metrics need the bearer token of server.metrics_token_file or server.metrics_token_env";
    scrapers.refused(text);
    let mut response = problem(&PublicError::new(ErrorCode::Unauthenticated, text));
    let headers = response.headers_mut();
    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower::ServiceExt;

    use toolhost_policy::Secret;

    use super::{METRICS, MetricKind, describe, recorder, router, status};

    #[tokio::test]
    async fn metrics_answer_to_loopback_names_alone() {
        let get = async |host: &str, origin: Option<&str>| {
            let mut request = Request::get("/metrics").header("host", host);
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let router = router(PrometheusBuilder::new().build_recorder().handle(), None);
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

    #[tokio::test]
    async fn with_a_token_metrics_answer_to_whoever_presents_it_and_to_no_web_page() {
        let get = async |token: Option<&str>, origin: Option<&str>| {
            let mut request = Request::get("/metrics").header("host", "metrics.internal:9000");
            if let Some(token) = token {
                request = request.header("authorization", token);
            }
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let secret = Secret::from("scrape-0123456789".to_owned());
            let router = router(PrometheusBuilder::new().build_recorder().handle(), Some(secret));
            let answer = router
                .oneshot(request.body(Body::empty()).unwrap())
                .await
                .unwrap();
            (
                answer.status().as_u16(),
                answer.headers().contains_key("www-authenticate"),
            )
        };
        assert_eq!(get(Some("Bearer scrape-0123456789"), None).await, (200, false));
        for wrong in [
            None,
            Some("Bearer scrape"),
            Some("Basic scrape-0123456789"),
            Some("scrape-0123456789"),
        ] {
            assert_eq!(get(wrong, None).await, (401, true), "{wrong:?}");
        }
        let page = get(Some("Bearer scrape-0123456789"), Some("https://evil.example")).await;
        assert_eq!(page.0, 403);
    }

    #[test]
    fn a_time_is_a_histogram_in_seconds_and_every_metric_says_what_it_is() {
        let recorder = recorder().unwrap().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            describe();
            for (name, kind, _) in METRICS {
                match kind {
                    MetricKind::Counter => metrics::counter!(*name).increment(1),
                    MetricKind::Gauge => metrics::gauge!(*name).set(1.0),
                    MetricKind::Histogram => metrics::histogram!(*name).record(0.02),
                }
            }
        });
        let text = handle.render();
        for (name, kind, help) in METRICS {
            let kind = match kind {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
            };
            assert!(
                text.contains(&format!("# HELP {name} {help}\n")),
                "{name}: {text}"
            );
            assert!(
                text.contains(&format!("# TYPE {name} {kind}\n")),
                "{name}: {text}"
            );
        }
        for line in [
            "toolhost_call_seconds_bucket{le=\"0.01\"} 0",
            "toolhost_call_seconds_bucket{le=\"0.025\"} 1",
            "toolhost_call_seconds_bucket{le=\"+Inf\"} 1",
            "toolhost_call_seconds_count 1",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(!text.contains("quantile"));
    }

    #[test]
    fn every_status_has_a_label_and_labels_are_few() {
        let labels: std::collections::BTreeSet<_> = (100..1000).map(status).collect();
        assert!(labels.len() < 30);
    }
}
