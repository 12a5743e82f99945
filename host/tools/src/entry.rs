use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};
use toolhost_policy::{PluginName, ToolName, is_hidden};
use toolhost_sandbox::contract;

use crate::adapter_connection::SchemaTexts;
use crate::cache_rule::CacheRule;
use crate::catalogue_error::CatalogueError;
use crate::error_schema::with_error_branch;
use crate::model_schema;
use crate::provisions::Provisions;
use crate::revision::RevisionDigest;
use crate::schema::{ArgumentSchemas, ToolSchema, has_keyword};
use crate::schemas::ToolSchemas;

/// A description longer than this costs a model more than it says.
const MAX_DESCRIPTION: usize = 4 << 10;

/// The names of the host's own tools, which its transports answer. A plugin's tool of such a name
/// could be taken for the host's word (T31).
pub const HOST_TOOLS: [&str; 4] = ["list_tenants", "switch_tenant", "reset_tenant", "help"];

/// A title is one line.
const MAX_TITLE: usize = 128;

/// What calling a tool may do, as its plugin declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effects {
    /// Changes nothing outside the plugin.
    pub read_only: bool,
    /// May remove or overwrite something.
    pub destructive: bool,
    /// Repeating a call changes nothing more.
    pub idempotent: bool,
    /// Reaches systems whose contents others write.
    pub open_world: bool,
}

/// A tool as clients see it.
#[derive(Debug)]
pub struct ToolEntry {
    /// Unique in the catalogue.
    pub name: String,
    /// One line for people.
    pub title: Option<String>,
    /// For the model; without control and invisible characters.
    pub description: String,
    /// What calling it may do.
    pub effects: Effects,
    /// What the client must be able to do: `elicitation`, `sampling`.
    pub requires: Vec<String>,
    has_header_arguments: OnceLock<bool>,
    answer_schema: OnceLock<Arc<Map<String, Value>>>,
    /// Whose tool it is.
    pub plugin: PluginName,
    pub(crate) cache: Option<CacheRule>,
    /// A document describes it, whose author knows nothing of this host.
    pub(crate) is_described: bool,
    /// A result that does not fit its schema is the tool's failure.
    pub(crate) is_strict: bool,
    schemas: OnceLock<ToolSchemas>,
    /// What the schemas are made of where they are not made yet.
    texts: Option<SchemaTexts>,
}

/// Where a tool's schemas come from.
pub(crate) enum SchemaSource {
    /// They were read already.
    Known(Box<ToolSchemas>),
    /// They are read when they are first needed.
    Described(SchemaTexts),
}

impl ToolEntry {
    /// Whether an equal call may be answered from memory.
    #[must_use]
    pub fn is_cached(&self) -> bool {
        self.cache.is_some()
    }

    /// Takes what a plugin says of a tool, and refuses what could mislead a client.
    ///
    /// # Errors
    /// Its name, a schema or what it says of itself is not acceptable.
    pub fn new(plugin: &PluginName, tool: contract::Tool) -> Result<Self, CatalogueError> {
        Self::with_provisions(plugin, tool, &Provisions::default())
    }

    /// An entry some of whose arguments its connections provide.
    pub(crate) fn with_provisions(
        plugin: &PluginName,
        tool: contract::Tool,
        provisions: &Provisions,
    ) -> Result<Self, CatalogueError> {
        let refuse = |why: String| CatalogueError::Tool {
            plugin: plugin.clone(),
            tool: tool.name.chars().take(64).collect(),
            why,
        };
        let ArgumentSchemas {
            model: arguments,
            provided,
            whole,
        } = ArgumentSchemas::parse(&tool.input_schema, provisions).map_err(&refuse)?;
        let output = tool
            .output_schema
            .as_deref()
            .map(ToolSchema::of_output)
            .transpose()
            .map_err(&refuse)?;
        let input_schema = ToolSchemas::client_schema(&arguments);
        model_schema::check_keys(&input_schema).map_err(&refuse)?;
        let schemas = ToolSchemas {
            input_schema,
            output_schema: output.as_ref().map(|schema| Arc::clone(&schema.text)),
            arguments,
            provided,
            numbers: BTreeSet::new(),
            whole,
            output,
        };
        let (name, source) = (tool.name.clone(), SchemaSource::Known(Box::new(schemas)));
        Self::of_source(plugin, &tool, name, source, false, true).map_err(refuse)
    }

