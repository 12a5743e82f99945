use serde_json::{Map, Value};

/// The arguments that the model chose. They and the tool's name are all that crosses into a guest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelArgs(Map<String, Value>);

impl ModelArgs {
    /// Takes the members of the arguments' object.
    #[must_use]
    pub fn new(members: Map<String, Value>) -> Self {
        Self(members)
    }

    pub(crate) fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}
