use std::path::Path;

use anyhow::Context;
use serde_json::Value;

/// One request as the billing system recorded it.
pub(super) struct RecordedRequest {
    method: String,
    target: String,
    pub(super) account: String,
    /// Masked by the recorder.
    pub(super) authorization: String,
    pub(super) status: u64,
}

impl RecordedRequest {
    /// For people.
    pub(super) fn line(&self) -> String {
        let Self {
            method,
            target,
            account,
            authorization,
            status,
        } = self;
        format!(
            "{method} {target}  authorization: {authorization}  x-account-id: {account}  -> {status}"
        )
    }
}

/// Everything that crossed the wire so far.
pub(super) fn read(record: &Path) -> anyhow::Result<Vec<RecordedRequest>> {
    let text = std::fs::read_to_string(record)
        .context("the record of the billing system cannot be read")?;
    text.lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line)?;
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            Ok(RecordedRequest {
                method: text(&line["method"]),
                target: text(&line["target"]),
                account: text(&line["headers"]["x-account-id"]),
                authorization: text(&line["headers"]["authorization"]),
                status: line["status"].as_u64().unwrap_or_default(),
            })
        })
        .collect()
}
