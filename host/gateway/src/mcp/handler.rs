use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult, ErrorCode as RpcCode, ErrorData,
    GetPromptRequestParams, GetPromptResponse, Implementation, InitializeRequestParams, InitializeResult,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{Peer, RequestContext};
use rmcp::{RoleServer, ServerHandler};
use serde_json::json;
use toolhost_identity::{Binding, TenantId};
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tools::CallOutcome;

use super::handlers::SessionPeer;
use super::pages::{ListAdditions, McpPageCache, caching, tool};
use super::rounds::Round;
use super::running_call::{StartedCall, await_adopted, is_direct};
use super::stream_replay::is_primed;
use super::tool_list_text::ToolListText;
use super::{Era, content, input};
use crate::CallPath;
use crate::auth::RequestCaller;
use crate::call::CallTransport;
use crate::stdio::StdioCaller;
use crate::switching::{HostToolSet, SessionCaller, TenantSelection, TenantSwitcher, is_homeless};

/// Where a request's caller comes from. Over HTTP it is that request's own token, at every request: this handler
/// lives as long as a session, and a session is no proof of who is calling.
enum HandlerCaller {
    /// `schemas_of` is asked for a tool's schema alone, while the transport checks headers against arguments.
    Http {
        schemas_of: RequestCaller,
    },
    Stdio(StdioCaller),
}

/// What every handler of a door has.
pub(crate) struct HandlerParts {
    pub(crate) calls: Arc<dyn CallPath>,
    pub(crate) pages: Arc<McpPageCache>,
    pub(crate) switching: Arc<TenantSwitcher>,
    pub(crate) version: &'static str,
}

/// The MCP server: lists tools, calls them.
pub(crate) struct Handler {
    pub(super) parts: HandlerParts,
    source: HandlerCaller,
    /// Whether clients hear of it when the list of tools has changed.
    announces: bool,
    /// The revision of the list that the session was last given, or told of; 0 before the first.
    listed: AtomicU64,
    client: SessionPeer,
    /// Whether the handshake has settled a version that has events of empty data.
    primes: AtomicBool,
}

impl Handler {
    pub(crate) fn http(parts: HandlerParts, caller: RequestCaller, announces: bool) -> Self {
        Self {
            parts,
            source: HandlerCaller::Http { schemas_of: caller },
            announces,
            listed: AtomicU64::new(0),
            client: SessionPeer::default(),
            primes: AtomicBool::new(false),
        }
    }

    pub(crate) fn stdio(calls: Arc<dyn CallPath>, caller: StdioCaller, version: &'static str) -> Self {
        let switching = caller.tenant_switcher();
        Self {
            announces: true,
            listed: AtomicU64::new(0),
            client: SessionPeer::default(),
            primes: AtomicBool::new(false),
            parts: HandlerParts {
                calls,
                pages: Arc::default(),
                switching,
                version,
            },
            source: HandlerCaller::Stdio(caller),
        }
    }

    /// Who makes this request.
    pub(super) async fn session_caller(
        &self,
        context: &RequestContext<RoleServer>,
    ) -> Result<SessionCaller, ErrorData> {
        match &self.source {
            HandlerCaller::Http { .. } => {
                let parts = context.extensions.get::<http::request::Parts>();
                let caller = match parts {
                    Some(parts) => parts.extensions.get::<RequestCaller>(),
                    None => context.extensions.get::<RequestCaller>(),
                };
                let missing = || {
                    let text = "the request has no verified caller";
                    protocol_error(&PublicError::new(ErrorCode::Unauthenticated, text))
                };
                caller.map(RequestCaller::to_session_caller).ok_or_else(missing)
            }
            HandlerCaller::Stdio(caller) => caller
                .session_caller(Era::from_context(context))
                .await
                .map_err(|error| protocol_error(&error)),
        }
    }

    /// The binding of a call: the caller at the tenant that it chose, or at its own.
    pub(super) async fn binding(
        &self,
        who: &SessionCaller,
        said: &TenantSelection,
    ) -> Result<Binding, PublicError> {
        self.parts.switching.binding(who, said).await
    }

    pub(super) fn offer(&self) -> HostToolSet {
        self.parts.switching.offer()
    }

