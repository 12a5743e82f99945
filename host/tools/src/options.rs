use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;
use toolhost_sandbox::{GuestLog, ProgressSink, contract};

/// What a transport brings to a call, beside who calls what. It goes from stage two of a call, in
/// the gateway, to stage three, in `Tools::call`.
#[derive(Clone, Default)]
pub struct CallOptions {
    /// Who hears of its progress.
    pub progress: Option<Arc<dyn ProgressSink>>,
    /// Who hears of what the guest logs and prints, beside the host's log: whoever calls as the
    /// operator.
    pub log: Option<Arc<dyn GuestLog>>,
    /// Ends the call.
    pub cancel: CancellationToken,
    /// Answers to what the tool asked.
    pub resume: Option<Resume>,
    /// What the client can do.
    pub client: ClientCapabilities,
}

impl std::fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallOptions")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// What a client said that it can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientCapabilities {
    /// Ask its user.
    pub elicitation: bool,
    /// Ask its model.
    pub sampling: bool,
}

impl ClientCapabilities {
    /// Whether the client has a capability, by the name that MCP gives it. A name that is not known
    /// is never there.
    #[must_use]
    pub fn has(self, kind: &str) -> bool {
        match kind {
            "elicitation" => self.elicitation,
            "sampling" => self.sampling,
            _ => false,
        }
    }
}

/// A call that goes on.
#[derive(Debug, Clone)]
pub struct Resume {
    /// One for each question.
    pub answers: Vec<InputResponse>,
    /// As [`InputRequired::state`](crate::InputRequired::state) gave it.
    pub state: String,
}

/// The answer to one question.
#[derive(Debug, Clone)]
pub struct InputResponse {
    /// The question's.
    pub id: String,
    /// `accept`, `decline` or `cancel`.
    pub action: String,
    /// What was answered.
    pub content: Option<Value>,
}

impl From<InputResponse> for contract::Answer {
    fn from(answer: InputResponse) -> Self {
        Self {
            id: answer.id,
            action: answer.action,
            content: answer.content.map(|content| content.to_string()),
            meta: Vec::new(),
        }
    }
}
