use serde::Serialize;
use toolhost_identity::Binding;

/// Whose call an event belongs to, copied from its binding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    /// The active tenant.
    pub tenant: String,
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// `client_id` or `azp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// `user` or `machine`.
    pub kind: &'static str,
}

impl From<&Binding> for Who {
    fn from(binding: &Binding) -> Self {
        let principal = binding.principal();
        Self {
            tenant: binding.tenant().as_str().to_owned(),
            issuer: principal.issuer().to_owned(),
            subject: principal.subject().to_owned(),
            client: principal.client().map(str::to_owned),
            kind: principal.kind().as_str(),
        }
    }
}

/// What is recorded. Lengths, codes and names; never a payload.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A tool call was accepted and begins.
    CallStarted(CallStarted),
    /// It ended, one way or another.
    CallFinished(CallFinished),
    /// A request is about to leave the host.
    EgressIntent(EgressIntent),
    /// How it went. A request that was refused has this event alone.
    EgressOutcome(EgressOutcome),
    /// An operator said yes to what a plugin asks for.
    GrantApproved(GrantApproved),
}

/// A tool call begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallStarted {
    /// Unique in this process.
    pub call: u64,
    /// Whose call.
    #[serde(flatten)]
    pub who: Who,
    /// The plugin's name.
    pub plugin: String,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// The tool's name.
    pub tool: String,
    /// Length of the arguments.
    pub arguments_bytes: u64,
}

/// A tool call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallFinished {
    /// As in [`CallStarted`].
    pub call: u64,
    /// Whose call.
    #[serde(flatten)]
    pub who: Who,
    /// The plugin's name.
    pub plugin: String,
    /// The tool's name.
    pub tool: String,
    /// `ok`, `input_required`, or the public error code.
    pub outcome: String,
    /// Length of the result.
    pub result_bytes: u64,
    /// Wall clock.
    pub duration_us: u64,
}

/// A request is about to leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EgressIntent {
    /// The tool call it belongs to.
    pub call: u64,
    /// Whose call.
    #[serde(flatten)]
    pub who: Who,
    /// The plugin's name.
    pub plugin: String,
    /// The connection's name.
    pub connection: String,
    /// The method.
    pub method: String,
    /// The path template, not the path.
    pub path: String,
    /// Where it goes.
    pub address: String,
    /// Length of the request body.
    pub request_bytes: u64,
}

/// How a request went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EgressOutcome {
    /// The tool call it belongs to.
    pub call: u64,
    /// Whose call.
    #[serde(flatten)]
    pub who: Who,
    /// The plugin's name.
    pub plugin: String,
    /// The connection's name.
    pub connection: String,
    /// The method.
    pub method: String,
    /// The path template, not the path.
    pub path: String,
    /// Where it went, once that was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The status, where a response came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// `ok`, or the code of the refusal or failure.
    pub outcome: String,
    /// Whether bytes of the request may have left.
    pub sent: bool,
    /// Length of the response body so far as it was read.
    pub response_bytes: u64,
    /// How often the credential was found in the response.
    pub reflections: u64,
    /// Wall clock, until the head for a streamed response.
    pub duration_us: u64,
}

/// An operator's yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantApproved {
    /// The plugin's name.
    pub plugin: String,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// How it was said: `terminal`, `--yes` or `host.lock`.
    pub by: &'static str,
}
