use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, ErrorCode as RpcCode, ErrorData, Implementation,
    ListPromptsRequestMethod, ListPromptsResult, ListToolsResult, PaginatedRequestParams, ServerCapabilities,
    ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use toolhost_identity::Binding;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tools::{CallOptions, CallOutcome, InputRequired, ModelArgs, Resume};

use super::listed::Listed;
use super::pages::{Pages, tool};
use super::{Era, content, input, progress};
use crate::CallPath;
use crate::auth::Caller;
use crate::call::{Door, call};
use crate::stdio::StdioCaller;

/// How often one call of an older client may come back with another question.
const MAX_ROUNDS: usize = 8;

/// Where a request's binding comes from. Over HTTP it is that request's own token, at every request: this handler
/// lives as long as a session, and a session is no proof of who is calling.
enum Source {
    /// `schemas_of` is asked for a tool's schema alone, while the transport checks headers against arguments.
    Http {
        schemas_of: Binding,
    },
    Stdio(StdioCaller),
}

/// The MCP server: lists tools, calls them.
pub(crate) struct Handler {
    calls: Arc<dyn CallPath>,
    pages: Arc<Pages>,
    version: &'static str,
    source: Source,
}

impl Handler {
    pub(crate) fn http(
        calls: Arc<dyn CallPath>,
        pages: Arc<Pages>,
        version: &'static str,
        caller: Binding,
    ) -> Self {
        Self {
            calls,
            pages,
            version,
            source: Source::Http { schemas_of: caller },
        }
    }

    pub(crate) fn stdio(calls: Arc<dyn CallPath>, caller: StdioCaller, version: &'static str) -> Self {
        Self {
            calls,
            pages: Arc::default(),
            version,
            source: Source::Stdio(caller),
        }
    }

    async fn binding(&self, context: &RequestContext<RoleServer>) -> Result<Binding, ErrorData> {
        match &self.source {
            Source::Http { .. } => {
                let parts = context.extensions.get::<http::request::Parts>();
                let caller = parts.and_then(|parts| parts.extensions.get::<Caller>());
                caller.map(|caller| caller.binding().clone()).ok_or_else(|| {
                    protocol_error(&PublicError::new(
                        ErrorCode::Unauthenticated,
                        "the request has no verified caller",
                    ))
                })
            }
            Source::Stdio(caller) => caller
                .binding()
                .await
                .map_err(|error| protocol_error(&error.public())),
        }
    }

    fn door(&self) -> Door {
        match self.source {
            Source::Http { .. } => Door::Mcp,
            Source::Stdio(_) => Door::Stdio,
        }
    }

    /// Calls until the tool is done or needs an answer that only the client's next request can bring.
    async fn answered(
        &self,
        name: &str,
        request: CallToolRequestParams,
        mut resume: Option<Resume>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Result<CallOutcome, PublicError>, ErrorData> {
        let client = input::capabilities(context);
        let era = Era::of(context);
        let asks_itself = era == Era::Legacy && (client.elicitation || client.sampling);
        let mut arguments = Some(request.arguments.unwrap_or_default());
        for _ in 0..MAX_ROUNDS {
            // Each round joins the caller of now: an answer may take minutes, and a token may end meanwhile.
            let binding = self.binding(context).await?;
            if expired(&binding) {
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
            let outcome = progress::reported(context, |progress| {
                let options = CallOptions {
                    progress,
                    cancel,
                    resume: again,
                    client,
                };
                call(
                    self.calls.as_ref(),
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
                }
                outcome => return Ok(outcome),
            }
        }
        let text = format!("the tool asked for input more than {MAX_ROUNDS} times");
        Ok(Err(PublicError::new(ErrorCode::LimitExceeded, text)))
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        let mut info = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        info.server_info = Implementation::new("toolhost", self.version);
        info
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        match &self.source {
            Source::Http { schemas_of } => self
                .calls
                .find(schemas_of, name)
                .map(|entry| tool(&entry, Era::Modern)),
            Source::Stdio(_) => None,
        }
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let binding = self.binding(&context).await?;
        let cursor = request.and_then(|request| request.cursor);
        let page = self
            .calls
            .list(&binding, cursor.as_deref())
            .map_err(|error| protocol_error(&error))?;
        let era = Era::of(&context);
        let parts = context.extensions.get::<http::request::Parts>();
        match parts.and_then(|parts| parts.extensions.get::<Listed>()) {
            Some(listed) => self.pages.aside(page, era, listed),
            None => Ok(self.pages.result(page, era)),
        }
    }

    async fn call_tool(
        &self,
        mut request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let binding = self.binding(&context).await?;
        let era = Era::of(&context);
        let name = std::mem::take(&mut request.name);
        let entry = self
            .calls
            .find(&binding, &name)
            .ok_or_else(|| unknown_tool(&name))?;
        if let Some(missing) = input::missing(&entry.requires, input::capabilities(&context)) {
            return match era {
                Era::Modern => Err(missing.protocol_error()),
                Era::Legacy => Ok(content::failure(&missing.public(), entry.output_schema.is_some()).into()),
            };
        }
        let resume = input::resume(era, request.request_state.take(), request.input_responses.take())?;
        match self.answered(&name, request, resume, &context).await? {
            Ok(CallOutcome::Complete(output)) => Ok(content::result(output, era).into()),
            Ok(CallOutcome::InputRequired(required)) => input::required(
                required,
                input::capabilities(&context),
                entry.output_schema.is_some(),
            ),
            Err(error) if error.code == ErrorCode::NotFound => Err(unknown_tool(&name)),
            // The client's own words were wrong (a state that was changed, say), not the tool's work.
            Err(error) if error.code == ErrorCode::InvalidRequest => Err(protocol_error(&error)),
            Err(error) => Ok(content::failure(&error, entry.output_schema.is_some()).into()),
        }
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        match Era::of(&context) {
            // Older clients ask for every list without a look at what is declared, and some give up at an error.
            Era::Legacy => Ok(ListPromptsResult::default()),
            // An answer would contradict `server/discover`, which declares no prompts.
            Era::Modern => Err(ErrorData::method_not_found::<ListPromptsRequestMethod>()),
        }
    }
}

fn expired(binding: &Binding) -> bool {
    super::stream::ends_at(binding) <= super::stream::unix_now()
}

fn unknown_tool(name: &str) -> ErrorData {
    // Unknown and somebody else's are one answer. What was asked for is repeated, but not whole.
    let name: String = name.chars().take(64).collect();
    ErrorData::invalid_params(
        format!("unknown tool: {name}"),
        Some(json!({ "code": ErrorCode::NotFound })),
    )
}

fn protocol_error(error: &PublicError) -> ErrorData {
    let code = match error.code {
        ErrorCode::Internal => RpcCode::INTERNAL_ERROR,
        ErrorCode::Unauthenticated
        | ErrorCode::Forbidden
        | ErrorCode::TenantRequired
        | ErrorCode::TenantUnavailable => RpcCode::INVALID_REQUEST,
        _ => RpcCode::INVALID_PARAMS,
    };
    ErrorData::new(
        code,
        error.message.clone(),
        Some(json!({ "code": error.code, "param": error.param })),
    )
}
