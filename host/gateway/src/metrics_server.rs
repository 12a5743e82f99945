use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, HeaderValue, header};
use metrics::counter;
use metrics_exporter_prometheus::PrometheusHandle;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolhost_admission::ConnectionBounds;
use toolhost_policy::{ErrorCode, PublicError, Secret};

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

/// Serves `/metrics` (Prometheus text format) until `shutdown`. Without a token the listener is a
/// loopback one, which its opener has seen to, and requests under any name but a loopback one are
/// refused all the same; those of any web page always are (T51). With one, a request must present
/// it as a bearer token.
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
    let server = HttpServer::new(
        router(handle, token),
        ConnectionBounds::new(MAX_CONNECTIONS),
        leaving,
    );
    tokio::select! {
        () = server.serve(listener, || ()) => {}
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
        None => metrics.layer(from_fn_with_state(
            Arc::new(RebindingGuard::loopback()),
            admit,
        )),
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

    /// Counted, and logged once a minute: scrapers are few, and this listener is open before there
    /// is an audit chain.
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
    let text =
        "metrics need the bearer token of server.metrics_token_file or server.metrics_token_env";
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
    use toolhost_policy::Secret;
    use tower::ServiceExt;

    use super::router;

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
        assert_eq!(
            get("127.0.0.1:9000", Some("https://evil.example")).await,
            403
        );
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
            let router = router(
                PrometheusBuilder::new().build_recorder().handle(),
                Some(secret),
            );
            let answer = router
                .oneshot(request.body(Body::empty()).unwrap())
                .await
                .unwrap();
            (
                answer.status().as_u16(),
                answer.headers().contains_key("www-authenticate"),
            )
        };
        assert_eq!(
            get(Some("Bearer scrape-0123456789"), None).await,
            (200, false)
        );
        for wrong in [
            None,
            Some("Bearer scrape"),
            Some("Basic scrape-0123456789"),
            Some("scrape-0123456789"),
        ] {
            assert_eq!(get(wrong, None).await, (401, true), "{wrong:?}");
        }
        let page = get(
            Some("Bearer scrape-0123456789"),
            Some("https://evil.example"),
        )
        .await;
        assert_eq!(page.0, 403);
    }
}
