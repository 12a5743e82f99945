use std::sync::Arc;

use crate::{Admin, AdminError, AdminOperation, CallEnd, CallLines, CallRequest, OperationContext};

impl AdminOperation for CallRequest {
    type Answer = CallEnd;

    async fn carry_out(
        self,
        admin: &Admin,
        context: OperationContext,
    ) -> Result<CallEnd, AdminError> {
        let lines = Arc::new(CallLines(context.lines));
        admin
            .host_operations()?
            .call(self, context.secret, lines)
            .await
    }

    fn takes_secret(&self) -> bool {
        self.has_token
    }
}
