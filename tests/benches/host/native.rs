//! What a host without a sandbox would be: the same SDK, the same token check, and the tool as a
//! function of the server.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ErrorData, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use toolhost_tenancy::Tenancy;

struct Echo;

fn tool() -> Tool {
    let schema = json!({
        "type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"],
    });
    let Value::Object(schema) = schema else {
        unreachable!()
    };
    Tool::new("echo", "Says the message again.", Arc::new(schema))
}

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    fn get_tool(&self, _: &str) -> Option<Tool> {
        Some(tool())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![tool()]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        Ok(CallToolResult::structured(Value::Object(arguments)).into())
    }
}

async fn authenticate(
    State(tenancy): State<Arc<Tenancy>>,
    request: Request,
    next: Next,
) -> Response {
    match tenancy.authenticate(request.headers()).await {
        Ok(_) => next.run(request).await,
        Err(error) => http::StatusCode::from_u16(error.status())
            .unwrap()
            .into_response(),
    }
}

pub async fn serve(listener: TcpListener, tenancy: Arc<Tenancy>) {
    let config = StreamableHttpServerConfig::default()
        .disable_allowed_hosts()
        .disable_allowed_origins()
        .with_json_response(true);
    let service = StreamableHttpService::new(
        || Ok(Echo),
        Arc::new(LocalSessionManager::default()),
        config,
    );
    let router = Router::new()
        .route_service("/mcp", service)
        .layer(from_fn_with_state(tenancy, authenticate));
    // With Nagle's algorithm an event waits 40 ms for a delayed acknowledgement.
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
    axum::serve(listener, router).await.unwrap();
}
