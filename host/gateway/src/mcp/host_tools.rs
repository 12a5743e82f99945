use std::time::Instant;

use rmcp::RoleServer;
use rmcp::model::{CallToolRequestParams, CallToolResponse, ErrorData};
use rmcp::service::RequestContext;
use toolhost_identity::TenantId;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tools::{CallOutcome, Resume};

use super::handler::{Handler, protocol_error};
use super::rounds::is_token_expired;
use super::{Era, content, input};
use crate::metrics;
use crate::switching::{
    HostTool, SessionCaller, SwitchRequest, TenantSelection, TenantSwitcher, help_output,
};

/// An answer, and the tenant that is active after it.
type HostToolOutcome = (CallOutcome, Option<TenantId>);

impl Handler {
    /// Answers one of the host's own tools. No plugin takes part in it.
    pub(super) async fn host_tool(
        &self,
        switching: &TenantSwitcher,
        tool: HostTool,
        who: &SessionCaller,
        said: &TenantSelection,
        mut request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let started = Instant::now();
        let era = Era::from_context(context);
        let resume = input::resume(era, request.request_state.take(), request.input_responses.take())?;
        let arguments = request.arguments.unwrap_or_default();
        let answered = async {
            let active = switching.active(who, said).await?;
            said.check(active.as_ref())?;
            let complete = |output| (CallOutcome::Complete(output), active.clone());
            let wanted = match tool {
                HostTool::Help => return help_output(arguments).map(complete),
                HostTool::List => {
                    let listed = switching.list(who, active.as_ref(), arguments).await;
                    return listed.map(complete);
                }
                HostTool::Switch => SwitchRequest::tenant(arguments)?,
                HostTool::Reset => SwitchRequest::home(arguments)?,
            };
            self.switch_tenant(switching, who, said, &wanted, resume, context)
                .await
        }
        .await;
        let (outcome, active) = match answered {
            Ok((outcome, active)) => (Ok(outcome), active),
            Err(error) => (Err(error), None),
        };
        metrics::record_call(self.door(), &outcome, started.elapsed());
        let result = match outcome {
            Ok(CallOutcome::Complete(output)) => content::result(output, era),
            Ok(CallOutcome::InputRequired(required)) => {
                return input::input_required_response(required, input::capabilities(context));
            }
            Err(error) if error.code == ErrorCode::InvalidRequest => return Err(protocol_error(&error)),
            Err(error) => content::failure(&error),
        };
        Ok(match active {
            Some(active) => content::of_tenant(result, &active),
            None => result,
        }
        .into())
    }

    /// Switches, once the person has said yes where it is to be asked.
    async fn switch_tenant(
        &self,
        switching: &TenantSwitcher,
        who: &SessionCaller,
        said: &TenantSelection,
        wanted: &SwitchRequest,
        resume: Option<Resume>,
        context: &RequestContext<RoleServer>,
    ) -> Result<HostToolOutcome, PublicError> {
        let (client, era) = (input::capabilities(context), Era::from_context(context));
        let mut resume = resume;
        if resume.is_none()
            && let Some(question) = switching.question(who, wanted).await?
        {
            if !client.elicitation {
                let text = "a switch needs the person's yes ([tenancy] switch = \"confirm\"), and this client cannot ask for it";
                return Err(PublicError::new(ErrorCode::InputUnsupported, text).about("elicitation"));
            }
            if era == Era::Modern {
                return Ok((CallOutcome::InputRequired(question), None));
            }
            let answers = input::ask(context, client, question.requests).await?;
            if is_token_expired(who) {
                let text = "the token ended while the switch was waiting";
                return Err(PublicError::new(ErrorCode::Unauthenticated, text));
            }
            resume = Some(Resume {
                answers,
                state: question.state,
            });
        }
        let (output, active) = switching.switch(who, said, wanted, resume.as_ref()).await?;
        if who.session.is_some() {
            // Whoever listens asks anew; whoever does not is not waited for.
            let _nobody = context.peer.notify_tool_list_changed().await;
        }
        Ok((CallOutcome::Complete(output), Some(active)))
    }
}
