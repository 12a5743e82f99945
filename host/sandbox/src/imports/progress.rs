use crate::bindings::toolhost::plugin::progress::Host;
use crate::log_lines::clean;
use crate::state::HostState;

/// A message is shown beside a bar.
const MAX_MESSAGE: usize = 1_024;

impl Host for HostState {
    fn report(
        &mut self,
        done: f64,
        total: Option<f64>,
        message: Option<String>,
    ) -> wasmtime::Result<()> {
        if let Some(scope) = &self.scope
            && let Some(progress) = scope.progress()
            && done.is_finite()
            && total.is_none_or(f64::is_finite)
        {
            let message = message.map(|message| clean(&message, MAX_MESSAGE));
            // It reaches the caller before the result that is searched.
            let withholds = |message: &String| {
                let egress = &scope.egress;
                egress
                    .search_output(scope.egress_call(), message.as_bytes())
                    .is_some()
            };
            let message = message.filter(|message| !withholds(message));
            progress.report(done, total, message);
        }
        Ok(())
    }
}
