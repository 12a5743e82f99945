use serde::Serialize;
use serde_json::{Map, Value};
use toolhost_tools::{CallOutcome, InputRequest, ToolOutput};

/// The answer to a call.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum CallResponse {
    Complete {
        content: Vec<rmcp::model::ContentBlock>,
        #[serde(skip_serializing_if = "Option::is_none")]
        structured: Option<Value>,
    },
    Asks {
        input_required: InputRequiredBody,
    },
}

/// What the tool asks before it goes on.
#[derive(Serialize)]
pub(super) struct InputRequiredBody {
    requests: Vec<InputRequestBody>,
    state: String,
}

#[derive(Serialize)]
struct InputRequestBody {
    id: String,
    kind: String,
    parameters: Value,
}

impl CallResponse {
    pub(super) fn from_outcome(outcome: CallOutcome) -> Self {
        match outcome {
            CallOutcome::Complete(ToolOutput {
                content,
                structured,
            }) => Self::Complete {
                content: content.into_iter().map(crate::mcp::content_block).collect(),
                structured,
            },
            CallOutcome::InputRequired(required) => {
                let question = |request: InputRequest| InputRequestBody {
                    id: request.id,
                    kind: request.kind,
                    parameters: match request.parameters {
                        Value::Object(parameters) => Value::Object(parameters),
                        _ => Value::Object(Map::new()),
                    },
                };
                Self::Asks {
                    input_required: InputRequiredBody {
                        requests: required.requests.into_iter().map(question).collect(),
                        state: required.state,
                    },
                }
            }
        }
    }
}
