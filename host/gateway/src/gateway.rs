use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use http::{HeaderValue, header};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use toolhost_admission::ConnectionBounds;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_store::ArtifactStore;
use toolhost_tenancy::Tenancy;
use tower_http::catch_panic::CatchPanicLayer;

use crate::auth::authenticate;
use crate::connect::{self, Logins};
use crate::http_server::{HttpServer, Shutdown};
use crate::mcp::McpState;
use crate::problem::{method_not_allowed, not_found, problem};
use crate::rebinding::{RebindingGuard, admit};
use crate::refusals::record_refusals;
use crate::shared_state::{Readiness, SharedState};
use crate::{CallPath, GatewayConfig, TenantSwitcher, api, discovery, health, mcp, metrics};

/// Takes MCP sessions that nobody uses out of the process. They go on with their next request.
#[derive(Clone)]
pub struct IdleSessionEvictor(Arc<McpState>);

impl IdleSessionEvictor {
    /// Those without a request for at least so long; how many there were.
    pub async fn evict_idle(&self, idle_for: Duration) -> usize {
        self.0.evict_idle(idle_for).await
    }
}

impl fmt::Debug for IdleSessionEvictor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdleSessionEvictor")
    }
}

/// Open connections where nothing else is said. Each costs up to the size of a head; a proxy before
/// the host needs far fewer.
const MAX_CONNECTIONS: usize = 4096;

/// Every transport over HTTP: MCP, the HTTP API, discovery, health and logins in a browser.
pub struct Gateway {
    shared: Arc<SharedState>,
    mcp: Arc<McpState>,
    connections: usize,
    drain: Duration,
    artifacts: Option<Arc<ArtifactStore>>,
    logins: Option<Arc<Logins>>,
}

impl Gateway {
    /// A gateway to a call path, for callers that `tenancy` verifies and at tenants that
    /// `switching` decides.
    #[must_use]
    pub fn new(
        calls: Arc<dyn CallPath>,
        tenancy: Arc<Tenancy>,
        switching: Arc<TenantSwitcher>,
        config: GatewayConfig,
    ) -> Self {
        let shared = Arc::new(SharedState::new(calls, tenancy, switching, config));
        Self {
            mcp: Arc::new(McpState::new(Arc::clone(&shared))),
            shared,
            connections: MAX_CONNECTIONS,
            drain: Duration::ZERO,
            artifacts: None,
            logins: None,
        }
    }

    /// This gateway with the artifacts that plugins store for their callers. Without it there is
    /// nothing to fetch.
    #[must_use]
    pub fn with_artifacts(self, artifacts: Arc<ArtifactStore>) -> Self {
        Self {
            artifacts: Some(artifacts),
            ..self
        }
    }

    /// This gateway with the pages on which users connect their accounts. Without it there are
    /// none.
    #[must_use]
    pub fn with_logins(self, logins: Arc<Logins>) -> Self {
        Self {
            logins: Some(logins),
            ..self
        }
    }

    /// This gateway with at most so many open connections: fewer than the files that the process
    /// may open, since the store, the audit chains and outside systems need some. Never more than
    /// 4,096.
    #[must_use]
    pub fn with_connections(self, connections: usize) -> Self {
        Self {
            connections: connections.min(MAX_CONNECTIONS),
            ..self
        }
    }

    /// This gateway with a time in which a host that stops says that it is not ready, and still
    /// accepts connections.
    #[must_use]
    pub fn with_drain(self, drain: Duration) -> Self {
        Self { drain, ..self }
    }

    /// Serves the routes over HTTP/1.1 until `shutdown`: then says that it is not ready, and for
    /// the drain time goes on, with answers that close their connections; then accepts nothing
    /// more, ends the streams that wait for nothing in particular, lets calls in flight finish for
    /// at most `grace`, and returns.
    ///
    /// # Errors
    /// The listener has no address.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
        grace: Duration,
    ) -> io::Result<()> {
        let router = self.router_at(Some(listener.local_addr()?));
        let (shared, mcp) = (self.shared, self.mcp);
        shared.readiness.set(true);
        let (readiness, until) = (shared.readiness.clone(), shutdown.clone());
        tokio::spawn(async move {
            tokio::join!(mcp.run_idle_eviction(&until), until.cancelled());
            readiness.set(false);
        });
        let leaving = Shutdown {
            begins: shutdown,
            drain: self.drain,
            grace,
            stop: shared.stop.clone(),
        };
        let server = HttpServer::new(router, ConnectionBounds::new(self.connections), leaving);
        server
            .serve(listener, || {
                shared.readiness.set(false);
                shared.draining.cancel();
            })
            .await;
        Ok(())
    }

    /// The switch behind `/ready`.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.shared.readiness.clone()
    }

    /// Parks MCP sessions by hand. [`Gateway::serve`] does it by itself.
    #[must_use]
    pub fn idle_session_evictor(&self) -> IdleSessionEvictor {
        IdleSessionEvictor(Arc::clone(&self.mcp))
    }

    /// Every route, with its guards.
    pub fn router(&self) -> Router {
        self.router_at(None)
    }

    /// The router for a listener at this address.
    fn router_at(&self, listener: Option<SocketAddr>) -> Router {
        let shared = Arc::clone(&self.shared);
        let guarded = api::router()
            .layer(Extension(Arc::new(api::ApiPageCache::default())))
            .layer(Extension(self.artifacts.clone()))
            .layer(Extension(self.logins.clone()))
            .merge(mcp::router(Arc::clone(&self.mcp)))
            .method_not_allowed_fallback(async || method_not_allowed())
            .route_layer(from_fn_with_state(Arc::clone(&shared), authenticate));
        let open = Router::new()
            .route("/health", get(health::health))
            .route("/ready", get(health::ready))
            .route("/api/v1/openapi.json", get(api::openapi))
            .route(
                "/.well-known/oauth-protected-resource",
                get(discovery::protected_resource),
            )
            .route(
                "/.well-known/oauth-protected-resource/{*resource}",
                get(discovery::protected_resource),
            )
            .merge(connect::router().layer(Extension(self.logins.clone())))
            .method_not_allowed_fallback(async || method_not_allowed());
        let admitted = Arc::new(RebindingGuard::new(&shared.config, listener));
        guarded
            .merge(open)
            .fallback(async || not_found())
            .with_state(Arc::clone(&shared))
            .layer(from_fn_with_state(admitted, admit))
            .layer(from_fn_with_state(shared, record_refusals))
            .layer(CatchPanicLayer::custom(panic_response))
            .layer(from_fn(finish))
            .layer(from_fn(metrics::count))
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

/// Answers belong to one caller and are what their type says. There is no CORS: a browser page is
/// no client here.
async fn finish(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

fn panic_response(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a request panicked");
    problem(&PublicError::new(
        ErrorCode::Internal,
        "the host could not do its part; the log has the reason",
    ))
}
