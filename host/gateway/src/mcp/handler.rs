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

use super::handlers::Client;
use super::listed::Listed;
use super::pages::{Face, Pages, caching, tool};
use super::replay::is_primed;
use super::rounds::Round;
use super::running::{Begun, adopted, is_direct};
use super::{Era, content, input};
use crate::CallPath;
use crate::auth::Caller;
use crate::call::Door;
use crate::stdio::StdioCaller;
use crate::switching::{Offer, Said, Switching, Who, at_home, is_homeless};

/// Where a request's caller comes from. Over HTTP it is that request's own token, at every request: this handler
/// lives as long as a session, and a session is no proof of who is calling.
enum Source {
    /// `schemas_of` is asked for a tool's schema alone, while the transport checks headers against arguments.
    Http {
        schemas_of: Caller,
    },
    Stdio(StdioCaller),
}

/// What every handler of a door has.
pub(crate) struct Parts {
    pub(crate) calls: Arc<dyn CallPath>,
    pub(crate) pages: Arc<Pages>,
    pub(crate) switching: Option<Arc<Switching>>,
    pub(crate) version: &'static str,
}

/// The MCP server: lists tools, calls them.
pub(crate) struct Handler {
    pub(super) parts: Parts,
    source: Source,
    /// Whether clients hear of it when the list of tools has changed.
    announces: bool,
    /// The revision of the list that the session was last given, or told of; 0 before the first.
    listed: AtomicU64,
    client: Client,
    /// Whether the handshake has settled a version that has events of empty data.
    primes: AtomicBool,
}

impl Handler {
    pub(crate) fn http(parts: Parts, caller: Caller, announces: bool) -> Self {
        let announces = announces && parts.switching.is_some();
        Self {
            parts,
            source: Source::Http { schemas_of: caller },
            announces,
            listed: AtomicU64::new(0),
            client: Client::default(),
            primes: AtomicBool::new(false),
        }
    }

    pub(crate) fn stdio(calls: Arc<dyn CallPath>, caller: StdioCaller, version: &'static str) -> Self {
        let switching = caller.switching();
        Self {
            announces: switching.is_some(),
            listed: AtomicU64::new(0),
            client: Client::default(),
            primes: AtomicBool::new(false),
            parts: Parts {
                calls,
                pages: Arc::default(),
                switching,
                version,
            },
            source: Source::Stdio(caller),
        }
    }

    /// Who makes this request.
    pub(super) async fn who(&self, context: &RequestContext<RoleServer>) -> Result<Who, ErrorData> {
        match &self.source {
            Source::Http { .. } => {
                let parts = context.extensions.get::<http::request::Parts>();
                let caller = match parts {
                    Some(parts) => parts.extensions.get::<Caller>(),
                    None => context.extensions.get::<Caller>(),
                };
                let missing = || {
                    let text = "the request has no verified caller";
                    protocol_error(&PublicError::new(ErrorCode::Unauthenticated, text))
                };
                caller.map(Caller::who).ok_or_else(missing)
            }
            Source::Stdio(caller) => caller
                .who(Era::of(context))
                .await
                .map_err(|error| protocol_error(&error)),
        }
    }

    /// The binding of a call: the caller at the tenant that it chose, or at its own.
    pub(super) async fn binding(&self, who: &Who, said: &Said) -> Result<Binding, PublicError> {
        match &self.parts.switching {
            Some(switching) => switching.binding(who, said).await,
            None => at_home(who),
        }
    }

    pub(super) fn offer(&self) -> Offer {
        let switching = self.parts.switching.as_ref();
        switching.map_or(Offer::Nothing, |switching| switching.offer())
    }

    pub(super) fn door(&self) -> Door {
        match self.source {
            Source::Http { .. } => Door::Mcp,
            Source::Stdio(_) => Door::Stdio,
        }
    }

    /// Whether the session's client takes an event of empty data at the head of a stream.
    pub(super) fn primes(&self) -> bool {
        self.primes.load(Ordering::Relaxed)
    }

    /// Each request that the transport brings shows it the session's client.
    fn heard(&self, context: &RequestContext<RoleServer>) {
        if matches!(self.source, Source::Http { .. }) && !is_direct(context) {
            self.client.shown(&context.peer, Instant::now());
        }
    }

    /// The session's client, for a request that the transport need not bring.
    pub(super) fn client(&self) -> Option<Peer<RoleServer>> {
        self.client.get(Instant::now())
    }

