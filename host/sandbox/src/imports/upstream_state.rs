use super::kv::failure;
use crate::bindings::toolhost::plugin::types::Failure;
use crate::bindings::toolhost::plugin::upstream_state::{Entry, Host};
use crate::state::HostState;

/// Nothing is kept for any call.
fn denied() -> Failure {
    failure("denied", "nothing is kept for this call")
}

impl Host for HostState {
    fn get(&mut self) -> wasmtime::Result<Result<Option<Entry>, Failure>> {
        Ok(Err(denied()))
    }

    fn set(&mut self, _: Option<u64>, _: Option<Vec<u8>>) -> wasmtime::Result<Result<u64, Failure>> {
        Ok(Err(denied()))
    }

    fn on_cancel(&mut self, _: Vec<u8>) -> wasmtime::Result<Result<(), Failure>> {
        Ok(Err(denied()))
    }
}
