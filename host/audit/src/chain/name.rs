use std::fmt;
use std::path::{Path, PathBuf};

use toolhost_identity::TenantId;

use crate::{Event, SinkError};

/// Which chain: the host's own, or one tenant's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Chain {
    /// What belongs to no tenant: grants, configuration, the directory.
    Host,
    /// What one tenant's callers did, and what was done to what is its own.
    Tenant(TenantId),
}

impl Chain {
    /// The text that is sealed into the chain, so that the files of one are never taken for
    /// another's. No tenant's is the host's: a tenant's id has no upper case.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Host => "HOST".to_owned(),
            Self::Tenant(tenant) => format!("tenant:{tenant}"),
        }
    }

    /// The chain's own directory below `root`, which is `audit` in the data directory.
    #[must_use]
    pub fn directory(&self, root: &Path) -> PathBuf {
        match self {
            Self::Host => root.join("host"),
            Self::Tenant(tenant) => root.join("tenants").join(tenant.as_str()),
        }
    }

    /// Every chain that there is below `root`, the host's first.
    ///
    /// # Errors
    /// A directory cannot be read.
    pub fn all(root: &Path) -> std::io::Result<Vec<Self>> {
        let mut found = Vec::new();
        if Self::Host.directory(root).is_dir() {
            found.push(Self::Host);
        }
        match std::fs::read_dir(root.join("tenants")) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(entries) => {
                for entry in entries {
                    let name = entry?.file_name();
                    found.extend(
                        name.to_str()
                            .and_then(|name| TenantId::parse(name).ok())
                            .map(Self::Tenant),
                    );
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("the host"),
            Self::Tenant(tenant) => write!(f, "tenant {tenant}"),
        }
    }
}

impl Event {
    /// The chain that this event belongs to.
    ///
    /// # Errors
    /// What it names as its tenant is not a tenant's name. It never becomes a path.
    pub fn chain(&self) -> Result<Chain, SinkError> {
        let tenant = match self {
            Self::CallStarted(event) => Some(&event.who.tenant),
            Self::CallFinished(event) => Some(&event.who.tenant),
            Self::EgressIntent(event) => Some(&event.who.tenant),
            Self::EgressOutcome(event) => Some(&event.who.tenant),
            Self::CredentialChanged(event) => Some(&event.tenant),
            Self::AssignmentChanged(event) => Some(&event.tenant),
            Self::QuarantineLifted(event) => Some(&event.tenant),
            Self::KeyRotated(event) => event.tenant.as_ref(),
            Self::SpaceRestored(event) => event.tenant.as_ref(),
            Self::SpaceQuarantined(event) => event.tenant.as_ref(),
            Self::GrantApproved(_)
            | Self::ConfigurationLoaded(_)
            | Self::TenantChanged(_)
            | Self::TenantSwitched(_)
            | Self::HostStarted(_)
            | Self::HostStopped(_)
            | Self::RequestsRefused(_)
            | Self::ChainResumed(_) => None,
        };
        match tenant {
            None => Ok(Chain::Host),
            Some(tenant) => TenantId::parse(tenant)
                .map(Chain::Tenant)
                .map_err(|error| SinkError::Event(error.to_string())),
        }
    }
}
