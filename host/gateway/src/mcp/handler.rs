use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CustomRequest, CustomResult, ErrorCode as RpcCode,
    ErrorData, GetPromptRequestParams, GetPromptResponse, Implementation, InitializeRequestParams,
    InitializeResult, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::{Peer, RequestContext};
use rmcp::{RoleServer, ServerHandler};
use serde_json::json;
use toolhost_identity::{Binding, TenantId};
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tools::CallOutcome;

use super::errors::{protocol_error, truncate, unknown_tool};
use super::handler_caller::HandlerCaller;
use super::pages::{ListAdditions, McpPageCache, caching, tool};
use super::rounds::McpCall;
use super::running_call::{StartedCall, await_adopted, is_direct};
use super::session_peer::SessionPeer;
use super::stream_replay::is_primed;
use super::tool_list_text::ToolListText;
use super::{Era, content, input};
use crate::caller::{RequestCaller, SessionCaller};
use crate::dispatcher::{CallTarget, Dispatcher};
use crate::stdio_caller::StdioCaller;
use crate::switching::{HostToolSet, TenantSelection, is_homeless};
use crate::{CallPath, TenantSwitcher};

/// What every handler of a transport has.
pub(crate) struct HandlerParts {
    pub(crate) calls: Arc<dyn CallPath>,
    pub(crate) dispatcher: Dispatcher,
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

    pub(crate) fn stdio(
        calls: Arc<dyn CallPath>,
        caller: StdioCaller,
        version: &'static str,
    ) -> Self {
        let switching = caller.tenant_switcher();
        let dispatcher = Dispatcher::new(Arc::clone(&calls), Arc::clone(&switching));
        Self {
            announces: true,
            listed: AtomicU64::new(0),
            client: SessionPeer::default(),
            primes: AtomicBool::new(false),
            parts: HandlerParts {
                calls,
                dispatcher,
                pages: Arc::default(),
                switching,
                version,
            },
            source: HandlerCaller::Stdio(caller),
        }
    }

    pub(super) fn offer(&self) -> HostToolSet {
        self.parts.switching.offer()
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

    /// What a list has beside the plugins' tools: the host's own, on the first page, and the
    /// argument for callers who could choose.
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

    /// A session whose list is another one since it was given, because something was assigned or
    /// taken meanwhile, is told with its next call. Whoever does not listen is not waited for.
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
        // There are none, which is an answer. To a client that goes by what is declared, one
        // without it is a contradiction.
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
        let entry = self
            .parts
            .calls
            .find_at_once(&schemas_of.session_caller().home().ok()?, name);
        entry.map(|entry| tool(&entry, Era::Modern))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        self.remember_peer(&context);
        let who = self.source.session_caller(&context).await?;
        let cursor = request.and_then(|request| request.cursor);
        // Without a session the list depends on the token alone.
        let listed = match self
            .parts
            .switching
            .binding(&who, &TenantSelection::default())
            .await
        {
            Ok(binding) => {
                let page = self.parts.calls.list(&binding, cursor.as_deref()).await;
                page.map(|page| (page, Some(binding.tenant().clone())))
            }
            Err(error) if is_homeless(&error) => Ok((self.parts.pages.without_plugins(), None)),
            Err(error) => Err(error),
        };
        let (page, active) = listed.map_err(|error| protocol_error(&error))?;
        self.listed.store(page.revision, Ordering::Relaxed);
        let face = self
            .list_additions(&who, active.as_ref(), cursor.is_none())
            .await;
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
        let who = self.source.session_caller(&context).await?;
        let era = Era::from_context(&context);
        let mut said =
            TenantSelection::in_meta(&context.meta).map_err(|error| protocol_error(&error))?;
        let taken = self
            .parts
            .switching
            .take_argument(&who, &mut said, request.arguments.as_mut());
        taken.await.map_err(|error| protocol_error(&error))?;
        let target = match self
            .parts
            .dispatcher
            .resolve(&who, &said, &request.name)
            .await
        {
            Ok(target) => target,
            Err(error) => return Ok(content::failure(&error).into()),
        };
        if let CallTarget::Plugin(binding) = &target {
            self.notify_list_change(&who, binding, &context).await;
        }
        let resume = input::resume(
            era,
            request.request_state.take(),
            request.input_responses.take(),
        )?;
        let switches_session = who.session.is_some() && target.switches();
        let is_plugin = matches!(target, CallTarget::Plugin(_));
        let call = McpCall {
            name: &request.name,
            arguments: request.arguments.unwrap_or_default(),
            resume,
            caller: who,
            selection: &said,
            target,
        };
        let (outcome, active) = call
            .run(&self.parts.dispatcher, &self.source, &context)
            .await?;
        if switches_session && matches!(outcome, Ok(CallOutcome::Complete(_))) {
            // Whoever listens asks anew; whoever does not is not waited for.
            let _nobody = context.peer.notify_tool_list_changed().await;
        }
        let result = match outcome {
            Ok(CallOutcome::Complete(output)) => content::result(output, era),
            Ok(CallOutcome::InputRequired(required)) => {
                return input::input_required_response(required, input::capabilities(&context));
            }
            Err(error) if error.code == ErrorCode::NotFound && is_plugin => {
                return Err(unknown_tool(&request.name));
            }
            // The client's own words were wrong (a state that was changed, say), not the tool's
            // work.
            Err(error) if error.code == ErrorCode::InvalidRequest => {
                return Err(protocol_error(&error));
            }
            Err(error)
                if error.code == ErrorCode::InputUnsupported && is_plugin && era == Era::Modern =>
            {
                return Err(input::missing_capability_error(&error));
            }
            Err(error) => content::failure(&error),
        };
        Ok(match active {
            Some(active) => content::of_tenant(result, &active),
            None => result,
        }
        .into())
    }

    /// Some clients ask for every list, without a look at what is declared, and take an error for a
    /// server that does not work (github.com/DeusData/codebase-memory-mcp/pull/1015,
    /// github.com/upstash/context7/issues/2527).
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
        let text = format!("unknown prompt: {}", truncate(&request.name));
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
            truncate(&request.method),
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
