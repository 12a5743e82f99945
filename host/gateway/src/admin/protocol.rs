use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toolhost_audit::VerifyReport;
use toolhost_policy::OperationMode;

use super::{
    CallEnd, CallRequest, ConnectionTestReport, ExplainRequest, Explanation, PluginRow, QuarantineRow,
    SharedSecretRow, TenantAnswer, TenantRemovalReport, TenantRow,
};
use crate::connect::LoginLink;

/// What the host's own space and chain are called. No tenant is: a tenant's id has no upper case.
pub const HOST: &str = "HOST";

/// Whose credential among a tenant's users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserName {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
}

/// What an operator asks for. A secret never stands in it: it goes in a frame of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum AdminRequest {
    /// Whether a host runs, and which.
    Status {},
    /// Stores a credential; the secret follows.
    CredentialSet {
        /// Whose.
        tenant: String,
        /// For which connection.
        connection: String,
        /// Whose among the tenant's users.
        user: Option<UserName>,
        /// What goes with it.
        attributes: Option<BTreeMap<String, String>>,
        /// When it ends, in Unix seconds.
        expires_at: Option<u64>,
    },
    /// Gives a stored credential a new secret; the secret follows. Attributes are kept unless given.
    CredentialRotate {
        /// Whose.
        tenant: String,
        /// For which connection.
        connection: String,
        /// Whose among the tenant's users.
        user: Option<UserName>,
        /// What goes with it from now on.
        attributes: Option<BTreeMap<String, String>>,
        /// When it ends, in Unix seconds.
        expires_at: Option<u64>,
    },
    /// Removes a credential.
    CredentialRemove {
        /// Whose.
        tenant: String,
        /// For which connection.
        connection: String,
        /// Whose among the tenant's users.
        user: Option<UserName>,
    },
    /// Lists credentials, of one tenant or of all.
    CredentialList {
        /// Of which.
        tenant: Option<String>,
    },
    /// Takes a tenant's credentials as a restored backup has them.
    CredentialAccept {
        /// Whose.
        tenant: String,
    },
    /// Reads and verifies every record, of one tenant or of all spaces.
    StoreCheck {
        /// Of which.
        tenant: Option<String>,
    },
    /// Writes a backup into an empty directory.
    StoreBackup {
        /// Where, as an absolute path.
        directory: PathBuf,
    },
    /// Brings one tenant back from a backup.
    StoreRestore {
        /// The backup, as an absolute path.
        directory: PathBuf,
        /// Which.
        tenant: String,
    },
    /// A new generation of a tenant's key, or of the host's; everything is sealed anew and the old one destroyed.
    KeyRotate {
        /// Whose; the host's own where it is left out.
        tenant: Option<String>,
    },
    /// A new master key: the spaces' keys are wrapped anew.
    MasterRotate {},
    /// Verifies the audit chains, one or all.
    AuditVerify {
        /// [`HOST`], or a tenant.
        chain: Option<String>,
        /// The last line of an earlier export: the chain must still reach it.
        head: Option<String>,
    },
    /// Sends the records of a chain and a last line with its head.
    AuditExport {
        /// [`HOST`], or a tenant.
        chain: String,
        /// The first record.
        from: u64,
        /// The last.
        to: u64,
    },
    /// Adds a tenant to the directory and makes its space.
    TenantAdd {
        /// Its id.
        tenant: String,
        /// Below which.
        parent: Option<String>,
        /// What people call it.
        name: Option<String>,
        /// What identity providers call it.
        keys: Vec<String>,
        /// It was removed, and is added with what a backup brought back.
        #[serde(default)]
        restored: bool,
    },
    /// Changes what a tenant is called, and how far its tools may go.
    TenantSet {
        /// Which.
        tenant: String,
        /// By people; as it was where it is left out.
        name: Option<String>,
        /// By identity providers; as it was where it is left out.
        keys: Option<Vec<String>>,
        /// How far its tools may go; as it was where it is left out.
        mode: Option<OperationMode>,
    },
    /// Lists the directory.
    TenantList {},
    /// Shows one tenant.
    TenantShow {
        /// Which.
        tenant: String,
    },
    /// Moves a tenant and all below it.
    TenantMove {
        /// Which.
        tenant: String,
        /// Below which; a root where it is left out.
        parent: Option<String>,
    },
    /// Refuses the calls of a tenant and of all below it.
    TenantSuspend {
        /// Which.
        tenant: String,
    },
    /// Serves them again.
    TenantResume {
        /// Which.
        tenant: String,
    },
    /// Removes a tenant with its key and its space.
    TenantRemove {
        /// Which.
        tenant: String,
    },
    /// Says what a tenant has of a plugin.
    PluginAssign {
        /// Of which.
        plugin: String,
        /// Who.
        tenant: String,
        /// These tools alone; all where it is left out.
        tools: Option<Vec<String>>,
        /// How far they may go, where that is less than elsewhere.
        mode: Option<OperationMode>,
    },
    /// Takes a plugin from a tenant.
    PluginUnassign {
        /// Which.
        plugin: String,
        /// From whom.
        tenant: String,
    },
    /// Says what would become of a request, which is not made; the caller's token follows.
    Explain(ExplainRequest),
    /// Calls a tool; the token follows where there is one. Reports come before the answer.
    Call(CallRequest),
    /// Tries a connection for a tenant.
    ConnectionTest {
        /// Which.
        connection: String,
        /// For whom.
        tenant: String,
        /// For whom among the tenant's users.
        user: Option<UserName>,
    },
    /// Makes a link where a caller connects an account of their own; the caller's token follows.
    ConnectionLogin {
        /// To which connection.
        connection: String,
    },
    /// Lists of which plugins and connections answers have held the credential, of one tenant or of all.
    QuarantineList {
        /// Of which.
        tenant: Option<String>,
    },
    /// Lets a plugin, or all of them, use a connection of a tenant again.
    QuarantineLift {
        /// Which.
        connection: String,
        /// Whose.
        tenant: String,
        /// Which plugin; all where it is left out.
        plugin: Option<String>,
    },
    /// Lists the credentials that tenants share.
    CredentialShared {},
    /// Lists what every tenant, or one of them, has of each plugin.
    PluginList {
        /// Which.
        tenant: Option<String>,
    },
}

