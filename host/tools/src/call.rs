use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use toolhost_audit::{Actor, CallFinished, CallStarted, Event, OnFailure, Sink, SinkError};
use toolhost_egress::{Egress, EgressCall, HostWork};
use toolhost_identity::Binding;
use toolhost_policy::{ErrorCode, OperationMode, PublicError, TenantMeter};
use toolhost_sandbox::{CallContext, SandboxError, contract};
use toolhost_store::{MemoryStore, StateSealer};

use crate::assignments::TenantRights;
use crate::call_end_recorder::CallEndRecorder;
use crate::catalogue_entry::CatalogueEntry;
use crate::catalogue_snapshot::{CatalogueSnapshot, ReadStamp, TenantView};
use crate::checks::{check_arguments, check_client, input_unsupported_error, work_error};
use crate::fill_arguments::fill_arguments;
use crate::outcome::OutputInspection;
use crate::result_cache::{CacheLookup, ResultCache};
use crate::resume_purpose::ResumePurpose;
use crate::{
    Assignments, Budgets, CallOptions, CallOutcome, Catalogue, InputRequired, ModelArgs,
    PluginStatuses, Refusals, ToolEntry, ToolPage, outcome,
};

/// The catalogue and the one way to call what is in it.
pub struct Tools {
    snapshot: ArcSwap<CatalogueSnapshot>,
    assignments: Option<Arc<Assignments>>,
    egress: Arc<Egress>,
    audit: Arc<dyn Sink>,
    states: Arc<StateSealer>,
    pub(crate) budgets: Budgets,
    pub(crate) cached: ResultCache,
    next_call: AtomicU64,
    statuses: Arc<PluginStatuses>,
    refusals: Refusals,
}

impl std::fmt::Debug for Tools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tools")
            .field("revision", &self.revision())
            .finish_non_exhaustive()
    }
}

impl Tools {
    /// Serves a catalogue.
    ///
    /// # Errors
    /// The system gives no random numbers for the key of states.
    pub fn new(
        catalogue: Catalogue,
        egress: Arc<Egress>,
        audit: Arc<dyn Sink>,
    ) -> Result<Self, PublicError> {
        let states = StateSealer::of_process(Arc::new(MemoryStore::default()))
            .map_err(|error| PublicError::new(ErrorCode::Internal, error.to_string()))?;
        let refusals = Refusals::new(Arc::clone(&audit));
        Ok(Self {
            snapshot: ArcSwap::from_pointee(CatalogueSnapshot::new(catalogue)),
            assignments: None,
            egress,
            audit,
            states: Arc::new(states),
            budgets: Budgets::default(),
            cached: ResultCache::new(true),
            next_call: AtomicU64::new(1),
            statuses: Arc::default(),
            refusals,
        })
    }

    /// From here on states are of the whole installation: another host takes them, and this one
    /// after a restart. Without this they end with the process.
    #[must_use]
    pub fn with_states(mut self, states: Arc<StateSealer>) -> Self {
        self.states = states;
        self
    }

    /// From here on tenants have what is assigned to them. Without this every tenant has every
    /// tool.
    #[must_use]
    pub fn with_assignments(mut self, assignments: Arc<Assignments>) -> Self {
        self.assignments = Some(assignments);
        self
    }

    /// These tools with other budgets than the default ones.
    #[must_use]
    pub fn with_budgets(mut self, budgets: Budgets) -> Self {
        self.budgets = budgets;
        self
    }

    /// These tools with the result cache on or off.
    #[must_use]
    pub fn with_cache(mut self, is_on: bool) -> Self {
        self.cached = ResultCache::new(is_on);
        self
    }

    /// What became of each plugin that was named; whoever makes catalogues keeps it.
    #[must_use]
    pub fn statuses(&self) -> &Arc<PluginStatuses> {
        &self.statuses
    }

    /// Where requests are counted that are refused before anything runs.
    #[must_use]
    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Another catalogue takes the place of the present one. Calls that run end as they began.
    pub fn replace_catalogue(&self, catalogue: Catalogue) {
        self.snapshot
            .store(Arc::new(CatalogueSnapshot::new(catalogue)));
        self.cached.clear();
    }