    /// What holds for every tool, whoever described it.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn of_source(
        plugin: &PluginName,
        tool: &contract::Tool,
        name: String,
        source: SchemaSource,
        is_described: bool,
        is_strict: bool,
    ) -> Result<Self, String> {
        let name = ToolName::parse(&name).map_err(|error| error.to_string())?;
        if HOST_TOOLS.contains(&name.as_str()) {
            return Err("the host itself has a tool of this name".into());
        }
        for needed in &tool.requires {
            if !matches!(needed.as_str(), "elicitation" | "sampling") {
                return Err(format!(
                    "requires {:?}, which is neither elicitation nor sampling",
                    clean(needed, 64)
                ));
            }
        }
        let cache = CacheRule::from_tool(tool)?;
        if tool.effects.read_only && tool.effects.destructive {
            return Err("it says both read-only and destructive".into());
        }
        let (schemas, texts) = match source {
            SchemaSource::Known(schemas) => (OnceLock::from(*schemas), None),
            SchemaSource::Described(texts) => (OnceLock::new(), Some(texts)),
        };
        Ok(Self {
            name: name.as_str().to_owned(),
            title: tool.title.as_deref().map(|title| clean(title, MAX_TITLE)),
            description: clean(&tool.description, MAX_DESCRIPTION),
            effects: Effects {
                read_only: tool.effects.read_only,
                destructive: tool.effects.destructive,
                idempotent: tool.effects.idempotent,
                open_world: tool.effects.open_world,
            },
            requires: tool.requires.clone(),
            has_header_arguments: OnceLock::new(),
            answer_schema: OnceLock::new(),
            plugin: plugin.clone(),
            cache,
            is_described,
            is_strict,
            schemas,
            texts,
        })
    }

    /// JSON Schema 2020-12, as the plugin gave it, but without what the host fills, and without
    /// what the APIs of models refuse; calls are checked against the plugin's own.
    #[must_use]
    pub fn input_schema(&self) -> &Arc<Map<String, Value>> {
        &self.schemas().input_schema
    }

    /// The schema that calls are checked against, where clients are shown another one.
    #[must_use]
    pub fn original_input_schema(&self) -> Option<&Map<String, Value>> {
        let schemas = self.schemas();
        let original = &schemas.arguments.text;
        (!Arc::ptr_eq(original, &schemas.input_schema)).then(|| &**original)
    }

    /// Whether some of its arguments may have to be repeated in headers (`x-mcp-header`, MCP
    /// 2026-07-28).
    #[must_use]
    pub fn has_header_arguments(&self) -> bool {
        let look = || has_keyword(&self.schemas().arguments.text, "x-mcp-header");
        *self.has_header_arguments.get_or_init(look)
    }

    /// JSON Schema 2020-12 of the structured output.
    #[must_use]
    pub fn output_schema(&self) -> Option<&Arc<Map<String, Value>>> {
        self.schemas().output_schema.as_ref()
    }

    /// The output schema with a branch for an error: what a client may hold any answer against.
    #[must_use]
    pub fn answer_schema(&self) -> Option<&Arc<Map<String, Value>>> {
        let schema = self.output_schema()?;
        Some(
            self.answer_schema
                .get_or_init(|| Arc::new(with_error_branch(schema))),
        )
    }

    pub(crate) fn schemas(&self) -> &ToolSchemas {
        self.schemas.get_or_init(|| {
            let made = self.texts.as_ref().map(SchemaTexts::schemas);
            made.unwrap_or_else(|| Err("there are none".to_owned()))
                .unwrap_or_else(|why| {
                    tracing::error!(
                        tool = self.name,
                        why,
                        "a tool has no usable schemas, and cannot be called"
                    );
                    ToolSchemas::of_nothing()
                })
        })
    }
}