impl AdminRequest {
    /// Whether a secret follows in a frame of its own.
    #[must_use]
    pub fn takes_secret(&self) -> bool {
        let has_token = matches!(self, Self::Call(call) if call.has_token);
        has_token
            || self.is_of_credential()
            || matches!(self, Self::Explain(_) | Self::ConnectionLogin { .. })
    }

    /// Whether it stores a credential, whose tenant is to be there then.
    #[must_use]
    pub fn is_of_credential(&self) -> bool {
        matches!(self, Self::CredentialSet { .. } | Self::CredentialRotate { .. })
    }

    /// Whether it names plugins, so that it is to be known which there are.
    #[must_use]
    pub fn names_plugins(&self) -> bool {
        matches!(
            self,
            Self::PluginAssign { .. } | Self::PluginUnassign { .. } | Self::PluginList { .. }
        )
    }

    /// The tenant of which it keeps the first thing, so that a data directory is made for it where there is none.
    #[must_use]
    pub fn tenant_to_create(&self) -> Option<&str> {
        match self {
            Self::CredentialSet { tenant, .. } | Self::TenantAdd { tenant, .. } => Some(tenant),
            _ => None,
        }
    }
}

/// A credential, as an operator may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialRow {
    /// Whose.
    pub tenant: String,
    /// For which connection.
    pub connection: String,
    /// Whose among the tenant's users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserName>,
    /// Grows with every change of the tenant's credentials.
    pub version: u64,
    /// Tells secrets of a tenant apart and says nothing about any.
    pub fingerprint: String,
    /// Unix seconds.
    pub created_at: u64,
    /// Unix seconds.
    pub rotated_at: u64,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Unix seconds, to a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<u64>,
    /// What goes with it.
    pub attributes: BTreeMap<String, String>,
}

/// A credential that is there and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusableRow {
    /// Whose.
    pub tenant: String,
    /// Which.
    pub name: String,
    /// Why.
    pub why: String,
}

/// What is kept for one tenant or for all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CredentialAnswer {
    /// Those that calls can use.
    pub credentials: Vec<CredentialRow>,
    /// The others.
    pub unusable: Vec<UnusableRow>,
}

/// What was found of a space, or done with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceRow {
    /// [`HOST`], or the tenant.
    pub space: String,
    /// How many records.
    pub records: u64,
    /// Their bytes, sealed.
    pub bytes: u64,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What a chain was found to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainReport {
    /// [`HOST`], or the tenant.
    pub chain: String,
    /// How many records.
    pub records: u64,
    /// In how many segments.
    pub segments: u64,
    /// What is wrong.
    pub problems: Vec<String>,
}

impl ChainReport {
    pub(super) fn from_report(chain: String, report: &VerifyReport) -> Self {
        let mut problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        if report.more_problems > 0 {
            problems.push(format!("and {} more", report.more_problems));
        }
        Self {
            chain,
            records: report.records,
            segments: report.segments,
            problems,
        }
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AdminResponse {
    /// The host that answers.
    Status {
        /// Its process id.
        pid: u32,
        /// Its version.
        version: String,
    },
    /// A credential was set or rotated, and is this one now.
    Credential(CredentialRow),
    /// Whether there was one.
    Removed(bool),
    /// All that were asked for.
    Credentials(CredentialAnswer),
    /// The spaces, checked, written or brought back.
    Spaces(Vec<SpaceRow>),
    /// How many records and keys were sealed anew.
    Resealed {
        /// Records, credentials or keys.
        count: u64,
        /// Which generation they have now; 0 for the master key, which has none.
        generation: u32,
    },
    /// The chains, verified.
    Chains(Vec<ChainReport>),
    /// A tenant, as it stands now.
    Tenant(TenantAnswer),
    /// All tenants, in order of their ids.
    Tenants(Vec<TenantRow>),
    /// Plugins, in order of their names.
    Plugins(Vec<PluginRow>),
    /// Plugins and connections of which answers have held the credential.
    Quarantines(Vec<QuarantineRow>),
    /// What would become of a request.
    Explained(Explanation),
    /// How far a call came.
    Called(CallEnd),
    /// What a test came to.
    Tested(ConnectionTestReport),
    /// Where a caller connects an account.
    Link(LoginLink),
    /// Which credentials tenants share.
    Shared(Vec<SharedSecretRow>),
    /// What was removed.
    TenantRemoved(TenantRemovalReport),
    /// How many records were sent before this.
    Exported(u64),
    /// It was done.
    Done,
}
