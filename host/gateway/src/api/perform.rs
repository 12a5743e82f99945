use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use toolhost_identity::{Binding, TenantId};
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tools::{
    CallOptions, CallOutcome, ClientCapabilities, InputRequest, ModelArgs, ProgressSink, Resume, ToolOutput,
};

use super::call_input::CallInput;
use super::tenant_headers::EXPECT;
use crate::call::{CallTransport, call};
use crate::gateway::SharedState;
use crate::mcp::missing_capability;
use crate::metrics;
use crate::switching::{
    HostTool, SessionCaller, SwitchRequest, TenantSelection, TenantSwitcher, help_output,
};

/// What a call is for, once it is known that it may be made.
pub(super) enum CallTarget {
    /// One of the host's own tools, and the tenant that is active before it.
    Host(HostTool, Option<TenantId>),
    Plugin(Box<Binding>),
}

impl CallTarget {
    /// # Errors
    /// There is no tenant, no such context, or another tenant than the request expects. Nothing was done.
    pub(super) async fn resolve(
        doors: &SharedState,
        who: &SessionCaller,
        said: &TenantSelection,
        tool: &str,
    ) -> Result<Self, PublicError> {
        let switching = &doors.switching;
        let target = match switching.offer().find(tool) {
            Some((tool, _)) => Self::Host(tool, switching.active(who, said).await?),
            None => Self::Plugin(Box::new(switching.binding(who, said).await?)),
        };
        said.check(target.tenant()).map_err(|error| error.about(EXPECT))?;
        Ok(target)
    }

    /// The tenant that is active before the call.
    pub(super) fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Host(_, active) => active.as_ref(),
            Self::Plugin(binding) => Some(binding.tenant()),
        }
    }
}

/// What a call brings beside its target.
pub(super) struct ApiCall<'a> {
    pub(super) who: &'a SessionCaller,
    pub(super) said: &'a TenantSelection,
    pub(super) tool: &'a str,
    pub(super) asked: CallInput,
    pub(super) progress: Option<Arc<dyn ProgressSink>>,
    pub(super) cancel: CancellationToken,
}

/// Calls, and names the tenant that the answer is for.
pub(super) async fn perform(
    doors: &SharedState,
    target: &CallTarget,
    request: ApiCall<'_>,
) -> (Result<CallOutcome, PublicError>, Option<TenantId>) {
    match target {
        CallTarget::Plugin(binding) => {
            let options = CallOptions {
                progress: request.progress,
                cancel: request.cancel,
                log: None,
                resume: request.asked.resume,
                client: request.asked.client,
            };
            let client = request.asked.client;
            let arguments = ModelArgs::new(request.asked.arguments);
            let called = call(
                doors.calls.as_ref(),
                CallTransport::Api,
                binding,
                request.tool,
                arguments,
                options,
            );
            let outcome = called.await.and_then(|outcome| answerable(outcome, client));
            (outcome, Some(binding.tenant().clone()))
        }
        CallTarget::Host(tool, active) => {
            let started = Instant::now();
            let answered = host_tool(&doors.switching, *tool, active.as_ref(), &request).await;
            let (outcome, active) = match answered {
                Ok((outcome, active)) => (Ok(outcome), active),
                Err(error) => (Err(error), active.clone()),
            };
            metrics::record_call(CallTransport::Api, &outcome, started.elapsed());
            (outcome, active)
        }
    }
}

/// What is asked is something that the program said it can ask.
fn answerable(outcome: CallOutcome, client: ClientCapabilities) -> Result<CallOutcome, PublicError> {
    if let CallOutcome::InputRequired(required) = &outcome {
        let kinds: Vec<String> = required
            .requests
            .iter()
            .map(|request| request.kind.clone())
            .collect();
        if let Some(missing) = missing_capability(&kinds, client) {
            return Err(missing.public());
        }
    }
    Ok(outcome)
}

async fn host_tool(
    switching: &TenantSwitcher,
    tool: HostTool,
    active: Option<&TenantId>,
    request: &ApiCall<'_>,
) -> Result<(CallOutcome, Option<TenantId>), PublicError> {
    let (who, arguments) = (request.who, request.asked.arguments.clone());
    let complete = |output| (CallOutcome::Complete(output), active.cloned());
    let wanted = match tool {
        HostTool::Help => return help_output(arguments).map(complete),
        HostTool::List => return switching.list(who, active, arguments).await.map(complete),
        HostTool::Switch => SwitchRequest::tenant(arguments)?,
        HostTool::Reset => SwitchRequest::home(arguments)?,
    };
    let resume: Option<&Resume> = request.asked.resume.as_ref();
    if resume.is_none()
        && let Some(question) = switching.question(who, &wanted).await?
    {
        if !request.asked.client.elicitation {
            let text = "a switch needs the person's yes ([tenancy] switch = \"confirm\"); put the question to the person and say so with \"accepts\": [\"elicitation\"]";
            return Err(PublicError::new(ErrorCode::InputUnsupported, text).about("accepts"));
        }
        return Ok((CallOutcome::InputRequired(question), active.cloned()));
    }
    let (output, active) = switching.switch(who, request.said, &wanted, resume).await?;
    Ok((CallOutcome::Complete(output), Some(active)))
}

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
            CallOutcome::Complete(ToolOutput { content, structured }) => Self::Complete {
                content: content.into_iter().map(crate::mcp::block).collect(),
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
