use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::Request;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use http::{HeaderValue, header};
use tokio_util::sync::CancellationToken;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_store::Artifacts;
use toolhost_tenancy::Tenancy;
use toolhost_tools::Tools;
use tower_http::catch_panic::CatchPanicLayer;

use crate::auth::authenticate;
use crate::connect::{self, Logins};
use crate::mcp::Mcp;
use crate::problem::{not_found, problem};
use crate::rebinding::{Admitted, admit};
use crate::{CallPath, GatewayConfig, Switching, api, discovery, health, metrics};

/// Whether `/ready` says yes. Off until [`Gateway::serve`] begins, and off again when its shutdown does.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// What `/ready` says from now on.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// What it says.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What every route shares.
pub(crate) struct Doors {
    pub(crate) calls: Arc<dyn CallPath>,
    pub(crate) tenancy: Arc<Tenancy>,
    pub(crate) config: GatewayConfig,
    pub(crate) metadata_url: String,
    pub(crate) readiness: Readiness,
    pub(crate) switching: Option<Arc<Switching>>,
    pub(crate) mcp: Mcp,
    pub(crate) api: api::Pages,
    /// Streams that wait for nothing in particular end; calls go on.
    pub(crate) draining: CancellationToken,
    /// Everything ends.
    pub(crate) stop: CancellationToken,
}

/// The doors together.
pub struct Gateway {
    pub(crate) doors: Arc<Doors>,
    artifacts: Option<Arc<Artifacts>>,
    logins: Option<Arc<Logins>>,
}

impl Gateway {
    /// Puts the doors before the call path.
    #[must_use]
    pub fn new(tools: Arc<Tools>, tenancy: Arc<Tenancy>, config: GatewayConfig) -> Self {
        Self::with_call_path(tools, tenancy, config)
    }

    /// The same for callers who may switch tenants, and for those whose token names none.
    #[must_use]
    pub fn switching(
        calls: Arc<dyn CallPath>,
        tenancy: Arc<Tenancy>,
        switching: Arc<Switching>,
        config: GatewayConfig,
    ) -> Self {
        Self::of(calls, tenancy, Some(switching), config)
    }

    /// The same before a stand-in.
    #[must_use]
    pub fn with_call_path(calls: Arc<dyn CallPath>, tenancy: Arc<Tenancy>, config: GatewayConfig) -> Self {
        Self::of(calls, tenancy, None, config)
    }

    fn of(
        calls: Arc<dyn CallPath>,
        tenancy: Arc<Tenancy>,
        switching: Option<Arc<Switching>>,
        config: GatewayConfig,
    ) -> Self {
        let stop = CancellationToken::new();
        let doors = Doors {
            mcp: Mcp::new(&config, stop.clone()),
            api: api::Pages::default(),
            metadata_url: config.metadata_url(),
            readiness: Readiness::default(),
            switching,
            draining: stop.child_token(),
            calls,
            tenancy,
            config,
            stop,
        };
        Self {
            doors: Arc::new(doors),
            artifacts: None,
            logins: None,
        }
    }

    /// The same, with what plugins keep for their callers to fetch. Without it there is nothing to fetch.
    #[must_use]
    pub fn with_artifacts(self, artifacts: Arc<Artifacts>) -> Self {
        Self {
            artifacts: Some(artifacts),
            ..self
        }
    }

    /// The same, with connections whose users connect accounts of their own. Without it there are none.
    #[must_use]
    pub fn with_logins(self, logins: Arc<Logins>) -> Self {
        Self {
            logins: Some(logins),
            ..self
        }
    }

    /// The switch behind `/ready`.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.doors.readiness.clone()
    }

    /// Every route, with its guards.
    pub fn router(&self) -> Router {
        let doors = Arc::clone(&self.doors);
        let guarded = Router::new()
            .route("/api/v1/tools", get(api::list))
            .route("/api/v1/tools/{name}/call", post(api::call))
            .route("/api/v1/sessions", post(api::begin).get(api::list_sessions))
            .route("/api/v1/sessions/{id}", get(api::show).delete(api::end))
            .route("/api/v1/sessions/{id}/calls", post(api::call_in_session))
            .route("/api/v1/sessions/{id}/events", get(api::events))
            .route("/api/v1/tenants", get(api::list_tenants))
            .route("/api/v1/tenants/{id}", get(api::show_tenant))
            .route("/api/v1/artifacts/{id}", get(api::artifact))
            .route("/api/v1/connections/{name}/login", post(api::connect))
            .layer(Extension(self.artifacts.clone()))
            .layer(Extension(self.logins.clone()))
            .route("/mcp", any(crate::mcp::endpoint))
            .route_layer(from_fn_with_state(Arc::clone(&doors), authenticate));
        let open = Router::new()
            .route("/health", get(health::health))
            .route("/ready", get(health::ready))
            .route("/api/v1/openapi.json", get(api::openapi))
            .route(
                "/connections/{name}/login",
                get(connect::login).post(connect::agree),
            )
            .route("/connections/{name}/callback", get(connect::callback))
            .layer(Extension(self.logins.clone()))
            .route(
                "/.well-known/oauth-protected-resource",
                get(discovery::protected_resource),
            )
            .route(
                "/.well-known/oauth-protected-resource/{*resource}",
                get(discovery::protected_resource),
            );
        let admitted = Arc::new(Admitted::new(&doors.config));
        guarded
            .merge(open)
            .fallback(async || not_found())
            .with_state(doors)
            .layer(from_fn_with_state(admitted, admit))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(from_fn(finish))
            .layer(from_fn(metrics::count))
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("config", &self.doors.config)
            .finish_non_exhaustive()
    }
}

/// Answers belong to one caller and are what their type says. There is no CORS: a browser page is no client here.
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

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a request panicked");
    problem(&PublicError::new(
        ErrorCode::Internal,
        "the host could not do its part; the log has the reason",
    ))
}
