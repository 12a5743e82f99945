use rmcp::RoleServer;
use rmcp::model::{CallToolRequestParams, ErrorData};
use rmcp::service::RequestContext;
use tokio_util::sync::CancellationToken;
use toolhost_identity::Binding;
use toolhost_policy::{ErrorCode, PublicError, UnixTime};
use toolhost_tools::{CallOptions, CallOutcome, InputRequired, ModelArgs, Resume};

use super::handler::Handler;
use super::{Era, input, progress};
use crate::call::call;
use crate::switching::{SessionCaller, TenantSelection};

/// How often one call of an older client may come back with another question.
const MAX_ROUNDS: usize = 8;

/// One call of a tool, as it goes through its rounds.
pub(super) struct Round<'a> {
    pub(super) name: &'a str,
    pub(super) who: SessionCaller,
    pub(super) said: &'a TenantSelection,
    pub(super) binding: Binding,
}

impl Handler {
    /// Calls until the tool is done or needs an answer that only the client's next request can bring.
    pub(super) async fn run_rounds(
        &self,
        round: Round<'_>,
        request: CallToolRequestParams,
        mut resume: Option<Resume>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Result<CallOutcome, PublicError>, ErrorData> {
        let client = input::capabilities(context);
        let era = Era::from_context(context);
        let asks_itself = era == Era::Legacy && (client.elicitation || client.sampling);
        let mut arguments = Some(request.arguments.unwrap_or_default());
        let Round {
            name,
            mut who,
            said,
            mut binding,
        } = round;
        for _ in 0..MAX_ROUNDS {
            if is_token_expired(&who) {
                let error = PublicError::new(
                    ErrorCode::Unauthenticated,
                    "the token ended while the call was waiting",
                );
                return Ok(Err(error));
            }
            let this = if asks_itself {
                arguments.clone()
            } else {
                arguments.take()
            }
            .unwrap_or_default();
            let cancel: CancellationToken = context.ct.clone();
            let again = resume.take();
            let outcome = progress::run_with_progress(context, |progress| {
                let options = CallOptions {
                    progress,
                    cancel,
                    resume: again,
                    log: None,
                    client,
                };
                call(
                    self.parts.calls.as_ref(),
                    self.door(),
                    &binding,
                    name,
                    ModelArgs::new(this),
                    options,
                )
            })
            .await;
            match outcome {
                Ok(CallOutcome::InputRequired(InputRequired { requests, state })) if era == Era::Legacy => {
                    match input::ask(context, client, requests).await {
                        Ok(answers) => resume = Some(Resume { answers, state }),
                        Err(error) => return Ok(Err(error)),
                    }
                    // Each round joins the caller of now: an answer may take minutes, and a token may end meanwhile.
                    who = self.session_caller(context).await?;
                    let now = match self.binding(&who, said).await {
                        Ok(now) => now,
                        Err(error) => return Ok(Err(error)),
                    };
                    if now.tenant() != binding.tenant() {
                        let text = "the tenant was switched while the call was waiting for an answer";
                        return Ok(Err(PublicError::new(ErrorCode::TenantMismatch, text)));
                    }
                    binding = now;
                }
                outcome => return Ok(outcome),
            }
        }
        let text = format!("the tool asked for input more than {MAX_ROUNDS} times");
        Ok(Err(PublicError::new(ErrorCode::LimitExceeded, text)))
    }
}

pub(super) fn is_token_expired(who: &SessionCaller) -> bool {
    super::expiring_stream::ends_at(&who.admitted.presented.principal) <= UnixTime::now().secs()
}
