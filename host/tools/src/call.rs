use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use toolhost_audit::{CallFinished, CallStarted, Event, OnFailure, Sink, SinkError, Who};
use toolhost_egress::Egress;
use toolhost_identity::Binding;
use toolhost_policy::{ErrorCode, Limit, PublicError};
use toolhost_sandbox::{CallContext, ProgressSink, contract};

use crate::catalogue::{Offered, Served};
use crate::end::End;
use crate::schema::names_a_tenant;
use crate::seal::{Purpose, Sealer};
use crate::{CallOutcome, Catalogue, InputRequired, ModelArgs, ToolEntry, ToolPage, outcome};

/// What a door brings to a call, beside who calls what.
#[derive(Clone, Default)]
pub struct CallOptions {
    /// Who hears of its progress.
    pub progress: Option<Arc<dyn ProgressSink>>,
    /// Ends the call.
    pub cancel: CancellationToken,
    /// Answers to what the tool asked.
    pub resume: Option<Resume>,
    /// What the client can do.
    pub client: ClientCapabilities,
}

impl std::fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallOptions")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// What a client said that it can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClientCapabilities {
    /// Ask its user.
    pub elicitation: bool,
    /// Ask its model.
    pub sampling: bool,
}

impl ClientCapabilities {
    fn has(self, kind: &str) -> bool {
        match kind {
            "elicitation" => self.elicitation,
            "sampling" => self.sampling,
            _ => false,
        }
    }
}

/// A call that goes on.
#[derive(Debug, Clone)]
pub struct Resume {
    /// One for each question.
    pub answers: Vec<Answer>,
    /// As [`InputRequired::state`] gave it.
    pub state: String,
}

/// The answer to one question.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The question's.
    pub id: String,
    /// `accept`, `decline` or `cancel`.
    pub action: String,
    /// What was answered.
    pub content: Option<Value>,
}

/// The catalogue and the one way to call what is in it.
pub struct Tools {
    catalogue: ArcSwap<Catalogue>,
    egress: Arc<Egress>,
    audit: Arc<dyn Sink>,
    sealer: Sealer,
    next_call: AtomicU64,
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
    pub fn new(catalogue: Catalogue, egress: Arc<Egress>, audit: Arc<dyn Sink>) -> Result<Self, PublicError> {
        let sealer = Sealer::new()
            .map_err(|error| PublicError::new(ErrorCode::Internal, format!("no random numbers: {error}")))?;
        Ok(Self {
            catalogue: ArcSwap::from_pointee(catalogue),
            egress,
            audit,
            sealer,
            next_call: AtomicU64::new(1),
        })
    }

    /// Another catalogue takes the place of the present one. Calls that run end as they began.
    pub fn swap(&self, catalogue: Catalogue) {
        self.catalogue.store(Arc::new(catalogue));
    }

