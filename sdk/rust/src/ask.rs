use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::bindings::exports::toolhost::plugin::tools as wire;
use crate::{Failure, schema};

/// Questions to the person or to the client's model, returned as [`crate::Outcome::Ask`].
///
/// The instance ends with it; the host asks, and calls the tool again with the same arguments, the
/// answers ([`crate::Call::answer`]) and the state ([`crate::Call::state`]), which it keeps sealed
/// in between.
#[derive(Debug, Clone, Default)]
#[must_use = "a question is asked when the tool returns it"]
pub struct Ask {
    requests: Vec<(String, &'static str, Value)>,
    state: Vec<u8>,
    mistake: Option<Failure>,
}

impl Ask {
    /// No question yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A form for the person. Its fields are those of `T`: a flat struct of text, numbers, yes or
    /// no, and plain enums. `id` is unique within these questions. Never ask for a password or a
    /// key: the client may show or keep it.
    pub fn elicit<T: JsonSchema>(self, id: &str, message: &str) -> Self {
        let form = schema::of_form::<T>();
        self.elicit_with(
            id,
            json!({ "mode": "form", "message": message, "requestedSchema": form.as_value() }),
        )
    }

    /// A question to the person, with the parameters of MCP's `elicitation/create` spelt out.
    pub fn elicit_with(self, id: &str, parameters: Value) -> Self {
        self.request(id, "elicitation", parameters)
    }

    /// A question to the client's model, to be answered with at most `max_tokens` tokens.
    pub fn sample(self, id: &str, prompt: &str, max_tokens: u32) -> Self {
        let message = json!({ "role": "user", "content": { "type": "text", "text": prompt } });
        self.sample_with(
            id,
            json!({ "messages": [message], "maxTokens": max_tokens }),
        )
    }

    /// A question to the client's model, with the parameters of MCP's `sampling/createMessage`
    /// spelt out.
    pub fn sample_with(self, id: &str, parameters: Value) -> Self {
        self.request(id, "sampling", parameters)
    }

    /// What the tool wants back with the answers, as JSON of at most 64 KiB. It says where the tool
    /// was, not who asked.
    pub fn state(mut self, state: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(state) {
            Ok(bytes) => self.state = bytes,
            Err(error) => {
                self.mistake = Some(Failure::failed(format!(
                    "the state has no JSON form: {error}"
                )))
            }
        }
        self
    }

    /// The state as bytes.
    pub fn state_bytes(mut self, state: Vec<u8>) -> Self {
        self.state = state;
        self
    }

    fn request(mut self, id: &str, kind: &'static str, parameters: Value) -> Self {
        self.requests.push((id.to_owned(), kind, parameters));
        self
    }

    pub(crate) fn into_wire(self) -> Result<wire::InputRequired, Failure> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let request = |(id, kind, parameters): (String, &str, Value)| wire::InputRequest {
            id,
            kind: kind.to_owned(),
            parameters: parameters.to_string(),
            meta: Vec::new(),
        };
        Ok(wire::InputRequired {
            requests: self.requests.into_iter().map(request).collect(),
            state: self.state,
            meta: Vec::new(),
        })
    }
}