    /// What a list has beside the plugins' tools: the host's own, on the first page, and the argument for callers who
    /// could choose.
    async fn face(&self, who: &Who, active: Option<&TenantId>, first: bool) -> Result<Face, PublicError> {
        let argument = match &self.parts.switching {
            Some(switching) if who.session.is_none() => switching.can_switch(&who.admitted).await?,
            _ => false,
        };
        let offer = match &self.parts.switching {
            Some(switching) if first => switching.listed(&who.admitted, active).await,
            _ => Offer::Nothing,
        };
        Ok(Face { offer, argument })
    }

    /// A session whose list is another one since it was given, because something was assigned or taken meanwhile, is told
    /// with its next call. Whoever does not listen is not waited for.
    async fn tell_of_change(&self, who: &Who, binding: &Binding, context: &RequestContext<RoleServer>) {
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
        let Source::Http { schemas_of } = &self.source else {
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
        self.heard(&context);
        let who = self.who(&context).await?;
        let cursor = request.and_then(|request| request.cursor);
        // Without a session the list depends on the token alone.
        let listed = match self.binding(&who, &Said::default()).await {
            Ok(binding) => {
                let page = self.parts.calls.list(&binding, cursor.as_deref()).await;
                page.map(|page| (page, Some(binding.tenant().clone())))
            }
            Err(error) if is_homeless(&error) && self.offer() != Offer::Nothing => {
                Ok((self.parts.pages.without_plugins(), None))
            }
            Err(error) => Err(error),
        };
        let (page, active) = listed.map_err(|error| protocol_error(&error))?;
        self.listed.store(page.revision, Ordering::Relaxed);
        let face = self.face(&who, active.as_ref(), cursor.is_none()).await;
        let face = face.map_err(|error| protocol_error(&error))?;
        let era = Era::of(&context);
        let parts = context.extensions.get::<http::request::Parts>();
        match parts.and_then(|parts| parts.extensions.get::<Listed>()) {
            Some(listed) => self.parts.pages.aside(page, era, face, listed),
            None => Ok(self.parts.pages.result(page, era, face)),
        }
    }

    async fn call_tool(
        &self,
        mut request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.heard(&context);
        if let Some(running) = Begun::of(&context) {
            return adopted(running, &context).await;
        }
        let who = self.who(&context).await?;
        let era = Era::of(&context);
        let name = std::mem::take(&mut request.name);
        let mut said = Said::in_meta(&context.meta).map_err(|error| protocol_error(&error))?;
        if let Some(switching) = &self.parts.switching {
            let taken = switching.take_argument(&who, &mut said, request.arguments.as_mut());
            taken.await.map_err(|error| protocol_error(&error))?;
            if let Some((tool, _)) = self.offer().find(&name) {
                return self
                    .host_tool(switching, tool, &who, &said, request, &context)
                    .await;
            }
        }
        let bound = self.binding(&who, &said).await;
        let bound = bound.and_then(|binding| said.check(Some(binding.tenant())).map(|()| binding));
        let binding = match bound {
            Ok(binding) => binding,
            Err(error) => return Ok(content::failure(&error).into()),
        };
        let tenant = binding.tenant().clone();
        self.tell_of_change(&who, &binding, &context).await;
        let entry = self.parts.calls.find(&binding, &name).await;
        let entry = entry.map_err(|error| protocol_error(&error))?;
        let entry = entry.ok_or_else(|| unknown_tool(&name))?;
        let failed = |error: &PublicError| content::of_tenant(content::failure(error), &tenant).into();
        if let Some(missing) = input::missing(&entry.requires, input::capabilities(&context)) {
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
        match self.answered(round, request, resume, &context).await? {
            Ok(CallOutcome::Complete(output)) => {
                Ok(content::of_tenant(content::result(output, era), &tenant).into())
            }
            Ok(CallOutcome::InputRequired(required)) => {
                input::required(required, input::capabilities(&context))
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
        (nothing.ttl_ms, nothing.cache_scope) = caching(Era::of(&context));
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
        (nothing.ttl_ms, nothing.cache_scope) = caching(Era::of(&context));
        Ok(nothing)
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut nothing = ListResourceTemplatesResult::default();
        (nothing.ttl_ms, nothing.cache_scope) = caching(Era::of(&context));
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