    pub(super) fn door(&self) -> CallTransport {
        match self.source {
            HandlerCaller::Http { .. } => CallTransport::Mcp,
            HandlerCaller::Stdio(_) => CallTransport::Stdio,
        }
    }

    /// Whether the session's client takes an event of empty data at the head of a stream.
    pub(super) fn primes(&self) -> bool {
        self.primes.load(Ordering::Relaxed)
    }

    /// Each request that the transport brings shows it the session's client.
    fn remember_peer(&self, context: &RequestContext<RoleServer>) {
        if matches!(self.source, HandlerCaller::Http { .. }) && !is_direct(context) {
            self.client.set_peer(&context.peer, Instant::now());
        }
    }

    /// The session's client, for a request that the transport need not bring.
    pub(super) fn client(&self) -> Option<Peer<RoleServer>> {
        self.client.get(Instant::now())
    }

    /// What a list has beside the plugins' tools: the host's own, on the first page, and the argument for callers who
    /// could choose.
    async fn list_additions(
        &self,
        who: &SessionCaller,
        active: Option<&TenantId>,
        first: bool,
    ) -> Result<ListAdditions, PublicError> {
        let switching = &self.parts.switching;
        let argument = who.session.is_none() && switching.can_switch(&who.admitted).await?;
        let offer = match first {
            true => switching.listed_host_tools(&who.admitted, active).await,
            false => HostToolSet::Nothing,
        };
        Ok(ListAdditions { offer, argument })
    }

    /// A session whose list is another one since it was given, because something was assigned or taken meanwhile, is told
    /// with its next call. Whoever does not listen is not waited for.
    async fn notify_list_change(
        &self,
        who: &SessionCaller,
        binding: &Binding,
        context: &RequestContext<RoleServer>,
    ) {
        let known = self.listed.load(Ordering::Relaxed);
        if !self.announces || who.session.is_none() || known == 0 {
            return;
        }
        if let Ok(page) = self.parts.calls.list(binding, None).await
            && page.revision != known
        {
            self.listed.store(page.revision, Ordering::Relaxed);
            let _nobody = context.peer.notify_tool_list_changed().await;
        }
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        // There are none, which is an answer. To a client that goes by what is declared, one without it is a contradiction.
        let mut capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .build();
        if let Some(tools) = capabilities.tools.as_mut().filter(|_| self.announces) {
            tools.list_changed = Some(true);
        }
        let mut info = ServerConfig::new(capabilities);
        info.server_info = Implementation::new("toolhost", self.parts.version);
        info
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let HandlerCaller::Http { schemas_of } = &self.source else {
            return None;
        };
        if let Some((_, described)) = self.offer().find(name) {
            return Some(described.clone());
        }
        let entry = self.parts.calls.find_at_once(&schemas_of.home().ok()?, name);
        entry.map(|entry| tool(&entry, Era::Modern))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.remember_peer(&context);
        let who = self.session_caller(&context).await?;
        let cursor = request.and_then(|request| request.cursor);
        // Without a session the list depends on the token alone.
        let listed = match self.binding(&who, &TenantSelection::default()).await {
            Ok(binding) => {
                let page = self.parts.calls.list(&binding, cursor.as_deref()).await;
                page.map(|page| (page, Some(binding.tenant().clone())))
            }
            Err(error) if is_homeless(&error) => Ok((self.parts.pages.without_plugins(), None)),
            Err(error) => Err(error),
        };
        let (page, active) = listed.map_err(|error| protocol_error(&error))?;
        self.listed.store(page.revision, Ordering::Relaxed);
        let face = self.list_additions(&who, active.as_ref(), cursor.is_none()).await;
        let face = face.map_err(|error| protocol_error(&error))?;
        let era = Era::from_context(&context);
        let parts = context.extensions.get::<http::request::Parts>();
        match parts.and_then(|parts| parts.extensions.get::<ToolListText>()) {
            Some(listed) => self.parts.pages.split_result(page, era, face, listed),
            None => Ok(self.parts.pages.result(page, era, face)),
        }
    }

