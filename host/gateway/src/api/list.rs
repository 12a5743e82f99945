use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use moka::sync::Cache;
use serde::Serialize;
use serde_json::{Map, Value};
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tools::{ToolEntry, ToolPage};

use crate::auth::Caller;
use crate::gateway::Doors;
use crate::problem::problem;

/// Serialised pages that are kept, and how long one that nobody asks for.
const KEPT: u64 = 1024;
const IDLE: Duration = Duration::from_secs(600);

/// Pages as they go on the wire. The key is the page itself, which is kept beside them, so that its address stays its
/// own.
#[derive(Debug)]
pub(crate) struct Pages(Cache<usize, (Arc<ToolPage>, Bytes)>);

impl Default for Pages {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(KEPT).time_to_idle(IDLE).build())
    }
}

impl Pages {
    fn json(&self, page: Arc<ToolPage>) -> Bytes {
        let key = Arc::as_ptr(&page).addr();
        let (_, bytes) = self.0.get_with(key, || {
            let tools = page.tools.iter().map(|entry| ToolJson::of(entry)).collect();
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
    fn of(entry: &'a ToolEntry) -> Self {
        let effects = &entry.effects;
        Self {
            name: &entry.name,
            title: entry.title.as_deref(),
            description: &entry.description,
            input_schema: &entry.input_schema,
            output_schema: entry.output_schema.as_deref(),
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
    State(doors): State<Arc<Doors>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Response {
    let listed = async {
        let cursor = cursor(query.as_deref())?;
        doors.calls.list(&caller.home()?, cursor.as_deref()).await
    };
    match listed.await {
        Err(error) => problem(&error),
        Ok(page) => {
            let mut response = Response::new(Body::from(doors.api.json(page)));
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
    }
}

fn cursor(query: Option<&str>) -> Result<Option<String>, PublicError> {
    let mut cursor = None;
    for (key, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if key != "cursor" || cursor.is_some() {
            let key: String = key.chars().take(64).collect();
            let text = "the list takes one query parameter, cursor, at most once";
            return Err(PublicError::new(ErrorCode::InvalidRequest, text).about(key));
        }
        cursor = Some(value.into_owned());
    }
    Ok(cursor)
}

#[cfg(test)]
mod tests {
    use super::cursor;

    #[test]
    fn a_list_takes_a_cursor_and_nothing_else() {
        assert_eq!(cursor(None).unwrap(), None);
        assert_eq!(cursor(Some("cursor=a%20b")).unwrap().as_deref(), Some("a b"));
        for bad in ["tenant=globex", "cursor=a&cursor=b", "cursor=a&x", "Cursor=a"] {
            assert!(cursor(Some(bad)).is_err(), "{bad}");
        }
    }
}
