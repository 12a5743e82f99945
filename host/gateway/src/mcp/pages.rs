use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache;
use rmcp::model::{CacheScope, ErrorData, ListToolsResult, Tool, ToolAnnotations};
use serde_json::{Map, Value, json};
use toolhost_tools::{ToolEntry, ToolPage};

use super::Era;
use super::tool_list_text::ToolListText;
use crate::switching::{HostToolSet, with_argument};

/// Converted pages that are kept: those of some hundred tenants. One more costs its conversion
/// again.
const KEPT: u64 = 1024;

/// Pages that nobody asks for, and those of earlier revisions, go after this.
const IDLE: Duration = Duration::from_secs(600);

/// How long a client may show the list without asking again, in milliseconds. Changes are rare and
/// announced by nobody on the stateless protocol.
const TTL_MS: u64 = 60_000;

/// Pages of `tools/list`, converted once each.
///
/// The key is the page itself. A kept page cannot be freed, so its address cannot become another
/// page's, and one tenant's page never answers for another's.
#[derive(Debug)]
pub(crate) struct McpPageCache {
    kept: Cache<(usize, Era, ListAdditions), Arc<RenderedPage>>,
    empty: Arc<ToolPage>,
}

/// What a list has beside the plugins' tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ListAdditions {
    /// The host's own tools.
    pub(crate) offer: HostToolSet,
    /// Whether each tool takes a tenant context.
    pub(crate) argument: bool,
}

/// A page, its tools as MCP has them, and the text of these once somebody has asked for it.
#[derive(Debug)]
struct RenderedPage {
    page: Arc<ToolPage>,
    tools: Vec<Tool>,
    text: OnceLock<Bytes>,
}

impl Default for McpPageCache {
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

impl McpPageCache {
    /// The page of a caller that no plugin's tool is for.
    pub(crate) fn without_plugins(&self) -> Arc<ToolPage> {
        Arc::clone(&self.empty)
    }

    /// The whole page.
    pub(crate) fn result(
        &self,
        page: Arc<ToolPage>,
        era: Era,
        face: ListAdditions,
    ) -> ListToolsResult {
        let kept = self.render_cached(page, era, face);
        list_result(&kept.page, kept.tools.clone(), era)
    }

    /// The page without its tools, whose text goes to `listed`.
    ///
    /// # Errors
    /// The tools cannot be written, which no tool that was admitted leads to.
    pub(crate) fn split_result(
        &self,
        page: Arc<ToolPage>,
        era: Era,
        face: ListAdditions,
        listed: &ToolListText,
    ) -> Result<ListToolsResult, ErrorData> {
        let kept = self.render_cached(page, era, face);
        let text = match kept.text.get() {
            Some(text) => text.clone(),
            None => {
                let text = serde_json::to_vec(&kept.tools)
                    .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
                kept.text.get_or_init(|| text.into()).clone()
            }
        };
        listed.put(text);
        Ok(list_result(&kept.page, vec![], era))
    }

