use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::io::poll::Pollable;

use super::HttpExchange;
use crate::bindings::toolhost::plugin::http_polling::Host;
use crate::state::HostState;

impl Host for HostState {
    fn subscribe(
        &mut self,
        exchange: Resource<HttpExchange>,
    ) -> wasmtime::Result<Resource<Pollable>> {
        wasmtime_wasi::p2::subscribe(&mut self.table, exchange)
    }
}
