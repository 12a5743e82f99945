use crate::{Admin, AdminError, AdminOperation, ExplainRequest, Explanation, OperationContext};

impl AdminOperation for ExplainRequest {
    type Answer = Explanation;

    async fn carry_out(
        self,
        admin: &Admin,
        mut context: OperationContext,
    ) -> Result<Explanation, AdminError> {
        let token = context.secret("the token did not follow")?;
        admin.host_operations()?.explain(&self, &token).await
    }

    fn takes_secret(&self) -> bool {
        true
    }
}