    /// Of the present catalogue.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.catalogue.load().revision()
    }

    /// A page of the tools that this caller may see: the same `Arc` for the same cursor, as long as the catalogue
    /// stands.
    ///
    /// # Errors
    /// The cursor is of no page of the present list.
    pub fn list(&self, _binding: &Binding, cursor: Option<&str>) -> Result<Arc<ToolPage>, PublicError> {
        self.catalogue.load().page(cursor)
    }

    /// A tool that this caller may see.
    #[must_use]
    pub fn find(&self, _binding: &Binding, name: &str) -> Option<Arc<ToolEntry>> {
        self.catalogue
            .load()
            .get(name)
            .map(|offered| Arc::clone(&offered.entry))
    }

    /// Calls a tool. Every door comes here.
    ///
    /// # Errors
    /// One of the public codes; a tool's own failure too. Dropping the future, or `options.cancel`, ends the call.
    pub async fn call(
        &self,
        binding: &Binding,
        name: &str,
        args: ModelArgs,
        options: CallOptions,
    ) -> Result<CallOutcome, PublicError> {
        let started = Instant::now();
        let catalogue = self.catalogue.load_full();
        let Offered { entry, served } = catalogue.get(name).ok_or_else(|| unknown_tool(name))?;
        check_client(entry, options.client)?;
        let arguments = check_arguments(entry, served, args)?;
        let call = self.next_call.fetch_add(1, Ordering::Relaxed);
        let who = Who::from(binding);
        let start = Event::CallStarted(CallStarted {
            call,
            who: who.clone(),
            plugin: served.grant.plugin.to_string(),
            digest: served.digest.clone(),
            tool: entry.name.clone(),
            read_only: entry.effects.read_only,
            arguments_bytes: arguments.len() as u64,
        });
        let recorded = self.audit.record(&start).await;
        self.recorded(recorded, entry, "the call cannot be recorded, so it is not made")?;
        let end = CallFinished {
            call,
            who,
            plugin: served.grant.plugin.to_string(),
            tool: entry.name.clone(),
            outcome: String::new(),
            result_bytes: 0,
            duration_us: 0,
        };
        let end = End::begin(Arc::clone(&self.audit), end, started);
        let result = self.run(binding, entry, served, call, arguments, options).await;
        let (outcome, bytes) = match &result {
            Ok((CallOutcome::Complete(_), bytes)) => ("ok", *bytes),
            Ok((CallOutcome::InputRequired(_), bytes)) => ("input_required", *bytes),
            Err(error) => (error.code.as_str(), 0),
        };
        metrics::counter!("toolhost_calls_total", "outcome" => outcome).increment(1);
        metrics::histogram!("toolhost_call_seconds").record(started.elapsed().as_secs_f64());
        let sentence = "the call was made and its end cannot be recorded, so its result is withheld";
        self.recorded(end.finish(outcome, bytes), entry, sentence)?;
        result.map(|(outcome, _)| outcome)
    }

    async fn run(
        &self,
        binding: &Binding,
        entry: &ToolEntry,
        served: &Arc<Served>,
        call: u64,
        arguments: String,
        options: CallOptions,
    ) -> Result<(CallOutcome, u64), PublicError> {
        let purpose = Purpose {
            binding,
            digest: &served.digest,
            tool: &entry.name,
            arguments: &arguments,
        };
        let (answers, state) = match options.resume {
            None => (Vec::new(), None),
            Some(resume) => {
                let state = self.sealer.open(&purpose, &resume.state, now()).ok_or_else(|| {
                    PublicError::new(
                        ErrorCode::InvalidRequest,
                        "the state of this call is not valid here: used, late, or of another caller, tool or arguments",
                    )
                    .about("state")
                })?;
                (resume.answers.into_iter().map(answer).collect(), Some(state))
            }
        };
        let deadline = Instant::now() + served.limits.wall();
        let egress_call = Arc::new(
            self.egress
                .call(binding.clone(), Arc::clone(&served.grant), call, deadline)
                .of_read_only_tool(entry.effects.read_only),
        );
        let context = CallContext {
            call,
            binding: binding.clone(),
            plugin: served.grant.plugin.clone(),
            limits: Arc::clone(&served.limits),
            egress: Arc::clone(&egress_call),
            progress: options.progress,
        };
        let invocation = contract::Invocation {
            name: entry.name.clone(),
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
            returned = served.plugin.invoke(context, invocation) => returned,
        };
        let answered = returned.map_err(|error| PublicError::from(&error))?;
        let bytes = answered.bytes;
        if outcome::texts(&answered.outcome).any(|text| egress_call.holds_credential(text)) {
            return Err(PublicError::new(
                ErrorCode::CredentialReflected,
                "the tool's result held a credential of one of its connections, so it was withheld",
            ));
        }
        match answered.outcome {
            Err(failure) => Err(outcome::failure(failure)),
            Ok(contract::Outcome::Complete(output)) => {
                Ok((CallOutcome::Complete(outcome::output(entry, output)?), bytes))
            }
            Ok(contract::Outcome::InputRequired(asked)) => {
                let requests = outcome::requests(asked.requests, &asked.state)?;
                if let Some(request) = requests.iter().find(|request| !options.client.has(&request.kind)) {
                    return Err(input_unsupported(&request.kind));
                }
                let state = self.sealer.seal(&purpose, &asked.state, now()).ok_or_else(|| {
                    PublicError::new(ErrorCode::Internal, "the state of the call cannot be sealed")
                })?;
                Ok((
                    CallOutcome::InputRequired(InputRequired { requests, state }),
                    bytes,
                ))
            }
        }
    }

    /// What cannot be written down does not happen, except for a read where the operator has said so (T55).
    fn recorded(
        &self,
        result: Result<(), SinkError>,
        entry: &ToolEntry,
        sentence: &str,
    ) -> Result<(), PublicError> {
        match result {
            Ok(()) => Ok(()),
            Err(error) if entry.effects.read_only && self.audit.on_failure() == OnFailure::ServeReads => {
                tracing::warn!(%error, "a read goes unrecorded");
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "an event cannot be recorded");
                Err(PublicError::new(ErrorCode::AuditUnavailable, sentence))
            }
        }
    }
}

fn unknown_tool(name: &str) -> PublicError {
    let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    PublicError::new(ErrorCode::NotFound, format!("there is no tool {name:?}"))
}

fn check_client(entry: &ToolEntry, client: ClientCapabilities) -> Result<(), PublicError> {
    match entry.requires.iter().find(|kind| !client.has(kind)) {
        None => Ok(()),
        Some(kind) => Err(input_unsupported(kind)),
    }
}

fn input_unsupported(kind: &str) -> PublicError {
    PublicError::new(
        ErrorCode::InputUnsupported,
        format!("the tool needs a client that offers {kind}"),
    )
    .about(kind)
}

/// The arguments as the guest gets them, once they fit the tool's schema.
fn check_arguments(entry: &ToolEntry, served: &Served, args: ModelArgs) -> Result<String, PublicError> {
    let value = args.into_value();
    let text = value.to_string();
    let max = served.limits.arguments_bytes;
    if text.len() as u64 > max {
        let message = format!(
            "the arguments have {} bytes, more than {max} ([limits] arguments_bytes)",
            text.len()
        );
        return Err(PublicError::new(ErrorCode::LimitExceeded, message).about(Limit::arguments_bytes.key()));
    }
    // A schema may be open to any member; not to this one (N19).
    if let Some(name) = value
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .find(|name| names_a_tenant(name))
    {
        let message = "the tenant is no argument: it comes from the caller's token";
        return Err(PublicError::new(ErrorCode::InvalidArguments, message).about(format!("/{name}")));
    }
    entry.arguments.check(&value).map_err(|(sentence, place)| {
        let error = PublicError::new(ErrorCode::InvalidArguments, sentence);
        if place.is_empty() {
            error
        } else {
            error.about(place)
        }
    })?;
    Ok(text)
}

fn answer(answer: Answer) -> contract::Answer {
    contract::Answer {
        id: answer.id,
        action: answer.action,
        content: answer.content.map(|content| content.to_string()),
        meta: Vec::new(),
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}
