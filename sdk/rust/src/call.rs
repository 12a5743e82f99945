use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::exports::toolhost::plugin::tools as wire;
use crate::{Answer, Failure, host};

/// What a tool is given beside its arguments. There is nothing in it about who calls: the host
/// keeps that to itself.
#[derive(Debug)]
pub struct Call {
    tool: &'static str,
    answers: Vec<wire::Answer>,
    state: Option<Vec<u8>>,
}

impl Call {
    pub(crate) const fn new(
        tool: &'static str,
        answers: Vec<wire::Answer>,
        state: Option<Vec<u8>>,
    ) -> Self {
        Self {
            tool,
            answers,
            state,
        }
    }

    /// The name under which the tool was called.
    #[must_use]
    pub const fn tool(&self) -> &str {
        self.tool
    }

    /// Whether this call goes on after questions.
    #[must_use]
    pub const fn is_resumed(&self) -> bool {
        self.state.is_some() || !self.answers.is_empty()
    }

    /// The answer to the question with this id, if it was asked and answered.
    ///
    /// # Errors
    /// `invalid-arguments` when an accepted answer is not of this type.
    pub fn answer<T: DeserializeOwned>(&self, id: &str) -> Result<Option<Answer<T>>, Failure> {
        let Some(answer) = self.answers.iter().find(|answer| answer.id == id) else {
            return Ok(None);
        };
        Ok(Some(match answer.action.as_str() {
            "accept" => {
                let content = answer.content.as_deref().unwrap_or("{}");
                Answer::Accepted(serde_json::from_str(content).map_err(|error| {
                    Failure::invalid_arguments(format!(
                        "the answer to {id:?} does not fit: {error}"
                    ))
                })?)
            }
            "decline" => Answer::Declined,
            // Whatever else a later client may say is not a yes.
            _ => Answer::Cancelled,
        }))
    }

    /// The text that the client's model wrote in answer to [`crate::Ask::sample`], if it was asked
    /// and answered.
    ///
    /// # Errors
    /// `invalid-arguments` when the answer is not a message with text.
    pub fn sampled(&self, id: &str) -> Result<Option<String>, Failure> {
        let Some(Answer::Accepted(message)) = self.answer::<Value>(id)? else {
            return Ok(None);
        };
        // One block, or from protocol 2025-11-25 on a list of them.
        let content = message.get("content");
        let block = content.and_then(|content| content.get(0)).or(content);
        match block
            .and_then(|block| block.get("text"))
            .and_then(Value::as_str)
        {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(Failure::invalid_arguments(format!(
                "the answer to {id:?} has no text"
            ))),
        }
    }

    /// What was kept with [`crate::Ask::state`].
    ///
    /// # Errors
    /// `failed` when it is not of this type.
    pub fn state<T: DeserializeOwned>(&self) -> Result<Option<T>, Failure> {
        self.state
            .as_deref()
            .map(serde_json::from_slice)
            .transpose()
            .map_err(|error| Failure::failed(format!("the kept state does not fit: {error}")))
    }

    /// What was kept, as bytes.
    #[must_use]
    pub fn state_bytes(&self) -> Option<&[u8]> {
        self.state.as_deref()
    }

    /// Tells how far the call has come. `done` must not fall. Free when nobody listens.
    pub fn progress(&self, done: f64, total: Option<f64>, message: Option<&str>) {
        host::report(done, total, message);
    }
}
