use serde::{Deserialize, Serialize};
use toolhost_gateway::connect::LoginLink;

use crate::{Admin, AdminError, AdminOperation, OperationContext};

/// Makes a link where a caller connects an account of their own; the caller's token follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateLoginLink {
    /// To which connection.
    pub connection: String,
}

impl AdminOperation for CreateLoginLink {
    type Answer = LoginLink;

    async fn carry_out(
        self,
        admin: &Admin,
        mut context: OperationContext,
    ) -> Result<LoginLink, AdminError> {
        let token = context.secret("the token did not follow")?;
        admin
            .host_operations()?
            .link(&self.connection, &token)
            .await
    }

    fn takes_secret(&self) -> bool {
        true
    }
}
