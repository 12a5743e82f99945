use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use metrics::{counter, histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use toolhost_policy::PublicError;
use toolhost_tools::CallOutcome;

use crate::call_transport::CallTransport;

/// Upper bounds of the histograms' buckets, in seconds. A cached call takes a tenth of a
/// millisecond, a plugin's own work some milliseconds, an outside system's answer up to seconds,
/// and the default of `wall_ms` is 30 s.
const SECONDS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0, 30.0,
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
        "Requests at the shared.",
    ),
    (
        "toolhost_gateway_connections_closed_total",
        MetricKind::Counter,
        "Connections that were closed for a newcomer.",
    ),
    (
        "toolhost_gateway_calls_total",
        MetricKind::Counter,
        "Tool calls at the shared, by outcome.",
    ),
    (
        "toolhost_gateway_call_seconds",
        MetricKind::Histogram,
        "How long tool calls took at the shared.",
    ),
    (
        "toolhost_calls_total",
        MetricKind::Counter,
        "Tool calls on the call path, by outcome.",
    ),
    (
        "toolhost_call_seconds",
        MetricKind::Histogram,
        "How long tool calls took, without the transport.",
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

/// Counts one call. Labels are closed lists: no tenant, no tool, nothing that a request brought
/// (T52).
pub(crate) fn record_call(
    door: CallTransport,
    outcome: &Result<CallOutcome, PublicError>,
    took: Duration,
) {
    let outcome = match outcome {
        Ok(CallOutcome::Complete(_)) => "ok",
        Ok(CallOutcome::InputRequired(_)) => "input_required",
        Err(error) => error.code.as_str(),
    };
    counter!("toolhost_gateway_calls_total", "door" => door.as_str(), "outcome" => outcome)
        .increment(1);
    histogram!("toolhost_gateway_call_seconds", "door" => door.as_str(), "outcome" => outcome)
        .record(took);
}

/// The middleware: counts requests by transport and status.
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

/// The statuses that the transports answer with; a label must not grow with what clients send.
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

#[cfg(test)]
mod tests {
    use super::{METRICS, MetricKind, describe, recorder, status};

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
