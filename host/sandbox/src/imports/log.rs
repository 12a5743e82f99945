use std::sync::PoisonError;

use crate::bindings::toolhost::plugin::log::Host;
use crate::state::HostState;

impl Host for HostState {
    fn emit(&mut self, level: String, message: String) -> wasmtime::Result<()> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .line(&level, &message);
        Ok(())
    }
}
