use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use toolhost_identity::TenantId;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tenancy::{MAX_EVENT_BYTES, SessionLog};
use toolhost_tools::ProgressSink;

use crate::api::call_response::CallResponse;
use crate::switching::kept_in_log;

pub(super) const STARTED: &str = "call_started";
pub(super) const PROGRESS: &str = "call_progress";
pub(super) const FINISHED: &str = "call_finished";

/// How often a call's progress is kept after the first report: the last one since then, since each
/// costs a write.
const EVERY: Duration = Duration::from_millis(500);
/// The longest message that is passed on, in characters.
const MAX_MESSAGE: usize = 1024;
/// The longest name of a tool that is repeated, in characters.
const MAX_TOOL: usize = 64;
/// The longest sentence of an error that is kept, in characters.
const MAX_SENTENCE: usize = 4 << 10;
/// Of an event beside its answer: ids, a tenant, the names of members. JSON may write a character
/// as six bytes.
const FRAME: usize = 2 << 10;

/// The last report of a call. Those between two looks are not kept.
#[derive(Debug, Default)]
pub(super) struct LatestProgress {
    last: Mutex<(Option<f64>, Option<Value>)>,
    there: Notify,
}

impl ProgressSink for LatestProgress {
    fn report(&self, done: f64, total: Option<f64>, message: Option<String>) {
        // Progress grows, and JSON has no NaN and no infinity.
        let Ok(mut last) = self.last.lock() else {
            return;
        };
        if !done.is_finite() || last.0.is_some_and(|last| done <= last) {
            return;
        }
        let total = total.filter(|total| total.is_finite());
        let message: Option<String> =
            message.map(|message| message.chars().take(MAX_MESSAGE).collect());
        *last = (
            Some(done),
            Some(json!({ "done": done, "total": total, "message": message })),
        );
        self.there.notify_one();
    }
}

impl LatestProgress {
    fn take(&self) -> Option<Value> {
        self.last.lock().ok()?.1.take()
    }
}

/// A call among the events of its session. One that nobody waits for any more is finished there
/// too.
pub(super) struct CallRecorder {
    log: SessionLog,
    about: CallIdentity,
    /// The writing of the first event, after which all others come.
    started: Option<JoinHandle<()>>,
    finished: bool,
}

#[derive(Clone, Serialize)]
struct CallIdentity {
    call_id: String,
    tool: String,
    tenant_id: Option<String>,
}

#[derive(Serialize)]
struct CallFinishedEvent<'a> {
    #[serde(flatten)]
    about: &'a CallIdentity,
    active_tenant_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    /// The answer's bytes, where it has too many to be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    result_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<PublicError>,
}

impl CallRecorder {
    /// The call begins whether or not that is written by then.
    pub(super) fn begin(
        log: SessionLog,
        call_id: &str,
        tool: &str,
        tenant: Option<&TenantId>,
    ) -> Self {
        let about = CallIdentity {
            call_id: call_id.to_owned(),
            tool: tool.chars().take(MAX_TOOL).collect(),
            tenant_id: tenant.map(ToString::to_string),
        };
        let (first, event) = (log.clone(), serde_json::to_vec(&about).unwrap_or_default());
        let started = tokio::spawn(async move { kept_in_log(&first, STARTED, &event).await });
        Self {
            log,
            about,
            started: Some(started),
            finished: false,
        }
    }