    async fn call_tool(
        &self,
        mut request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.remember_peer(&context);
        if let Some(running) = StartedCall::take_from(&context) {
            return await_adopted(running, &context).await;
        }
        let who = self.session_caller(&context).await?;
        let era = Era::from_context(&context);
        let name = std::mem::take(&mut request.name);
        let mut said = TenantSelection::in_meta(&context.meta).map_err(|error| protocol_error(&error))?;
        let switching = &self.parts.switching;
        let taken = switching.take_argument(&who, &mut said, request.arguments.as_mut());
        taken.await.map_err(|error| protocol_error(&error))?;
        if let Some((tool, _)) = self.offer().find(&name) {
            return self
                .host_tool(switching, tool, &who, &said, request, &context)
                .await;
        }
        let bound = self.binding(&who, &said).await;
        let bound = bound.and_then(|binding| said.check(Some(binding.tenant())).map(|()| binding));
        let binding = match bound {
            Ok(binding) => binding,
            Err(error) => return Ok(content::failure(&error).into()),
        };
        let tenant = binding.tenant().clone();
        self.notify_list_change(&who, &binding, &context).await;
        let entry = self.parts.calls.find(&binding, &name).await;
        let entry = entry.map_err(|error| protocol_error(&error))?;
        let entry = entry.ok_or_else(|| unknown_tool(&name))?;
        let failed = |error: &PublicError| content::of_tenant(content::failure(error), &tenant).into();
        if let Some(missing) = input::missing_capability(&entry.requires, input::capabilities(&context)) {
            return match era {
                Era::Modern => Err(missing.protocol_error()),
                Era::Legacy => Ok(failed(&missing.public())),
            };
        }
        let resume = input::resume(era, request.request_state.take(), request.input_responses.take())?;
        let round = Round {
            name: &name,
            who,
            said: &said,
            binding,
        };
        match self.run_rounds(round, request, resume, &context).await? {
            Ok(CallOutcome::Complete(output)) => {
                Ok(content::of_tenant(content::result(output, era), &tenant).into())
            }
            Ok(CallOutcome::InputRequired(required)) => {
                input::input_required_response(required, input::capabilities(&context))
            }
            Err(error) if error.code == ErrorCode::NotFound => Err(unknown_tool(&name)),
            // The client's own words were wrong (a state that was changed, say), not the tool's work.
            Err(error) if error.code == ErrorCode::InvalidRequest => Err(protocol_error(&error)),
            Err(error) => Ok(failed(&error)),
        }
    }

    /// Some clients ask for every list, without a look at what is declared, and take an error for a server that does not work
    /// (github.com/DeusData/codebase-memory-mcp/pull/1015, github.com/upstash/context7/issues/2527).
    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let mut nothing = ListPromptsResult::default();
        (nothing.ttl_ms, nothing.cache_scope) = caching(Era::from_context(&context));
        Ok(nothing)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let text = format!("unknown prompt: {}", repeated(&request.name));
        Err(ErrorData::invalid_params(
            text,
            Some(json!({ "code": ErrorCode::NotFound })),
        ))
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let mut nothing = ListResourcesResult::default();
        (nothing.ttl_ms, nothing.cache_scope) = caching(Era::from_context(&context));
        Ok(nothing)
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut nothing = ListResourceTemplatesResult::default();
        (nothing.ttl_ms, nothing.cache_scope) = caching(Era::from_context(&context));
        Ok(nothing)
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        Err(ErrorData::new(
            RpcCode::METHOD_NOT_FOUND,
            repeated(&request.method),
            None,
        ))
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let result = self.negotiate_initialize(&request)?;
        let primes = is_primed(&result.protocol_version);
        self.primes.store(primes, Ordering::Relaxed);
        context.peer.set_peer_info(request);
        Ok(result)
    }
}

/// A name that a client made up, as it is repeated: not whole.
fn repeated(name: &str) -> String {
    name.chars().take(64).collect()
}

fn unknown_tool(name: &str) -> ErrorData {
    // Unknown and somebody else's are one answer.
    ErrorData::invalid_params(
        format!("unknown tool: {}", repeated(name)),
        Some(json!({ "code": ErrorCode::NotFound })),
    )
}

pub(crate) fn protocol_error(error: &PublicError) -> ErrorData {
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
