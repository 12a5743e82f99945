use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use toolhost_gateway::content_block;
use toolhost_tools::{
    CallOutcome, GuestLog, InputResponse as QuestionAnswer, ProgressSink, Resume,
};

/// A call that an operator makes through the host that runs. It takes the one call path, for the
/// caller of the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallRequest {
    /// Which tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
    /// Whether a token follows. Without one the caller is the host's development tenant, where it
    /// has one.
    pub has_token: bool,
    /// The development tenant that is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Answers to what the tool asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<CallResume>,
}

/// A call that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallResume {
    /// One for each question.
    pub answers: Vec<CallAnswer>,
    /// The state that came with the question.
    pub state: String,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallAnswer {
    /// The question's.
    pub id: String,
    /// `accept`, `decline` or `cancel`.
    pub action: String,
    /// What was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Value>,
}

impl From<CallResume> for Resume {
    fn from(resume: CallResume) -> Self {
        let answer = |answer: CallAnswer| QuestionAnswer {
            id: answer.id,
            action: answer.action,
            content: answer.content,
        };
        Self {
            answers: resume.answers.into_iter().map(answer).collect(),
            state: resume.state,
        }
    }
}

/// How far a call came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallEnd {
    /// It ended well.
    Complete {
        /// Blocks as MCP has them.
        content: Vec<Value>,
        /// The structured result.
        structured: Option<Value>,
    },
    /// The tool asks first.
    InputRequired {
        /// What it asks.
        questions: Vec<CallQuestion>,
        /// Goes back with the answers.
        state: String,
    },
}

/// What a tool asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallQuestion {
    /// Its answer carries it.
    pub id: String,
    /// `elicitation` or `sampling`.
    pub kind: String,
    /// The parameters of the MCP request of that kind.
    pub parameters: Value,
}

impl CallEnd {
    /// Of what the call path gave.
    #[must_use]
    pub fn from_outcome(outcome: CallOutcome) -> Self {
        match outcome {
            CallOutcome::Complete(output) => {
                let blocks = output.content.into_iter().map(content_block);
                Self::Complete {
                    content: blocks.map(|block| json!(block)).collect(),
                    structured: output.structured,
                }
            }
            CallOutcome::InputRequired(required) => Self::InputRequired {
                questions: required
                    .requests
                    .into_iter()
                    .map(|request| CallQuestion {
                        id: request.id,
                        kind: request.kind,
                        parameters: request.parameters,
                    })
                    .collect(),
                state: required.state,
            },
        }
    }
}

/// A report of a call on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallProgress {
    /// How much is done.
    pub done: f64,
    /// Of how much, where that is known.
    pub total: Option<f64>,
    /// What is being done.
    pub message: Option<String>,
}

/// What is heard of a call on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallLine {
    /// How far it is.
    Progress(CallProgress),
    /// What its guest wrote.
    Log {
        /// The guest's own word, or what stands for its stream.
        level: String,
        /// One line, cleaned and cut.
        text: String,
    },
}

/// Sends what is heard of a call to the operator who called, a line of JSON each. One that cannot
/// keep up misses some.
#[derive(Debug)]
pub struct CallLines(pub mpsc::Sender<Vec<u8>>);

impl CallLines {
    fn send(&self, line: &CallLine) {
        if let Ok(line) = serde_json::to_vec(line) {
            let _missed = self.0.try_send(line);
        }
    }
}

impl ProgressSink for CallLines {
    fn report(&self, done: f64, total: Option<f64>, message: Option<String>) {
        self.send(&CallLine::Progress(CallProgress {
            done,
            total,
            message,
        }));
    }
}

impl GuestLog for CallLines {
    fn line(&self, level: &str, text: &str) {
        let (level, text) = (level.to_owned(), text.to_owned());
        self.send(&CallLine::Log { level, text });
    }
}
