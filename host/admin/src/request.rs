use serde::{Deserialize, Serialize};

use crate::operations::*;
use crate::{Admin, AdminError, AdminOperation, CallRequest, ExplainRequest, OperationContext};

/// Declares the requests as they cross the socket: `{"verb": "tenant_add", …}`. A new verb is a
/// file in `operations` and a line here.
macro_rules! requests {
    ($($verb:ident($operation:ty),)*) => {
        /// A request as it crosses the socket.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "verb", rename_all = "snake_case")]
        #[expect(missing_docs, reason = "each is the operation that it holds")]
        pub enum AdminRequest {
            $($verb($operation),)*
        }

        $(impl From<$operation> for AdminRequest {
            fn from(operation: $operation) -> Self {
                Self::$verb(operation)
            }
        })*

        impl AdminRequest {
            /// Whether a secret follows in a frame of its own.
            pub(crate) fn takes_secret(&self) -> bool {
                match self {
                    $(Self::$verb(operation) => operation.takes_secret(),)*
                }
            }

            /// Carries the request out, and gives the answer as JSON.
            pub(crate) async fn carry_out(
                self,
                admin: &Admin,
                context: OperationContext,
            ) -> Result<Vec<u8>, AdminError> {
                match self {
                    $(Self::$verb(operation) => {
                        let answer = operation.carry_out(admin, context).await?;
                        serde_json::to_vec(&answer).map_err(|error| AdminError::internal(error.to_string()))
                    })*
                }
            }
        }
    };
}

requests! {
    Status(GetStatus),
    CredentialSet(SetCredential),
    CredentialRotate(RotateCredential),
    CredentialRemove(RemoveCredential),
    CredentialList(ListCredentials),
    CredentialAccept(AcceptCredentials),
    CredentialShared(ListSharedCredentials),
    StoreCheck(CheckStore),
    StoreBackup(BackUpStore),
    StoreRestore(RestoreTenant),
    KeyRotate(RotateKey),
    MasterRotate(RotateMasterKey),
    AuditVerify(VerifyChains),
    AuditExport(ExportChain),
    TenantAdd(AddTenant),
    TenantSet(SetTenant),
    TenantList(ListTenants),
    TenantShow(ShowTenant),
    TenantMove(MoveTenant),
    TenantSuspend(SuspendTenant),
    TenantResume(ResumeTenant),
    TenantRemove(RemoveTenant),
    PluginAssign(AssignPlugin),
    PluginUnassign(UnassignPlugin),
    PluginList(ListPlugins),
    Explain(ExplainRequest),
    Call(CallRequest),
    ConnectionTest(TestConnection),
    ConnectionLogin(CreateLoginLink),
    QuarantineList(ListQuarantines),
    QuarantineLift(LiftQuarantine),
}