    /// Of the present catalogue.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.snapshot.load().catalogue.revision()
    }

    /// A page of the tools that the active tenant may call: the same `Arc` for the same cursor and
    /// for every tenant that may call the same, as long as the catalogue stands.
    ///
    /// # Errors
    /// The cursor is of no page of the present list; what the tenant may call cannot be read.
    pub async fn list(
        &self,
        binding: &Binding,
        cursor: Option<&str>,
    ) -> Result<Arc<ToolPage>, PublicError> {
        let snapshot = self.snapshot.load_full();
        self.tenant_view(&snapshot, binding)
            .await?
            .pages()
            .page(cursor)
    }

    /// A tool that the active tenant has; its operation mode may still not let it be called.
    ///
    /// # Errors
    /// What the tenant may call cannot be read.
    pub async fn find(
        &self,
        binding: &Binding,
        name: &str,
    ) -> Result<Option<Arc<ToolEntry>>, PublicError> {
        let snapshot = self.snapshot.load_full();
        let view = self.tenant_view(&snapshot, binding).await?;
        Ok(find_entry(&snapshot, &view, name))
    }

    /// A tool of the active tenant, without reading anything: `None` also where nothing is
    /// remembered of the tenant.
    #[must_use]
    pub fn find_at_once(&self, binding: &Binding, name: &str) -> Option<Arc<ToolEntry>> {
        let snapshot = self.snapshot.load_full();
        find_entry(
            &snapshot,
            &*self.cached_tenant_view(&snapshot, binding)?,
            name,
        )
    }

    pub(crate) fn egress(&self) -> &Egress {
        &self.egress
    }

    pub(crate) fn catalogue_snapshot(&self) -> Arc<CatalogueSnapshot> {
        self.snapshot.load_full()
    }

    fn cached_tenant_view(
        &self,
        snapshot: &CatalogueSnapshot,
        binding: &Binding,
    ) -> Option<Arc<TenantView>> {
        let Some(assignments) = &self.assignments else {
            return Some(snapshot.full_view());
        };
        let tenant = binding.tenant();
        snapshot.cached_view(tenant, assignments.changes(tenant), assignments.max_age())
    }

    /// What the active tenant may call.
    pub(crate) async fn tenant_view(
        &self,
        snapshot: &CatalogueSnapshot,
        binding: &Binding,
    ) -> Result<Arc<TenantView>, PublicError> {
        if let Some(view) = self.cached_tenant_view(snapshot, binding) {
            return Ok(view);
        }
        let Some(assignments) = &self.assignments else {
            return Ok(snapshot.full_view());
        };
        let tenant = binding.tenant();
        let read = ReadStamp {
            changes: assignments.changes(tenant),
            at: Instant::now(),
        };
        let rules = assignments.rules();
        let of_tenant = assignments.load(&binding.space()).await.map_err(|error| {
            tracing::error!(%tenant, %error, "what a tenant may call cannot be read");
            let text = "what this tenant may call cannot be read; the log has the reason";
            PublicError::new(ErrorCode::Internal, text)
        })?;
        Ok(snapshot.cache_view(tenant, TenantRights::new(rules, of_tenant), read))
    }

    /// Calls a tool. Every transport comes here.
    ///
    /// # Errors
    /// One of the public codes; a tool's own failure too. Dropping the future, or `options.cancel`,
    /// ends the call.
    pub async fn call(
        &self,
        binding: &Binding,
        name: &str,
        args: ModelArgs,
        options: CallOptions,
    ) -> Result<CallOutcome, PublicError> {
        let outcome = self.begin_call(binding, name, args, options).await;
        if let Err(error) = &outcome
            && matches!(error.code, ErrorCode::RateLimitExceeded | ErrorCode::Busy)
        {
            let tenant = format!("tenant {}", binding.tenant());
            self.refusals
                .record_refusal(&tenant, error.code.as_str(), &error.message);
        }
        outcome
    }

    async fn begin_call(
        &self,
        binding: &Binding,
        name: &str,
        args: ModelArgs,
        options: CallOptions,
    ) -> Result<CallOutcome, PublicError> {
        let started = Instant::now();
        let counted = self.budgets.meter(binding, started).begin(started)?;
        let snapshot = self.snapshot.load_full();
        let view = self.tenant_view(&snapshot, binding).await?;
        let offered = snapshot
            .catalogue
            .get(name)
            .ok_or_else(|| unknown_tool(name))?;
        let CatalogueEntry { entry, served, .. } = offered;
        // One that the tenant does not have is answered as one that nobody has.
        let mode = view.mode(entry).ok_or_else(|| unknown_tool(name))?;
        if !mode.lets_tool(entry.effects.read_only, entry.effects.destructive) {
            return Err(mode_error(mode));
        }
        check_client(entry, options.client)?;
        let deadline = started + served.limits.wall();
        let bytes = served
            .limits
            .arguments_bytes
            .max(served.limits.result_bytes);
        let work = HostWork::new(Some(Arc::clone(counted.meter())), deadline).on_bytes(bytes);
        let arguments = check_arguments(entry, served, args, &work).await?;
        let call = self.next_call.fetch_add(1, Ordering::Relaxed);
        let who = Actor::from(binding);
        let start = Event::CallStarted(CallStarted {
            call,
            who: who.clone(),
            plugin: served.grant.plugin.to_string(),
            digest: served.digest.clone(),
            tool: entry.name.clone(),
            upstream_name: offered
                .pinned
                .as_ref()
                .and_then(|pinned| pinned.upstream_name.clone()),
            read_only: entry.effects.read_only,
            arguments_bytes: arguments.len() as u64,
        });
        let recorded = self.audit.record(&start).await;
        self.require_recorded(
            recorded,
            entry,
            "the call cannot be recorded, so it is not made",
        )?;
        let end = CallFinished {
            call,
            who,
            plugin: served.grant.plugin.to_string(),
            tool: entry.name.clone(),
            outcome: String::new(),
            result_bytes: 0,
            duration_us: 0,
        };
        let end = CallEndRecorder::begin(Arc::clone(&self.audit), end, started);
        let running = AcceptedCall {
            binding,
            offered,
            call,
            mode,
            meter: counted.meter(),
            deadline,
            work: &work,
        };
        let asked = CacheLookup {
            egress: &self.egress,
            binding,
            offered,
            revision: snapshot.catalogue.revision(),
            mode,
            is_resumed: options.resume.is_some(),
        };
        let run = |arguments| self.run(running, arguments, options);
        let (result, is_kept) = self.cached.or_run(asked, arguments, run).await;
        let (outcome, bytes) = match &result {
            Ok((CallOutcome::Complete(_), bytes)) if is_kept => ("cached", *bytes),
            Ok((CallOutcome::Complete(_), bytes)) => ("ok", *bytes),
            Ok((CallOutcome::InputRequired(_), bytes)) => ("input_required", *bytes),
            Err(error) => (error.code.as_str(), 0),
        };
        metrics::counter!("toolhost_calls_total", "outcome" => outcome).increment(1);
        metrics::histogram!("toolhost_call_seconds").record(started.elapsed().as_secs_f64());
        let sentence =
            "the call was made and its end cannot be recorded, so its result is withheld";
        self.require_recorded(end.finish(outcome, bytes), entry, sentence)?;
        result.map(|(outcome, _)| outcome)
    }

    async fn run(
        &self,
        running: AcceptedCall<'_>,
        arguments: String,
        options: CallOptions,
    ) -> Result<(CallOutcome, u64), PublicError> {
        let AcceptedCall {
            binding,
            offered,
            call,
            mode,
            meter,
            deadline,
            work,
        } = running;
        let CatalogueEntry { entry, served, .. } = offered;
        let egress_call = self.egress_call(binding, offered, mode, call, deadline);
        let egress_call = Arc::new(egress_call.with_meter(Arc::clone(meter)));
        let arguments = fill_arguments(entry, arguments, &self.egress, &egress_call, work).await?;
        let purpose = ResumePurpose {
            binding,
            digest: offered.digest(),
            tool: &entry.name,
            arguments: &arguments,
        };
        let (answers, state) = match options.resume {
            None => (Vec::new(), None),
            Some(resume) => {
                let state = purpose.take(&self.states, &resume.state).await?;
                (
                    resume
                        .answers
                        .into_iter()
                        .map(contract::Answer::from)
                        .collect(),
                    Some(state),
                )
            }
        };
        let context = CallContext {
            call,
            binding: binding.clone(),
            plugin: served.grant.plugin.clone(),
            limits: Arc::clone(&served.limits),
            egress: Arc::clone(&egress_call),
            meter: Some(Arc::clone(meter)),
            progress: options.progress,
            log: options.log,
        };
        let invocation = contract::Invocation {
            name: offered.own_name().to_owned(),
            arguments: arguments.clone(),
            answers,
            state,
            meta: Vec::new(),
        };
        let returned = tokio::select! {
            biased;
            () = options.cancel.cancelled() => {
                return Err(PublicError::new(ErrorCode::Cancelled, "the call was cancelled by its caller"));
            }
            returned = offered.invoke(context, invocation) => returned,
        };
        if egress_call.was_blocked() {
            return Err(mode_error(mode));
        }
        let answered = match returned {
            Ok(answered) => answered,
            Err(error) => {
                let public = PublicError::from(&error);
                // What a guest wrote before it trapped is among it.
                let Some(hit) = egress_call.credential_in(public.message.as_bytes()) else {
                    return Err(public);
                };
                self.egress.record_reflection(&egress_call, &hit).await;
                return Err(PublicError::new(
                    public.code,
                    "the plugin trapped, and wrote a credential of one of its connections",
                ));
            }
        };
        let bytes = answered.bytes;
        let answer = Arc::new(answered.outcome);
        let (own, inspected, call) = (
            Arc::clone(&answer),
            Arc::clone(entry),
            Arc::clone(&egress_call),
        );
        let credential_in = move |text: &[u8]| call.credential_in(text);
        let work =
            work.run(move |budget| outcome::inspect(&inspected, &own, &credential_in, budget));
        let cut = |error| work_error(error, served.limits.wall_ms, || outcome::too_large(entry));
        let inspected = work.await.map_err(cut)??;
        // The work has ended, and with it its part of the answer; one that was cut has returned
        // above.
        let answer = Arc::try_unwrap(answer).unwrap_or_else(|shared| shared.as_ref().clone());
        match (inspected, answer) {
            (OutputInspection::Credential(hit), _) => {
                self.egress.record_reflection(&egress_call, &hit).await;
                let sentence = match hit.is_certain {
                    true => {
                        "the tool's result held a credential of one of its connections, so it was withheld"
                    }
                    false => {
                        "the tool's result is encoded so often within itself that it cannot be searched for credentials, so it was \
                         withheld"
                    }
                };
                Err(PublicError::new(ErrorCode::CredentialReflected, sentence))
            }
            (_, Err(failure)) => {
                let mut error = outcome::failure(failure);
                if error.code == ErrorCode::CredentialUnavailable {
                    error.retry_after = egress_call.credential_wait();
                }
                Err(error)
            }
            (OutputInspection::Complete(structured), Ok(contract::Outcome::Complete(output))) => {
                let output = outcome::output(entry, output, structured)?;
                Ok((CallOutcome::Complete(output), bytes))
            }
            (OutputInspection::Requests(requests), Ok(contract::Outcome::InputRequired(asked))) => {
                if let Some(request) = requests
                    .iter()
                    .find(|request| !options.client.has(&request.kind))
                {
                    return Err(input_unsupported_error(&request.kind));
                }
                let state = purpose.seal(&self.states, &asked.state).await?;
                Ok((
                    CallOutcome::InputRequired(InputRequired { requests, state }),
                    bytes,
                ))
            }
            // An answer is inspected as what it is.
            (_, Ok(_)) => Err(PublicError::from(&SandboxError::Internal)),
        }
    }

    /// What cannot be written down does not happen, except for a read where the operator has said
    /// so (T55).
    fn require_recorded(
        &self,
        result: Result<(), SinkError>,
        entry: &ToolEntry,
        sentence: &str,
    ) -> Result<(), PublicError> {
        match result {
            Ok(()) => Ok(()),
            Err(error)
                if entry.effects.read_only && self.audit.on_failure() == OnFailure::ServeReads =>
            {
                tracing::warn!(%error, "a read goes unrecorded");
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "an event cannot be recorded");
                Err(PublicError::new(ErrorCode::AuditUnavailable, sentence))
            }
        }
    }

    /// What the requests of a call go through.
    pub(crate) fn egress_call(
        &self,
        binding: &Binding,
        tool: &CatalogueEntry,
        mode: OperationMode,
        call: u64,
        deadline: Instant,
    ) -> EgressCall {
        let egress_call = self
            .egress()
            .call(binding.clone(), Arc::clone(tool.grant()), call, deadline)
            .of_read_only_tool(tool.entry.effects.read_only)
            .with_mode(mode);
        match &tool.pinned {
            None => egress_call,
            Some(pinned) => egress_call.of_adapter(
                pinned.connection.clone(),
                Some(Arc::clone(&pinned.operation)),
            ),
        }
    }
}

/// A call that was accepted. Stage three of a call: tenant, tool, mode and arguments are decided, and
/// nothing runs yet.
#[derive(Clone, Copy)]
struct AcceptedCall<'a> {
    binding: &'a Binding,
    offered: &'a CatalogueEntry,
    call: u64,
    mode: OperationMode,
    meter: &'a Arc<TenantMeter>,
    deadline: Instant,
    work: &'a HostWork,
}

fn find_entry(
    snapshot: &CatalogueSnapshot,
    view: &TenantView,
    name: &str,
) -> Option<Arc<ToolEntry>> {
    let entry = &snapshot.catalogue.get(name)?.entry;
    view.mode(entry).map(|_| Arc::clone(entry))
}

fn mode_error(mode: OperationMode) -> PublicError {
    let text = format!("the operation mode of this tenant is {mode}, which does not let this");
    PublicError::new(ErrorCode::OperationModeBlocked, text)
}

fn unknown_tool(name: &str) -> PublicError {
    let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    PublicError::new(ErrorCode::NotFound, format!("there is no tool {name:?}"))
}
