use serde::Serialize;

use crate::output::{self, Show};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CheckStatus {
    Ok,
    /// It works, and not as well as it could.
    Warning,
    Failed,
}

/// One thing that was looked at.
#[derive(Serialize)]
pub(super) struct DoctorCheck {
    what: &'static str,
    pub(super) verdict: CheckStatus,
    detail: String,
}

/// Everything that was looked at.
#[derive(Serialize)]
pub(super) struct DoctorReport {
    pub(super) checks: Vec<DoctorCheck>,
}

impl DoctorReport {
    pub(super) fn add(
        &mut self,
        what: &'static str,
        verdict: CheckStatus,
        detail: impl Into<String>,
    ) {
        self.checks.push(DoctorCheck {
            what,
            verdict,
            detail: detail.into(),
        });
    }

    fn status_word(verdict: CheckStatus) -> &'static str {
        match verdict {
            CheckStatus::Ok => "ok",
            CheckStatus::Warning => "warning",
            CheckStatus::Failed => "FAILED",
        }
    }
}

impl Show for DoctorReport {
    fn text(&self) -> String {
        let line = |check: &DoctorCheck| {
            format!(
                "{:<8} {:<14} {}",
                Self::status_word(check.verdict),
                check.what,
                check.detail
            )
        };
        self.checks.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let row = |check: &DoctorCheck| {
            vec![
                check.what.to_owned(),
                Self::status_word(check.verdict).to_owned(),
                check.detail.clone(),
            ]
        };
        (
            output::head(&["what", "verdict", "detail"]),
            self.checks.iter().map(row).collect(),
        )
    }
}
