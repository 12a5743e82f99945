use rmcp::RoleServer;
use rmcp::model::ErrorData;
use rmcp::service::RequestContext;
use serde_json::{Map, Value};
use toolhost_identity::TenantId;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tools::{CallOptions, CallOutcome, InputRequired, Resume};

use super::handler_caller::HandlerCaller;
use super::{Era, input, progress};
use crate::caller::SessionCaller;
use crate::dispatcher::{CallTarget, DispatchOutcome, Dispatcher, ToolCallRequest};
use crate::switching::TenantSelection;

/// How often one call of an older client may come back with another question.
const MAX_ROUNDS: usize = 8;

/// One `tools/call` as MCP has it, which may go through several rounds of questions.
pub(super) struct McpCall<'a> {
    pub(super) name: &'a str,
    pub(super) arguments: Map<String, Value>,
    pub(super) resume: Option<Resume>,
    pub(super) caller: SessionCaller,
    pub(super) selection: &'a TenantSelection,
    pub(super) target: CallTarget,
}

impl McpCall<'_> {
    /// Calls until the tool is done or needs an answer that only the client's next request can
    /// bring.
    pub(super) async fn run(
        self,
        dispatcher: &Dispatcher,
        callers: &HandlerCaller,
        context: &RequestContext<RoleServer>,
    ) -> Result<DispatchOutcome, ErrorData> {
        let client = input::capabilities(context);
        let era = Era::from_context(context);
        let asks_itself = era == Era::Legacy && (client.elicitation || client.sampling);
        let Self {
            name,
            arguments,
            mut resume,
            mut caller,
            selection,
            mut target,
        } = self;
        let mut arguments = Some(arguments);
        for _ in 0..MAX_ROUNDS {
            if caller.is_expired() {
                let text = "the token ended while the call was waiting";
                return Ok(failed(ErrorCode::Unauthenticated, text, target.tenant()));
            }
            let arguments = match asks_itself {
                true => arguments.clone(),
                false => arguments.take(),
            };
            let (cancel, resumed) = (context.ct.clone(), resume.take());
            let (outcome, active) = progress::run_with_progress(context, |progress| {
                let call = ToolCallRequest {
                    transport: callers.transport(),
                    caller: &caller,
                    selection,
                    name,
                    arguments: arguments.unwrap_or_default(),
                    options: CallOptions {
                        progress,
                        cancel,
                        resume: resumed,
                        log: None,
                        client,
                    },
                };
                dispatcher.call(&target, call)
            })
            .await;
            let InputRequired { requests, state } = match outcome {
                Ok(CallOutcome::InputRequired(required)) if era == Era::Legacy => required,
                outcome => return Ok((outcome, active)),
            };
            match input::ask(context, client, requests).await {
                Ok(answers) => resume = Some(Resume { answers, state }),
                Err(error) => return Ok((Err(error), active)),
            }
            // Each round joins the caller of now: an answer may take minutes, and a token may end
            // meanwhile.
            caller = callers.session_caller(context).await?;
            let now = match dispatcher.resolve(&caller, selection, name).await {
                Ok(now) => now,
                Err(error) => return Ok((Err(error), active)),
            };
            if now.tenant() != target.tenant() {
                let text = "the tenant was switched while the call was waiting for an answer";
                return Ok(failed(ErrorCode::TenantMismatch, text, now.tenant()));
            }
            target = now;
        }
        let text = format!("the tool asked for input more than {MAX_ROUNDS} times");
        Ok(failed(ErrorCode::LimitExceeded, text, target.tenant()))
    }
}

fn failed(code: ErrorCode, text: impl Into<String>, tenant: Option<&TenantId>) -> DispatchOutcome {
    (Err(PublicError::new(code, text)), tenant.cloned())
}
