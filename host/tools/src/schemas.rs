use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};
use toolhost_policy::ConnectionName;

use crate::model_schema;
use crate::schema::ToolSchema;

/// The schemas of a tool, and what of its arguments the host fills.
#[derive(Debug)]
pub(crate) struct ToolSchemas {
    /// What a model chose is checked by this.
    pub(crate) arguments: ToolSchema,
    /// This schema as clients see it.
    pub(crate) input_schema: Arc<Map<String, Value>>,
    /// The arguments that the host fills, and from which connection's credential.
    pub(crate) provided: BTreeMap<String, ConnectionName>,
    /// Of these, what is filled as a number.
    pub(crate) numbers: BTreeSet<String>,
    /// What the plugin gets has to fit this, where the host fills something; a model never sees it.
    pub(crate) whole: Option<ToolSchema>,
    /// What a structured result is held against.
    pub(crate) output: Option<ToolSchema>,
    /// This schema as clients see it.
    pub(crate) output_schema: Option<Arc<Map<String, Value>>>,
}

impl ToolSchemas {
    /// A schema of arguments as clients see it.
    pub(crate) fn client_schema(arguments: &ToolSchema) -> Arc<Map<String, Value>> {
        model_schema::for_models(&arguments.text)
            .map_or_else(|| Arc::clone(&arguments.text), Arc::new)
    }

    /// Of a tool that turns out to be unfit when it is first used: no arguments fit it, so it is
    /// never called.
    pub(crate) fn of_nothing() -> Self {
        let nothing = [("type", Value::from("object")), ("not", Map::new().into())];
        let nothing = nothing.map(|(key, value)| (key.to_owned(), value));
        let arguments = ToolSchema::lazy_closed(nothing.into_iter().collect(), 0);
        Self {
            input_schema: Arc::clone(&arguments.text),
            arguments,
            provided: BTreeMap::new(),
            numbers: BTreeSet::new(),
            whole: None,
            output: None,
            output_schema: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use toolhost_policy::WorkBudget;

    use super::ToolSchemas;

    #[test]
    fn no_arguments_fit_an_unfit_tool() {
        let schemas = ToolSchemas::of_nothing();
        for value in [json!({}), json!({"a": 1})] {
            let found = schemas
                .arguments
                .check(&value, &mut WorkBudget::new(1_000, 100));
            assert!(found.unwrap().is_err());
        }
    }
}
