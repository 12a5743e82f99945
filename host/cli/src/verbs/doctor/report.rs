use serde::Serialize;

use crate::output::{self, Show};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    /// It works, and not as well as it could.
    Warning,
    Failed,
}

/// One thing that was looked at.
#[derive(Serialize)]
pub(super) struct Check {
    what: &'static str,
    pub(super) verdict: Verdict,
    detail: String,
}

/// Everything that was looked at.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) checks: Vec<Check>,
}

impl Report {
    pub(super) fn add(&mut self, what: &'static str, verdict: Verdict, detail: impl Into<String>) {
        self.checks.push(Check {
            what,
            verdict,
            detail: detail.into(),
        });
    }

    fn word(verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Failed => "FAILED",
        }
    }
}

impl Show for Report {
    fn text(&self) -> String {
        let line = |check: &Check| {
            format!(
                "{:<8} {:<14} {}",
                Self::word(check.verdict),
                check.what,
                check.detail
            )
        };
        self.checks.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let row = |check: &Check| {
            vec![
                check.what.to_owned(),
                Self::word(check.verdict).to_owned(),
                check.detail.clone(),
            ]
        };
        (
            output::head(&["what", "verdict", "detail"]),
            self.checks.iter().map(row).collect(),
        )
    }
}
