use std::sync::{Arc, Mutex};

use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::RequestContext;
use tokio::sync::mpsc;
use toolhost_tools::ProgressSink;

/// Reports that wait to be sent. A client that reads slower loses some in between, and the call
/// does not wait.
const WAITING: usize = 64;

/// The longest message that is passed on, in characters.
const MAX_MESSAGE: usize = 1024;

struct ProgressReport {
    done: f64,
    total: Option<f64>,
    message: Option<String>,
}

struct ProgressChannel {
    sender: mpsc::Sender<ProgressReport>,
    last: Mutex<Option<f64>>,
}

impl ProgressSink for ProgressChannel {
    fn report(&self, done: f64, total: Option<f64>, message: Option<String>) {
        // Progress grows ("MUST increase"), and JSON has no NaN and no infinity.
        let Ok(mut last) = self.last.lock() else {
            return;
        };
        if !done.is_finite() || last.is_some_and(|last| done <= last) {
            return;
        }
        let total = total.filter(|total| total.is_finite());
        let message = message.map(|message| message.chars().take(MAX_MESSAGE).collect());
        if self
            .sender
            .try_send(ProgressReport {
                done,
                total,
                message,
            })
            .is_ok()
        {
            *last = Some(done);
        }
    }
}

/// Runs a call; what it reports goes to the client as it comes, and all of it before the result.
/// There is a sink only where the client asked to be told.
pub(crate) async fn run_with_progress<F: Future>(
    context: &RequestContext<RoleServer>,
    call: impl FnOnce(Option<Arc<dyn ProgressSink>>) -> F,
) -> F::Output {
    let Some(token) = context.meta.get_progress_token() else {
        return call(None).await;
    };
    let (sender, mut reports) = mpsc::channel(WAITING);
    let sink = Arc::new(ProgressChannel {
        sender,
        last: Mutex::new(None),
    });
    let mut call = std::pin::pin!(call(Some(sink)));
    let outcome = loop {
        tokio::select! {
            biased;
            Some(report) = reports.recv() => send(context, &token, report).await,
            outcome = &mut call => break outcome,
        }
    };
    while let Ok(report) = reports.try_recv() {
        send(context, &token, report).await;
    }
    outcome
}

async fn send(context: &RequestContext<RoleServer>, token: &ProgressToken, report: ProgressReport) {
    let mut params = ProgressNotificationParam::new(token.clone(), report.done);
    params.total = report.total;
    params.message = report.message;
    // A client that is gone is noticed by the call's own cancellation.
    let _gone = context.peer.notify_progress(params).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::mpsc;
    use toolhost_tools::ProgressSink;

    use super::{MAX_MESSAGE, ProgressChannel};

    #[test]
    fn progress_only_grows_and_is_always_json() {
        let (sender, mut reports) = mpsc::channel(8);
        let sink = ProgressChannel {
            sender,
            last: Mutex::new(None),
        };
        for done in [0.0, 1.0, 1.0, 0.5, f64::NAN, f64::INFINITY, 2.0] {
            sink.report(done, Some(f64::NAN), Some("x".repeat(5000)));
        }
        let mut seen = vec![];
        while let Ok(report) = reports.try_recv() {
            assert!(report.total.is_none() && report.message.unwrap().len() == MAX_MESSAGE);
            seen.push(report.done);
        }
        assert_eq!(seen, [0.0, 1.0, 2.0]);
    }

    #[test]
    fn a_slow_client_costs_reports_and_no_memory() {
        let (sender, reports) = mpsc::channel(2);
        let sink = ProgressChannel {
            sender,
            last: Mutex::new(None),
        };
        for done in 0..1000 {
            sink.report(f64::from(done), None, None);
        }
        assert_eq!(reports.len(), 2);
    }
}