    /// Writes what the call reports, for as long as it does.
    pub(super) async fn reports(&self, reports: &LatestProgress) -> Infallible {
        loop {
            reports.there.notified().await;
            let Some(Value::Object(mut report)) = reports.take() else {
                continue;
            };
            report.insert("call_id".to_owned(), json!(self.about.call_id));
            kept_in_log(
                &self.log,
                PROGRESS,
                Value::Object(report).to_string().as_bytes(),
            )
            .await;
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Writes the answer down, before it is given.
    pub(super) async fn finish(
        mut self,
        answer: &Result<CallResponse, PublicError>,
        active: Option<&TenantId>,
    ) {
        let event = finished_event(&self.about, answer, active);
        if let Some(started) = self.started.take() {
            let _written = started.await;
        }
        // It must not be written twice, nor be left out where the client goes away meanwhile.
        self.finished = true;
        let log = self.log.clone();
        let written = tokio::spawn(async move { kept_in_log(&log, FINISHED, &event).await });
        let _written = written.await;
    }
}

impl Drop for CallRecorder {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let error = PublicError::new(ErrorCode::Cancelled, "the call was dropped by its caller");
        let event = finished_event(&self.about, &Err(error), None);
        let (log, started) = (self.log.clone(), self.started.take());
        tokio::spawn(async move {
            if let Some(started) = started {
                let _written = started.await;
            }
            kept_in_log(&log, FINISHED, &event).await;
        });
    }
}

fn finished_event(
    about: &CallIdentity,
    answer: &Result<CallResponse, PublicError>,
    active: Option<&TenantId>,
) -> Vec<u8> {
    let text = answer
        .as_ref()
        .ok()
        .and_then(|answer| serde_json::to_string(answer).ok());
    let length = text.as_ref().map_or(0, String::len);
    let fits = length <= MAX_EVENT_BYTES - FRAME;
    let result = text
        .filter(|_| fits)
        .and_then(|text| RawValue::from_string(text).ok());
    let event = CallFinishedEvent {
        about,
        active_tenant_id: active.map(TenantId::as_str),
        result: result.as_deref(),
        result_bytes: (!fits).then_some(length),
        error: answer.as_ref().err().map(|error| PublicError {
            message: error.message.chars().take(MAX_SENTENCE).collect(),
            ..error.clone()
        }),
    };
    serde_json::to_vec(&event).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use toolhost_policy::{ErrorCode, PublicError};
    use toolhost_tenancy::MAX_EVENT_BYTES;
    use toolhost_tools::{CallOutcome, OutputBlock, ToolOutput};

    use super::{CallIdentity, finished_event};
    use crate::api::call_response::CallResponse;

    fn event(answer: &Result<CallResponse, PublicError>) -> (usize, Value) {
        let about = CallIdentity {
            call_id: "c".repeat(64),
            tool: "\u{1}".repeat(64),
            tenant_id: Some("t".repeat(63)),
        };
        let event = finished_event(&about, answer, None);
        (event.len(), serde_json::from_slice(&event).unwrap())
    }

    fn text(length: usize) -> Result<CallResponse, PublicError> {
        Ok(CallResponse::from_outcome(CallOutcome::Complete(
            ToolOutput {
                content: vec![OutputBlock::Text("x".repeat(length))],
                structured: None,
            },
        )))
    }

    #[test]
    fn an_answer_is_kept_whole_or_its_length_is() {
        let (_, kept) = event(&text(10));
        assert_eq!(kept["result"]["content"][0]["text"], "x".repeat(10));
        assert!(kept.get("result_bytes").is_none() && kept.get("error").is_none());
        for length in [
            MAX_EVENT_BYTES - 5_000,
            MAX_EVENT_BYTES - 100,
            MAX_EVENT_BYTES,
            MAX_EVENT_BYTES * 2,
        ] {
            let (bytes, kept) = event(&text(length));
            assert!(bytes <= MAX_EVENT_BYTES, "{length}: {bytes}");
            assert!(kept.get("result").is_some() != kept.get("result_bytes").is_some());
        }
        let (_, failed) = event(&Err(PublicError::new(ErrorCode::Busy, "later")));
        assert_eq!(failed["error"]["code"], "busy");
        let long = "\u{1}".repeat(MAX_EVENT_BYTES);
        let (bytes, failed) = event(&Err(PublicError::new(ErrorCode::ToolFailed, long)));
        assert!(bytes <= MAX_EVENT_BYTES && failed["error"]["code"] == "tool_failed");
    }
}
