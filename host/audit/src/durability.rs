use serde::Serialize;

use crate::Event;

/// How safe a record is once [`Sink::record`](crate::Sink::record) has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// In the host's memory, until the next record of its chain or for half a second: the start of
    /// a call that changes nothing, whose end follows before its answer leaves the host. Lost when
    /// the host is killed.
    Held,
    /// With the operating system: outlasts the host, also when it is killed. On the disk with the
    /// next synced record, or within a second.
    Grouped,
    /// On the disk.
    Synced,
}

/// What was done to what an operator keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeAction {
    /// There was none, or its description was another.
    Set,
    /// Another one took its place.
    Rotate,
    /// There is none any more.
    Remove,
    /// A tenant is there from here on.
    Add,
    /// A tenant, and all below it, stand under another one, or under none.
    Move,
    /// A tenant, and all below it, are not served.
    Suspend,
    /// They are again.
    Resume,
}

impl Event {
    /// What this event needs before it counts as recorded.
    #[must_use]
    pub fn durability(&self) -> Durability {
        match self {
            Self::CallStarted(call) if call.read_only => Durability::Held,
            Self::EgressIntent(intent) if is_safe(&intent.method) => Durability::Grouped,
            Self::CallStarted(_)
            | Self::CallFinished(_)
            | Self::EgressOutcome(_)
            | Self::RequestsRefused(_)
            | Self::TenantSwitched(_) => Durability::Grouped,
            Self::EgressIntent(_)
            | Self::GrantApproved(_)
            | Self::CredentialChanged(_)
            | Self::KeyRotated(_)
            | Self::ConfigurationLoaded(_)
            | Self::TenantChanged(_)
            | Self::AssignmentChanged(_)
            | Self::QuarantineLifted(_)
            | Self::HostStarted(_)
            | Self::HostStopped(_)
            | Self::SpaceRestored(_)
            | Self::SpaceQuarantined(_)
            | Self::ChainResumed(_) => Durability::Synced,
        }
    }
}

/// Whether a method asks for no change (RFC 9110, 9.2.1). Methods are compared as they are written:
/// case matters.
#[must_use]
pub fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}
