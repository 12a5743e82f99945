use serde::{Deserialize, Serialize};

use crate::{Admin, AdminError, AdminOperation, OperationContext};

/// Which host answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetStatus {}

impl AdminOperation for GetStatus {
    type Answer = HostStatus;

    async fn carry_out(self, admin: &Admin, _: OperationContext) -> Result<HostStatus, AdminError> {
        Ok(HostStatus {
            pid: std::process::id(),
            version: admin.parts.version.to_owned(),
        })
    }
}

/// The host that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStatus {
    /// Its process id.
    pub pid: u32,
    /// Its version.
    pub version: String,
}
