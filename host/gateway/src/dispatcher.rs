//! The one place that decides for which tenant a call is and who answers it: a plugin, or the host
//! itself. Every transport resolves a call here and then makes it; what it adds is how a call is
//! read and how its answer is written.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use serde_json::{Map, Value};
use toolhost_identity::{Binding, TenantId};
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tenancy::AdmittedCaller;
use toolhost_tools::{CallOptions, CallOutcome, ModelArgs};

use crate::call_transport::CallTransport;
use crate::caller::SessionCaller;
use crate::switching::{HostTool, SwitchRequest, TenantSelection, help_output};
use crate::{CallPath, TenantSwitcher, metrics};

/// Dispatches calls to plugins and to the host's own tools.
#[derive(Clone)]
pub struct Dispatcher {
    calls: Arc<dyn CallPath>,
    switcher: Arc<TenantSwitcher>,
}

/// Who answers a call, and for which tenant. Stage two of a call: the tenant is decided, and
/// nothing has run.
pub(crate) enum CallTarget {
    /// The host itself, with the tenant that is active before the call.
    Host(HostTool, Option<TenantId>),
    /// A plugin, under this binding.
    Plugin(Box<Binding>),
}

impl CallTarget {
    /// The tenant that is active before the call.
    pub(crate) fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Host(_, active) => active.as_ref(),
            Self::Plugin(binding) => Some(binding.tenant()),
        }
    }

    /// Whether the call would change the active tenant.
    pub(crate) fn switches(&self) -> bool {
        matches!(self, Self::Host(HostTool::Switch | HostTool::Reset, _))
    }
}

/// A call as its transport has read it. Stage two of a call: the tenant is chosen from it next.
pub(crate) struct ToolCallRequest<'a> {
    pub(crate) transport: CallTransport,
    pub(crate) caller: &'a SessionCaller,
    pub(crate) selection: &'a TenantSelection,
    pub(crate) name: &'a str,
    pub(crate) arguments: Map<String, Value>,
    pub(crate) options: CallOptions,
}

/// The outcome of a call, and the tenant that is active after it.
pub(crate) type DispatchOutcome = (Result<CallOutcome, PublicError>, Option<TenantId>);

impl Dispatcher {
    /// A dispatcher to plugins behind `calls`, at tenants that `switcher` decides.
    #[must_use]
    pub fn new(calls: Arc<dyn CallPath>, switcher: Arc<TenantSwitcher>) -> Self {
        Self { calls, switcher }
    }

    /// Decides who answers a call, and for which tenant.
    ///
    /// # Errors
    /// The caller has no tenant, or no such session or context, or expects another tenant. Nothing
    /// was done.
    pub(crate) async fn resolve(
        &self,
        caller: &SessionCaller,
        selection: &TenantSelection,
        name: &str,
    ) -> Result<CallTarget, PublicError> {
        let target = match self.switcher.offer().find(name) {
            Some((tool, _)) => {
                CallTarget::Host(tool, self.switcher.active(caller, selection).await?)
            }
            None => CallTarget::Plugin(Box::new(self.switcher.binding(caller, selection).await?)),
        };
        selection.check(target.tenant())?;
        Ok(target)
    }

    /// Makes a call and counts it. A panic on the way is one failed call.
    pub(crate) async fn call(
        &self,
        target: &CallTarget,
        call: ToolCallRequest<'_>,
    ) -> DispatchOutcome {
        let (name, metric) = (call.name, CallMetric::begin(call.transport));
        let call = AssertUnwindSafe(async {
            match target {
                CallTarget::Plugin(binding) => {
                    let arguments = ModelArgs::new(call.arguments);
                    let called = self
                        .calls
                        .call(binding, call.name, arguments, call.options)
                        .await;
                    (called, Some(binding.tenant().clone()))
                }
                CallTarget::Host(tool, active) => {
                    match self.host_tool(*tool, active.as_ref(), call).await {
                        Ok((outcome, active)) => (Ok(outcome), active),
                        Err(error) => (Err(error), active.clone()),
                    }
                }
            }
        });
        let (outcome, active) = call.catch_unwind().await.unwrap_or_else(|_| {
            tracing::error!(tool = name, "a call panicked");
            let text = "the host could not do its part; the log has the reason";
            let error = PublicError::new(ErrorCode::Internal, text);
            (Err(error), target.tenant().cloned())
        });
        metric.finish(&outcome);
        (outcome, active)
    }

