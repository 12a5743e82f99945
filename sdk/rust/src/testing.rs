//! A host to test a plugin against, on the machine that builds it. Not there on WebAssembly.
//!
//! ```
//! use toolhost_sdk::{Call, Failure, Http, Json, Plugin, Tool, testing};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct NoArguments {}
//! #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
//! struct Health { ok: bool }
//!
//! fn health(_: NoArguments, _: &Call) -> Result<Json<Health>, Failure> {
//!     Ok(Json(Http::connection("billing").get("/health").send()?.json()?))
//! }
//!
//! let host = testing::Host::new().answering(|request| {
//!     assert_eq!(request.path, "/health");
//!     testing::json(200, &serde_json::json!({ "ok": true }))
//! });
//! let plugin = Plugin::new().tool(Tool::new("health", health).read_only());
//! let outcome = host.invoke(&plugin, "health", serde_json::json!({})).unwrap();
//! assert_eq!(outcome.structured(), Some(serde_json::json!({ "ok": true })));
//! ```

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::bindings::exports::toolhost::plugin::tools as exported;
use crate::bindings::toolhost::plugin::{artifacts, http as wire, kv};
use crate::{Failure, HttpCode, HttpError, Output, Plugin, Response};

/// A request as the host would get it.
pub use crate::bindings::toolhost::plugin::http::Request as SentRequest;

type AnswerFn = Box<dyn FnMut(&SentRequest) -> Result<Response, HttpError>>;

#[derive(Default)]
pub(crate) struct State {
    answering: Option<AnswerFn>,
    pub(crate) kv: BTreeMap<(String, String), kv::Entry>,
    pub(crate) artifacts: BTreeMap<String, Option<artifacts::Artifact>>,
    pub(crate) log: Vec<(String, String)>,
    pub(crate) progress: Vec<(f64, Option<f64>, Option<String>)>,
    /// The last version, and the value while there is one.
    #[cfg(feature = "adapter")]
    pub(crate) upstream: (u64, Option<Vec<u8>>),
    #[cfg(feature = "adapter")]
    pub(crate) on_cancel: Vec<u8>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

pub(crate) fn with<T>(act: impl FnOnce(&mut State) -> T) -> T {
    STATE.with_borrow_mut(act)
}

/// Asks the test for an answer. The closure is taken out while it runs, so that it may use the host
/// itself.
pub(crate) fn answer(request: &SentRequest) -> Result<wire::Response, wire::HttpFailure> {
    let fail = |error: HttpError| wire::HttpFailure {
        code: error.code.as_str().to_owned(),
        message: error.message,
        sent: error.sent,
        meta: Vec::new(),
    };
    let Some(mut answering) = with(|state| state.answering.take()) else {
        return Err(fail(failing(
            HttpCode::Denied,
            "no connection is granted: use testing::Host::answering",
        )));
    };
    let answer = answering(request);
    with(|state| state.answering = Some(answering));
    let Response {
        status,
        headers,
        body,
    } = answer.map_err(fail)?;
    Ok(wire::Response {
        status,
        headers,
        body,
        meta: Vec::new(),
    })
}

/// The pretended host of this thread. A new one begins with nothing; dropping it forgets
/// everything.
#[derive(Debug)]
pub struct Host(());

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        with(|state| *state = State::default());
    }
}

impl Host {
    /// A host that grants nothing.
    #[must_use]
    pub fn new() -> Self {
        with(|state| *state = State::default());
        Self(())
    }

    /// Answers every request of the plugin.
    #[must_use]
    pub fn answering(
        self,
        answer: impl FnMut(&SentRequest) -> Result<Response, HttpError> + 'static,
    ) -> Self {
        with(|state| state.answering = Some(Box::new(answer)));
        self
    }

    /// Calls a tool.
    ///
    /// # Errors
    /// The tool's failure.
    pub fn invoke(
        &self,
        plugin: &Plugin,
        tool: &str,
        arguments: Value,
    ) -> Result<InvokeResult, Failure> {
        self.resume(plugin, tool, arguments, &[], None)
    }