    fn render_cached(
        &self,
        page: Arc<ToolPage>,
        era: Era,
        face: ListAdditions,
    ) -> Arc<RenderedPage> {
        let key = (Arc::as_ptr(&page).addr(), era, face);
        self.kept.get_with(key, || {
            let plugins = page.tools.iter().map(|entry| tool(entry, era));
            let mut tools: Vec<Tool> = face.offer.tools().cloned().chain(plugins).collect();
            if face.argument {
                for tool in &mut tools {
                    tool.input_schema = with_argument(&tool.input_schema);
                }
            }
            Arc::new(RenderedPage {
                page,
                tools,
                text: OnceLock::new(),
            })
        })
    }
}

/// What a page says beside its tools.
fn list_result(page: &ToolPage, tools: Vec<Tool>, era: Era) -> ListToolsResult {
    let mut result = ListToolsResult::with_all_items(tools);
    result.next_cursor.clone_from(&page.next_cursor);
    (result.ttl_ms, result.cache_scope) = caching(era);
    result
}

/// What a list says of caches. It is this caller's: a shared cache must not give it to another (MCP
/// 2026-07-28, caching).
pub(super) fn caching(era: Era) -> (Option<u64>, Option<CacheScope>) {
    match era {
        Era::Legacy => (None, None),
        Era::Modern => (Some(TTL_MS), Some(CacheScope::Private)),
    }
}

/// A tool as MCP lists it.
pub(crate) fn tool(entry: &ToolEntry, era: Era) -> Tool {
    let effects = &entry.effects;
    let annotations = ToolAnnotations::from_raw(
        entry.title.clone(),
        Some(effects.read_only),
        Some(effects.destructive),
        Some(effects.idempotent),
        Some(effects.open_world),
    );
    let mut tool = Tool::new(
        entry.name.clone(),
        entry.description.clone(),
        with_object_properties(entry.input_schema()),
    );
    tool.title.clone_from(&entry.title);
    tool.annotations = Some(annotations);
    // Before 2026-07-28 an output schema describes an object; one client refuses the whole list
    // over another.
    let object = |schema: &serde_json::Map<String, Value>| {
        schema.get("type").is_some_and(|kind| kind == "object")
    };
    let is_listed = entry
        .output_schema()
        .is_some_and(|schema| era == Era::Modern || object(schema));
    tool.output_schema = entry.answer_schema().filter(|_| is_listed).cloned();
    tool
}

/// A schema whose properties are objects. `true` and `false` are schemas too, and the TypeScript
/// SDK 1.x refuses the whole list over one of them; `{}` and `{"not": {}}` say the same (JSON
/// Schema 2020-12 core, section 4.3.2).
fn with_object_properties(schema: &Arc<Map<String, Value>>) -> Arc<Map<String, Value>> {
    let is_plain = |schema: &Map<String, Value>| {
        let properties = schema.get("properties").and_then(Value::as_object);
        properties.is_none_or(|properties| !properties.values().any(Value::is_boolean))
    };
    if is_plain(schema) {
        return Arc::clone(schema);
    }
    let mut schema = Map::clone(schema);
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for property in properties.into_iter().flat_map(Map::values_mut) {
        match property {
            Value::Bool(true) => *property = json!({}),
            Value::Bool(false) => *property = json!({ "not": {} }),
            _ => {}
        }
    }
    Arc::new(schema)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use toolhost_policy::PluginName;
    use toolhost_sandbox::contract;
    use toolhost_tools::{ToolEntry, ToolPage};

    use super::{ListAdditions, McpPageCache, with_object_properties};
    use crate::mcp::Era;
    use crate::switching::HostToolSet;

    const PLAIN: ListAdditions = ListAdditions {
        offer: HostToolSet::Nothing,
        argument: false,
    };

    fn page(name: &str, output: serde_json::Value) -> Arc<ToolPage> {
        let tool = contract::Tool {
            name: name.into(),
            title: Some("Title".into()),
            description: "does it".into(),
            input_schema: json!({"type": "object", "additionalProperties": false}).to_string(),
            output_schema: Some(output.to_string()),
            effects: contract::Effects {
                read_only: true,
                destructive: false,
                idempotent: true,
                open_world: false,
            },
            requires: vec![],
            cache: None,
            meta: vec![],
        };
        let entry = ToolEntry::new(&PluginName::parse("p").unwrap(), tool).unwrap();
        Arc::new(ToolPage {
            tools: vec![Arc::new(entry)],
            next_cursor: Some("more".into()),
            revision: 1,
        })
    }

    #[test]
    fn a_list_is_private_and_says_what_each_tool_may_do() {
        let list = McpPageCache::default().result(
            page("a", json!({"type": "object"})),
            Era::Modern,
            PLAIN,
        );
        let wire = serde_json::to_value(list).unwrap();
        assert_eq!(wire["cacheScope"], "private");
        assert!(wire["ttlMs"].is_u64());
        assert_eq!(wire["nextCursor"], "more");
        let expected = json!({"title": "Title", "readOnlyHint": true, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false});
        assert_eq!(wire["tools"][0]["annotations"], expected);
    }

    #[test]
    fn older_clients_are_spared_an_output_schema_of_another_type() {
        let pages = McpPageCache::default();
        let array = page("a", json!({"type": "array"}));
        assert!(
            pages.result(Arc::clone(&array), Era::Legacy, PLAIN).tools[0]
                .output_schema
                .is_none()
        );
        assert!(
            pages.result(array, Era::Modern, PLAIN).tools[0]
                .output_schema
                .is_some()
        );
    }

    #[test]
    fn a_property_that_is_true_or_false_is_said_as_an_object() {
        let schema = json!({"type": "object", "properties": {"any": true, "none": false, "text": {"type": "string"}}});
        let list = McpPageCache::default().result(page("a", schema.clone()), Era::Modern, PLAIN);
        let wire = serde_json::to_value(list).unwrap();
        // The SDK looks at the properties of the root alone, and those of a result are in a branch.
        let output = &wire["tools"][0]["outputSchema"];
        assert!(output["type"] == "object" && output.get("properties").is_none());
        assert_eq!(output["anyOf"][0]["properties"]["any"], true);
        let input = with_object_properties(&Arc::new(schema.as_object().unwrap().clone()));
        let expected = json!({"any": {}, "none": {"not": {}}, "text": {"type": "string"}});
        assert_eq!(input["properties"], expected);
    }

    #[test]
    fn a_page_that_is_gone_never_answers_for_a_new_one_at_its_address() {
        let pages = McpPageCache::default();
        for round in 0..200 {
            let name = format!("tool-{round}");
            let list = pages.result(page(&name, json!({"type": "object"})), Era::Legacy, PLAIN);
            assert_eq!(list.tools[0].name, name);
        }
    }

    #[test]
    fn one_callers_face_of_a_page_is_not_anothers() {
        let (pages, page) = (
            McpPageCache::default(),
            page("a", json!({"type": "object"})),
        );
        let several = ListAdditions {
            offer: HostToolSet::All,
            argument: true,
        };
        let all = pages.result(Arc::clone(&page), Era::Modern, several).tools;
        assert_eq!(all.len(), 5);
        let takes = |tool: &rmcp::model::Tool| {
            tool.input_schema["properties"]
                .get("tenant_context")
                .is_some()
        };
        assert!(all.iter().all(takes));
        let plain = pages.result(page, Era::Modern, PLAIN).tools;
        assert_eq!(plain.len(), 1);
        assert!(plain[0].input_schema.get("properties").is_none());
    }
}
