use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use moka::sync::Cache;
use rmcp::model::{Tool, ToolAnnotations};
use serde::Serialize;
use serde_json::{Map, Value};
use toolhost_identity::TenantId;
use toolhost_policy::PublicError;
use toolhost_tools::{ToolEntry, ToolPage};

use super::query;
use super::tenant_headers::{EXPECT, of_tenant, tenant_selection};
use crate::caller::RequestCaller;
use crate::problem::problem;
use crate::shared_state::SharedState;
use crate::switching::{HostToolSet, is_homeless};

/// Serialised pages that are kept, and how long one that nobody asks for.
const KEPT: u64 = 1024;
const IDLE: Duration = Duration::from_secs(600);

/// Pages as they go on the wire. The key is the page itself, which is kept beside them, so that its
/// address stays its own.
#[derive(Debug)]
pub(crate) struct ApiPageCache {
    kept: Cache<(usize, HostToolSet), (Arc<ToolPage>, Bytes)>,
    empty: Arc<ToolPage>,
}

impl Default for ApiPageCache {
    fn default() -> Self {
        Self {
            kept: Cache::builder()
                .max_capacity(KEPT)
                .time_to_idle(IDLE)
                .build(),
            empty: Arc::new(ToolPage {
                tools: vec![],
                next_cursor: None,
                revision: 0,
            }),
        }
    }
}

impl ApiPageCache {
    /// The page as it goes on the wire, after the host's own tools that are offered on it.
    fn json(&self, page: Arc<ToolPage>, offer: HostToolSet) -> Bytes {
        let key = (Arc::as_ptr(&page).addr(), offer);
        let (_, bytes) = self.kept.get_with(key, || {
            let mut tools: Vec<ToolJson<'_>> = Vec::with_capacity(page.tools.len());
            for tool in offer.tools() {
                tools.push(ToolJson::from_host_tool(tool));
            }
            tools.extend(page.tools.iter().map(|entry| ToolJson::from_entry(entry)));
            let list = ListJson {
                tools,
                next_cursor: page.next_cursor.as_deref(),
            };
            let bytes = serde_json::to_vec(&list).unwrap_or_default();
            (Arc::clone(&page), bytes.into())
        });
        bytes
    }
}

#[derive(Serialize)]
struct ListJson<'a> {
    tools: Vec<ToolJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<&'a str>,
}

#[derive(Serialize)]
struct ToolJson<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    description: &'a str,
    input_schema: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_input_schema: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<&'a Map<String, Value>>,
    effects: EffectsJson,
    requires: &'a [String],
}

#[derive(Serialize)]
struct EffectsJson {
    read_only: bool,
    destructive: bool,
    idempotent: bool,
    open_world: bool,
}

impl<'a> ToolJson<'a> {
    fn from_host_tool(tool: &'a Tool) -> Self {
        let effects = tool.annotations.as_ref();
        let has = |effect: fn(&ToolAnnotations) -> Option<bool>| {
            effects.and_then(effect).unwrap_or_default()
        };
        Self {
            name: &tool.name,
            title: tool.title.as_deref(),
            description: tool.description.as_deref().unwrap_or_default(),
            input_schema: &tool.input_schema,
            original_input_schema: None,
            output_schema: tool.output_schema.as_deref(),
            effects: EffectsJson {
                read_only: has(|effects| effects.read_only_hint),
                destructive: has(|effects| effects.destructive_hint),
                idempotent: has(|effects| effects.idempotent_hint),
                open_world: has(|effects| effects.open_world_hint),
            },
            requires: &[],
        }
    }

    fn from_entry(entry: &'a ToolEntry) -> Self {
        let effects = &entry.effects;
        Self {
            name: &entry.name,
            title: entry.title.as_deref(),
            description: &entry.description,
            input_schema: entry.input_schema(),
            original_input_schema: entry.original_input_schema(),
            output_schema: entry.output_schema().map(AsRef::as_ref),
            effects: EffectsJson {
                read_only: effects.read_only,
                destructive: effects.destructive,
                idempotent: effects.idempotent,
                open_world: effects.open_world,
            },
            requires: &entry.requires,
        }
    }
}

/// `GET /api/v1/tools?cursor=`.
pub(crate) async fn list(
    State(shared): State<Arc<SharedState>>,
    Extension(caller): Extension<RequestCaller>,
    Extension(pages): Extension<Arc<ApiPageCache>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    match list_tools(&shared, &pages, &caller, query.as_deref(), &headers).await {
        Err(error) => problem(&error),
        Ok((json, active)) => {
            let mut response = Response::new(Body::from(json));
            response.headers_mut().insert(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            );
            of_tenant(response, active.as_ref())
        }
    }
}

async fn list_tools(
    shared: &SharedState,
    pages: &ApiPageCache,
    caller: &RequestCaller,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<(Bytes, Option<TenantId>), PublicError> {
    let (cursor, said) = (query::cursor(query)?, tenant_selection(headers)?);
    let switching = &shared.switching;
    let (page, active) = match switching.binding(caller.session_caller(), &said).await {
        Ok(binding) => {
            said.check(Some(binding.tenant()))
                .map_err(|error| error.about(EXPECT))?;
            (
                shared.calls.list(&binding, cursor.as_deref()).await?,
                Some(binding.tenant().clone()),
            )
        }
        Err(error) if is_homeless(&error) && said.expects.is_none() => {
            (Arc::clone(&pages.empty), None)
        }
        Err(error) => return Err(error),
    };
    // The host's own stand on the first page.
    let offer = match cursor {
        None => {
            switching
                .listed_host_tools(caller.admitted_caller(), active.as_ref())
                .await
        }
        Some(_) => HostToolSet::Nothing,
    };
    Ok((pages.json(page, offer), active))
}