    /// Calls a tool again after it asked: `answers` are id, action and content.
    ///
    /// # Errors
    /// The tool's failure.
    pub fn resume(
        &self,
        plugin: &Plugin,
        tool: &str,
        arguments: Value,
        answers: &[(&str, &str, Option<Value>)],
        state: Option<Vec<u8>>,
    ) -> Result<InvokeResult, Failure> {
        let answer = |(id, action, content): &(&str, &str, Option<Value>)| exported::Answer {
            id: (*id).to_owned(),
            action: (*action).to_owned(),
            content: content.as_ref().map(Value::to_string),
            meta: Vec::new(),
        };
        let invocation = exported::Invocation {
            name: tool.to_owned(),
            arguments: arguments.to_string(),
            answers: answers.iter().map(answer).collect(),
            state,
            meta: Vec::new(),
        };
        Ok(match plugin.invoke(invocation)? {
            exported::Outcome::Complete(output) => {
                InvokeResult::Complete(Output::from_wire(output))
            }
            exported::Outcome::InputRequired(asked) => InvokeResult::InputRequired {
                requests: asked
                    .requests
                    .into_iter()
                    .map(|request| {
                        let parameters =
                            serde_json::from_str(&request.parameters).unwrap_or(Value::Null);
                        (request.id, request.kind, parameters)
                    })
                    .collect(),
                state: asked.state,
            },
        })
    }

    /// What the call has left for [`crate::adapter::Adapter::cancel`].
    #[cfg(feature = "adapter")]
    #[must_use]
    pub fn cancel_note(&self) -> Vec<u8> {
        with(|state| state.on_cancel.clone())
    }

    /// What the adapter has left for its next call.
    #[cfg(feature = "adapter")]
    #[must_use]
    pub fn upstream_state(&self) -> Option<Vec<u8>> {
        with(|state| state.upstream.1.clone())
    }

    /// Puts another value there, as a call beside this one would; `None` takes it away.
    #[cfg(feature = "adapter")]
    pub fn set_upstream_state(&self, value: Option<&[u8]>) {
        with(|state| {
            state.upstream.0 += 1;
            state.upstream.1 = value.map(<[u8]>::to_vec);
        });
    }

    /// What was logged: level and message.
    #[must_use]
    pub fn log(&self) -> Vec<(String, String)> {
        with(|state| state.log.clone())
    }

    /// What was reported: done, total, message.
    #[must_use]
    pub fn progress(&self) -> Vec<(f64, Option<f64>, Option<String>)> {
        with(|state| state.progress.clone())
    }
}

/// What a tool returned.
#[derive(Debug, Clone, PartialEq)]
pub enum InvokeResult {
    /// Its result.
    Complete(Output),
    /// Its questions: id, kind and parameters.
    InputRequired {
        /// The questions.
        requests: Vec<(String, String, Value)>,
        /// What it wants back.
        state: Vec<u8>,
    },
}

impl InvokeResult {
    /// The structured result.
    #[must_use]
    pub fn structured(&self) -> Option<Value> {
        match self {
            Self::Complete(output) => output.structured.clone(),
            Self::InputRequired { .. } => None,
        }
    }
}

/// An answer with a JSON body.
///
/// # Errors
/// When the value has no JSON form.
pub fn json(status: u16, body: &impl serde::Serialize) -> Result<Response, HttpError> {
    let body = serde_json::to_vec(body)
        .map_err(|error| failing(HttpCode::Upstream, &error.to_string()))?;
    Ok(Response {
        status,
        headers: vec![("content-type".into(), "application/json".into())],
        body,
    })
}

/// A request that gets no answer.
#[must_use]
pub fn failing(code: HttpCode, message: &str) -> HttpError {
    HttpError {
        code,
        message: message.to_owned(),
        sent: false,
        status: None,
        retry_after: None,
    }
}
