//! A page of `tools/list` through the transports, against writing the same page as JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use futures::future::BoxFuture;
use http::Request;
use http_body_util::BodyExt;
use rmcp::model::ListToolsResult;
use serde_json::{Value, json};
use tokio::runtime::Builder;
use toolhost_gateway::{CallPath, Gateway, GatewayConfig};
use toolhost_harness::switcher;
use toolhost_identity::Binding;
use toolhost_policy::{ErrorCode, PluginName, PublicError};
use toolhost_sandbox::contract;
use toolhost_tools::{CallOptions, CallOutcome, ModelArgs, ToolEntry, ToolPage};
use tower::ServiceExt;

use crate::table::{Case, Table, Target, in_turns, micros};
use crate::wiring::{Callers, TENANT};

const PLUGINS: usize = 50;

/// What the billing plugin offers, so that its schemas are what schemas are like.
const TOOLS_EACH: usize = 3;

const PAGE: usize = 100;

/// The list of many plugins without their code: a catalogue hands out pages that it built once, and
/// so does this.
struct Listed(Vec<Arc<ToolPage>>);

impl CallPath for Listed {
    fn list<'a>(
        &'a self,
        _: &'a Binding,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Arc<ToolPage>, PublicError>> {
        let index = cursor.map_or(0, |cursor| cursor.parse().unwrap());
        Box::pin(std::future::ready(Ok(Arc::clone(&self.0[index]))))
    }

    fn find<'a>(
        &'a self,
        _: &'a Binding,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<ToolEntry>>, PublicError>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    fn find_at_once(&self, _: &Binding, _: &str) -> Option<Arc<ToolEntry>> {
        None
    }

    fn call<'a>(
        &'a self,
        _: &'a Binding,
        _: &'a str,
        _: ModelArgs,
        _: CallOptions,
    ) -> BoxFuture<'a, Result<CallOutcome, PublicError>> {
        Box::pin(std::future::ready(Err(PublicError::new(
            ErrorCode::NotFound,
            "nothing is called here",
        ))))
    }
}

fn tool(plugin: usize, index: usize) -> Arc<ToolEntry> {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "limit": {"description": "How many at most.", "type": "integer", "format": "uint32", "minimum": 1, "maximum": 100, "default": 20},
            "cursor": {"description": "Where the last page ended; leave it out for the first.", "type": ["string", "null"], "default": null},
        },
        "additionalProperties": false,
    });
    let tool = contract::Tool {
        name: format!("plugin{plugin}_tool{index}"),
        title: Some("List invoices".into()),
        description: "Lists the invoices of the customer, newest first, one page at a time.".into(),
        input_schema: schema.to_string(),
        output_schema: None,
        effects: contract::Effects {
            read_only: true,
            destructive: false,
            idempotent: true,
            open_world: true,
        },
        requires: vec![],
        cache: None,
        meta: vec![],
    };
    Arc::new(
        ToolEntry::new(
            &PluginName::parse(&format!("plugin{plugin}")).unwrap(),
            tool,
        )
        .unwrap(),
    )
}

fn listed(plugins: usize) -> Listed {
    let tools: Vec<_> = (0..plugins)
        .flat_map(|plugin| (0..TOOLS_EACH).map(move |index| tool(plugin, index)))
        .collect();
    let pages = tools.chunks(PAGE).enumerate().map(|(index, tools)| {
        Arc::new(ToolPage {
            tools: tools.to_vec(),
            next_cursor: ((index + 1) * PAGE < plugins * TOOLS_EACH)
                .then(|| (index + 1).to_string()),
            revision: 1,
        })
    });
    let pages: Vec<_> = pages.collect();
    if !pages.is_empty() {
        return Listed(pages);
    }
    Listed(vec![Arc::new(ToolPage {
        tools: vec![],
        next_cursor: None,
        revision: 1,
    })])
}

fn request(token: &str) -> Request<Body> {
    let version = "2026-07-28";
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "0"},
    }}});
    let headers = BTreeMap::from([
        ("host", "127.0.0.1:8080"),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", version),
        ("mcp-method", "tools/list"),
    ]);
    let mut request = Request::post("/mcp").header("authorization", format!("Bearer {token}"));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(Body::from(message.to_string())).unwrap()
}

async fn router(plugins: usize, callers: &Callers) -> Router {
    let switching = switcher(callers.directory.clone(), &[TENANT]).await;
    let config = GatewayConfig {
        public_url: "http://127.0.0.1:8080/mcp".parse().unwrap(),
        allowed_hosts: vec![],
        allowed_origins: vec![],
        max_body_bytes: 1 << 20,
        version: "0",
    };
    Gateway::new(
        Arc::new(listed(plugins)),
        Arc::clone(&callers.tenancy),
        switching,
        config,
    )
    .router()
}

pub fn measure() -> Vec<Table> {
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    vec![runtime.block_on(compare())]
}

async fn compare() -> Table {
    let callers = Callers::new().await;
    let (full, empty) = (router(PLUGINS, &callers).await, router(0, &callers).await);
    let first = page(full.clone(), request(&callers.token)).await;
    let answer: Value = serde_json::from_slice(&first).unwrap();
    let result: ListToolsResult = serde_json::from_value(answer["result"].clone()).unwrap();
    assert_eq!(result.tools.len(), PAGE);
    let result = Arc::new(result);
    let over_api = || {
        let request = Request::get("/api/v1/tools").header("host", "127.0.0.1:8080");
        let request = request.header("authorization", format!("Bearer {}", callers.token));
        request.body(Body::empty()).unwrap()
    };
    let mut cases = [
        Case::new("the page as JSON", || {
            let result = Arc::clone(&result);
            async move {
                std::hint::black_box(serde_json::to_vec(&*result).unwrap());
            }
        }),
        Case::new("tools/list of no tools: what any request costs", || {
            let answer = page(empty.clone(), request(&callers.token));
            async move {
                answer.await;
            }
        }),
        Case::new("tools/list, from request to the last byte", || {
            let answer = page(full.clone(), request(&callers.token));
            async move {
                assert!(answer.await.len() > 10_000);
            }
        }),
        Case::new("GET /api/v1/tools, the same page", || {
            let answer = page(full.clone(), over_api());
            async move {
                assert!(answer.await.len() > 10_000);
            }
        }),
    ];
    in_turns(&mut cases, 20, 100).await;
    let title = format!(
        "tools/list, {PLUGINS} plugins, a page of {PAGE} tools, {} KiB",
        first.len() >> 10
    );
    let mut table = Table::new(title, &["p50 us", "p99 us", "x JSON"]);
    let base = cases[0].median();
    for case in &cases {
        table.row(case.name(), Table::cells_of(case, base).0);
    }
    let of_page = cases[2].median().saturating_sub(cases[1].median());
    let ratio = of_page.as_secs_f64() / base.as_secs_f64();
    let cells = vec![
        format!("{:.1}", micros(of_page)),
        String::new(),
        format!("{ratio:.2}"),
    ];
    table.judged(
        "the page: the whole less what any request costs",
        cells,
        Target::AtMost(1.3),
        ratio,
    );
    table
}

async fn page(router: Router, request: Request<Body>) -> bytes::Bytes {
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body().collect().await.unwrap().to_bytes()
}
