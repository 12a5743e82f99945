use serde::Serialize;
use toolhost_identity::Binding;

use crate::ChangeAction;

/// Whose call an event belongs to, copied from its binding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Actor {
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

impl From<&Binding> for Actor {
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

/// What is recorded. Lengths, codes, names and versions; never a payload.
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
    /// A credential was set, rotated or removed.
    CredentialChanged(CredentialChanged),
    /// The master key or the key of a space has a new generation.
    KeyRotated(KeyRotated),
    /// The host serves by a configuration from here on.
    ConfigurationLoaded(ConfigurationLoaded),
    /// A tenant was added to, changed in or removed from the directory.
    TenantChanged(TenantChanged),
    /// What a tenant may call was changed.
    AssignmentChanged(AssignmentChanged),
    /// A connection may be used again by a plugin for a tenant.
    QuarantineLifted(QuarantineLifted),
    /// A caller asks for another active tenant, or has it, or was refused it.
    TenantSwitched(TenantSwitched),
    /// The host begins to serve.
    HostStarted(HostStarted),
    /// It ends in good order.
    HostStopped(HostStopped),
    /// A space of the store was put back from a backup.
    SpaceRestored(SpaceRestored),
    /// A space of the store is damaged and not served.
    SpaceQuarantined(SpaceQuarantined),
    /// Requests were refused before anything ran.
    RequestsRefused(RequestsRefused),
    /// The chain goes on after a gap. Written by the chain alone.
    ChainResumed(ChainResumed),
}

/// A tool call begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallStarted {
    /// Unique in this process.
    pub call: u64,
    /// Whose call.
    #[serde(flatten)]
    pub who: Actor,
    /// The plugin's name.
    pub plugin: String,
    /// SHA-256 of the component, in hexadecimal.
    pub digest: String,
    /// The tool's name.
    pub tool: String,
    /// What the described system itself calls it, where that is another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_name: Option<String>,
    /// What the tool says of itself: it changes nothing.
    pub read_only: bool,
    /// Length of the arguments.
    pub arguments_bytes: u64,
}

/// A tool call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallFinished {
    /// The number of the call, as in [`CallStarted`].
    pub call: u64,
    /// Whose call.
    #[serde(flatten)]
    pub who: Actor,
    /// The plugin's name.
    pub plugin: String,
    /// The tool's name.
    pub tool: String,
    /// `ok`, `cached` (the result of an equal call was given again), `input_required`, or the
    /// public error code.
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
    pub who: Actor,
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
    /// The version of the credential that goes along, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_version: Option<u64>,
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
    pub who: Actor,
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
    /// Requests of the call that were refused in the same way or another, of which this one is the
    /// last: they have no record of their own. Absent where there are none.
    #[serde(skip_serializing_if = "is_zero")]
    pub refused_alike: u64,
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

/// A credential of a tenant is another one from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CredentialChanged {
    /// Whose. The event belongs to this tenant's chain.
    pub tenant: String,
    /// The connection it is for.
    pub connection: String,
    /// The user's subject, where the credential is one user's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What was done.
    pub action: ChangeAction,
    /// The version that it has from here on, or had.
    pub version: u64,
    /// Who did it: an operating system's user, or a caller's subject.
    pub by: String,
}

/// A key has a new generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyRotated {
    /// The tenant, where the key is one tenant's. The event belongs to that tenant's chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// `master` or `space`.
    pub what: &'static str,
    /// The generation from here on.
    pub generation: u32,
}

/// What the host serves by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigurationLoaded {
    /// SHA-256 of the configuration, in hexadecimal.
    pub digest: String,
}

/// The directory of tenants. In the host's chain, which outlasts the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TenantChanged {
    /// Which.
    pub tenant: String,
    /// What was done.
    pub action: ChangeAction,
    /// Under which it stands from here on, where the change says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Who did it: an operating system's user, or a caller's subject.
    pub by: String,
    /// `false` in the record that comes before the change. One that no record with `true` follows
    /// was refused or broken off.
    pub done: bool,
}

/// What a tenant may call. The event belongs to that tenant's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AssignmentChanged {
    /// Whose.
    pub tenant: String,
    /// Which plugin; absent where the tenant's operation mode is what was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// What was done: set or removed.
    pub action: ChangeAction,
    /// The tools from here on, where they are not all of the plugin's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// The operation mode from here on, where one was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<&'static str>,
    /// Who did it: an operating system's user.
    pub by: String,
    /// `false` in the record that comes before the change. One that no record with `true` follows
    /// was refused or broken off.
    pub done: bool,
}

/// A plugin may use a connection of a tenant again whose answers have held the credential. The
/// event belongs to that tenant's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QuarantineLifted {
    /// Whose credential.
    pub tenant: String,
    /// Which plugin.
    pub plugin: String,
    /// Which connection.
    pub connection: String,
    /// Who did it: an operating system's user.
    pub by: String,
    /// `false` in the record that comes before the change. One that no record with `true` follows
    /// was refused or broken off.
    pub done: bool,
}

/// A switch of the active tenant, or a reset. In the host's chain: it concerns two tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TenantSwitched {
    /// `iss` of who asks.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
    /// `client_id` or `azp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// `user` or `machine`.
    pub kind: &'static str,
    /// The tenant that was active; none where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The tenant that is asked for; none where what was asked for is no tenant's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// `switch` or `reset`.
    pub action: &'static str,
    /// Which authority decides: `local`, `http` or `token-exchange`.
    pub by: &'static str,
    /// `asked` in the record that comes before anything is sent or changed; then `done`, or the
    /// code of the refusal. One that nothing follows was broken off.
    pub outcome: String,
}

/// The host begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostStarted {
    /// The host's version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
}

/// The host ends. A [`HostStarted`] without it before the next one is a host that was killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostStopped {
    /// Its process id.
    pub pid: u32,
}

/// Requests were refused before anything ran: for their tokens, or for what their tenant has used.
/// A bounded number of these events is written a minute; the rest is summed up in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestsRefused {
    /// The address, or the tenant; absent in the event that sums up others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Why, in one word; absent in the event that sums up others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// How many.
    pub count: u64,
}

/// A space was put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpaceRestored {
    /// The tenant, where the space is one tenant's. The event belongs to that tenant's chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Who did it.
    pub by: String,
}

/// A space is not served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpaceQuarantined {
    /// The tenant, where the space is one tenant's. The event belongs to that tenant's chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// What was found, without any value.
    pub found: String,
}

/// The chain goes on, and says what is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainResumed {
    /// Bytes of an incomplete record that were cut off.
    pub dropped_bytes: u64,
    /// Records that were refused since the one before, and that whoever made them was told of.
    pub refused: u64,
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
