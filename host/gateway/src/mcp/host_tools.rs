use std::time::Instant;

use rmcp::RoleServer;
use rmcp::model::{CallToolRequestParams, CallToolResponse, ErrorData};
use rmcp::service::RequestContext;
use toolhost_identity::TenantId;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tools::{CallOutcome, Resume};

use super::handler::{Handler, protocol_error};
use super::rounds::expired;
use super::{Era, content, input};
use crate::metrics;
use crate::switching::{HostTool, Said, Switching, Wanted, Who, help};

/// An answer, and the tenant that is active after it.
type Answered = (CallOutcome, Option<TenantId>);

impl Handler {
    /// Answers one of the host's own tools. No plugin takes part in it.
    pub(super) async fn host_tool(
        &self,
        switching: &Switching,
        tool: HostTool,
        who: &Who,
        said: &Said,
        mut request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let started = Instant::now();
        let era = Era::of(context);
        let resume = input::resume(era, request.request_state.take(), request.input_responses.take())?;
        let arguments = request.arguments.unwrap_or_default();
        let answered = async {
            let active = switching.active(who, said).await?;
            said.check(active.as_ref())?;
            let complete = |output| (CallOutcome::Complete(output), active.clone());
            let wanted = match tool {
                HostTool::Help => return help(arguments).map(complete),
                HostTool::List => {
                    let listed = switching.list(who, active.as_ref(), arguments).await;
                    return listed.map(complete);
                }
                HostTool::Switch => Wanted::tenant(arguments)?,
                HostTool::Reset => Wanted::home(arguments)?,
            };
            self.switched(switching, who, said, &wanted, resume, context)
                .await
        }
        .await;
        let (outcome, active) = match answered {
            Ok((outcome, active)) => (Ok(outcome), active),
            Err(error) => (Err(error), None),
        };
        metrics::called(self.door(), &outcome, started.elapsed());
        let result = match outcome {
            Ok(CallOutcome::Complete(output)) => content::result(output, era),
            Ok(CallOutcome::InputRequired(required)) => {
                return input::required(required, input::capabilities(context));
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
    async fn switched(
        &self,
        switching: &Switching,
        who: &Who,
        said: &Said,
        wanted: &Wanted,
        resume: Option<Resume>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Answered, PublicError> {
        let (client, era) = (input::capabilities(context), Era::of(context));
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
            if expired(who) {
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