impl ToolEntry {
    /// Adds what clients see of it, or what that is made from where nobody has looked yet.
    pub(crate) fn add_to(&self, revision: &mut RevisionDigest) {
        let effects = self.effects;
        let flags = [
            effects.read_only,
            effects.destructive,
            effects.idempotent,
            effects.open_world,
        ];
        let title = self.title.as_deref().unwrap_or_default();
        revision.add(self.name.as_bytes());
        revision.add(title.as_bytes());
        revision.add(self.description.as_bytes());
        revision.add(&flags.map(u8::from));
        self.requires
            .iter()
            .for_each(|needed| revision.add(needed.as_bytes()));
        if let Some(texts) = &self.texts {
            texts.add_to(revision);
        } else {
            for schema in [Some(self.input_schema()), self.output_schema()]
                .into_iter()
                .flatten()
            {
                revision.add(&serde_json::to_vec(&**schema).unwrap_or_default());
            }
        }
    }

    /// Whether the argument is one of a document's own, which may call anything a tenant: what it
    /// means there is the credential's to bound.
    pub(crate) fn describes(&self, argument: &str) -> bool {
        let properties = self
            .input_schema()
            .get("properties")
            .and_then(Value::as_object);
        self.is_described && properties.is_some_and(|properties| properties.contains_key(argument))
    }
}

/// Text for a model or a person: cut, and without characters that hide or turn what they stand
/// between (T31). Line breaks and tabs stay.
fn clean(text: &str, max: usize) -> String {
    let end = (0..=text.len().min(max))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    let visible = |c: &char| matches!(c, '\n' | '\t') || !(c.is_control() || is_hidden(*c));
    text.get(..end)
        .unwrap_or_default()
        .chars()
        .filter(visible)
        .collect()
}

#[cfg(test)]
pub(crate) fn test_tool(name: &str) -> contract::Tool {
    contract::Tool {
        name: name.into(),
        title: None,
        description: "Lists.\u{202e}\u{e0049}\u{200b}\nAll.".into(),
        input_schema: "{\"type\":\"object\"}".into(),
        output_schema: None,
        effects: contract::Effects {
            read_only: true,
            destructive: false,
            idempotent: true,
            open_world: false,
        },
        requires: vec![],
        cache: None,
        meta: vec![],
    }
}

#[cfg(test)]
mod tests {
    use toolhost_policy::PluginName;
    use toolhost_sandbox::contract;

    use super::{ToolEntry, test_tool};

    fn entry(change: impl FnOnce(&mut contract::Tool)) -> Result<ToolEntry, String> {
        let mut tool = test_tool("list");
        change(&mut tool);
        ToolEntry::new(&PluginName::parse("x").unwrap(), tool).map_err(|error| error.to_string())
    }

    #[test]
    fn what_hides_in_a_description_is_taken_out() {
        assert_eq!(entry(|_| ()).unwrap().description, "Lists.\nAll.");
    }

    #[test]
    fn what_could_mislead_a_client_is_refused() {
        assert!(entry(|tool| tool.name = "a b".into()).is_err());
        assert!(
            entry(|tool| tool.name = "lіst".into()).is_err(),
            "a Cyrillic letter"
        );
        assert!(entry(|tool| tool.name = "x".repeat(65)).is_err());
        let dotted = entry(|tool| tool.name = "chat.post".into()).unwrap_err();
        assert!(
            dotted.contains("\"chat.post\"") && dotted.contains("A-Z, a-z, 0-9, - and _"),
            "{dotted}"
        );
        let key = r#"{"type":"object","properties":{"uids[]":{}}}"#;
        assert!(
            entry(|tool| tool.input_schema = key.into())
                .unwrap_err()
                .contains("uids[]")
        );
        for taken in super::HOST_TOOLS {
            assert!(
                entry(|tool| tool.name = taken.into()).is_err(),
                "{taken} is the host's"
            );
        }
        assert!(entry(|tool| tool.requires = vec!["roots".into()]).is_err());
        assert!(entry(|tool| tool.effects.destructive = true).is_err());
        assert!(entry(|tool| tool.output_schema = Some("{".into())).is_err());
        let cache = |scope: &str| {
            let scope = scope.to_owned();
            Some(contract::Cache { ttl_ms: 1, scope })
        };
        assert!(
            entry(|tool| tool.cache = cache("shared"))
                .unwrap()
                .is_cached()
        );
        assert!(entry(|tool| tool.cache = cache("everybody")).is_err());
        let writes = |tool: &mut contract::Tool| {
            tool.cache = cache("shared");
            tool.effects.read_only = false;
        };
        assert!(entry(writes).is_err());
    }
}
