use std::sync::Arc;

use toolhost_egress::{Egress, EgressCall, UpstreamStateError};

use super::kv::failure;
use crate::bindings::toolhost::plugin::types::Failure;
use crate::bindings::toolhost::plugin::upstream_state::{Entry, Host};
use crate::state::HostState;

fn upstream_state_failure(error: UpstreamStateError) -> Failure {
    failure(error.code(), error.to_string())
}

impl HostState {
    /// Where the call's values are, and one operation less to spend.
    fn upstream(&mut self) -> Result<(Arc<Egress>, Arc<EgressCall>), Failure> {
        let Some(call) = self.scope.as_mut() else {
            return Err(failure(
                "denied",
                "nothing is kept while a document is read",
            ));
        };
        let Some(left) = call.upstream_calls_left.checked_sub(1) else {
            return Err(failure(
                "limit",
                "the call has asked too often for what is kept of its upstream",
            ));
        };
        call.upstream_calls_left = left;
        Ok((Arc::clone(&call.egress), Arc::clone(&call.context.egress)))
    }
}

impl Host for HostState {
    async fn get(&mut self) -> wasmtime::Result<Result<Option<Entry>, Failure>> {
        let (egress, call) = match self.upstream() {
            Ok(reached) => reached,
            Err(failure) => return Ok(Err(failure)),
        };
        let found = egress
            .upstream_state(&call)
            .await
            .map_err(upstream_state_failure);
        Ok(found.map(|state| {
            state.map(|state| Entry {
                value: state.value,
                version: state.version,
            })
        }))
    }

    async fn set(
        &mut self,
        expected: Option<u64>,
        value: Option<Vec<u8>>,
    ) -> wasmtime::Result<Result<u64, Failure>> {
        Ok(match self.upstream() {
            Ok((egress, call)) => egress
                .set_upstream_state(&call, expected, value)
                .await
                .map_err(upstream_state_failure),
            Err(failure) => Err(failure),
        })
    }

    async fn on_cancel(&mut self, note: Vec<u8>) -> wasmtime::Result<Result<(), Failure>> {
        Ok(match self.upstream() {
            Ok((_, call)) => call.on_cancel(note).map_err(upstream_state_failure),
            Err(failure) => Err(failure),
        })
    }
}