    /// Makes one call of an operator's, at the tenant of the caller's own token.
    ///
    /// # Errors
    /// The token names no tenant; one of the public codes of a call.
    pub async fn call_at_home(
        &self,
        admitted: AdmittedCaller,
        name: &str,
        arguments: Map<String, Value>,
        options: CallOptions,
    ) -> Result<CallOutcome, PublicError> {
        let caller = SessionCaller {
            admitted: Arc::new(admitted),
            session: None,
        };
        let selection = TenantSelection::default();
        let target = self.resolve(&caller, &selection, name).await?;
        let call = ToolCallRequest {
            transport: CallTransport::Admin,
            caller: &caller,
            selection: &selection,
            name,
            arguments,
            options,
        };
        self.call(&target, call).await.0
    }

    /// Answers one of the host's own tools. A switch asks the person first, where the operator
    /// wants that.
    async fn host_tool(
        &self,
        tool: HostTool,
        active: Option<&TenantId>,
        call: ToolCallRequest<'_>,
    ) -> Result<(CallOutcome, Option<TenantId>), PublicError> {
        let ToolCallRequest {
            transport,
            caller,
            selection,
            arguments,
            options,
            ..
        } = call;
        let complete = |output| (CallOutcome::Complete(output), active.cloned());
        let wanted = match tool {
            HostTool::Help => return help_output(arguments).map(complete),
            HostTool::List => {
                let listed = self.switcher.list(caller, active, arguments).await;
                return listed.map(complete);
            }
            HostTool::Switch => SwitchRequest::tenant(arguments)?,
            HostTool::Reset => SwitchRequest::home(arguments)?,
        };
        if options.resume.is_none()
            && let Some(question) = self.switcher.question(caller, &wanted).await?
        {
            if !options.client.elicitation {
                return Err(consent_error(transport));
            }
            return Ok((CallOutcome::InputRequired(question), active.cloned()));
        }
        let resume = options.resume.as_ref();
        let (output, active) = self
            .switcher
            .switch(caller, selection, &wanted, resume)
            .await?;
        Ok((CallOutcome::Complete(output), Some(active)))
    }
}

fn consent_error(transport: CallTransport) -> PublicError {
    let why = "a switch needs the person's yes ([tenancy] switch = \"confirm\")";
    let (remedy, param) = match transport {
        CallTransport::Api => (
            "put the question to the person and say so with \"accepts\": [\"elicitation\"]",
            "accepts",
        ),
        _ => ("this client cannot ask for it", "elicitation"),
    };
    PublicError::new(ErrorCode::InputUnsupported, format!("{why}; {remedy}")).about(param)
}

impl std::fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").finish_non_exhaustive()
    }
}

/// A call in the metrics: counted once, as cancelled where its caller went away and it was dropped.
struct CallMetric {
    transport: CallTransport,
    started: Instant,
    is_over: bool,
}

impl CallMetric {
    fn begin(transport: CallTransport) -> Self {
        Self {
            transport,
            started: Instant::now(),
            is_over: false,
        }
    }

    fn finish(mut self, outcome: &Result<CallOutcome, PublicError>) {
        self.is_over = true;
        metrics::record_call(self.transport, outcome, self.started.elapsed());
    }
}

impl Drop for CallMetric {
    fn drop(&mut self) {
        if !self.is_over {
            let gone = PublicError::new(ErrorCode::Cancelled, "the call was dropped by its caller");
            metrics::record_call(self.transport, &Err(gone), self.started.elapsed());
        }
    }
}
