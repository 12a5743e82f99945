use crate::bindings::toolhost::plugin::progress::Host;
use crate::log_lines::clean;
use crate::state::HostState;

/// A message is shown beside a bar.
const MAX_MESSAGE: usize = 1_024;

impl Host for HostState {
    fn report(&mut self, done: f64, total: Option<f64>, message: Option<String>) -> wasmtime::Result<()> {
        if let Some(progress) = self.scope.as_ref().and_then(|scope| scope.progress())
            && done.is_finite()
            && total.is_none_or(f64::is_finite)
        {
            progress.report(done, total, message.map(|message| clean(&message, MAX_MESSAGE)));
        }
        Ok(())
    }
}
