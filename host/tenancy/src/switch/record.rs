//! The record of a switch: before it, and after it.

use std::sync::Arc;

use toolhost_audit::{Event, Sink, TenantSwitched};
use toolhost_identity::{Principal, TenantId};

use super::switching::{SwitchError, SwitchTarget};
use crate::session::Choice;

/// A switch that is recorded as asked for, and not yet how it ended.
pub(super) struct SwitchRecord {
    audit: Arc<dyn Sink>,
    event: TenantSwitched,
}

impl SwitchRecord {
    /// Records that somebody asks. What is recorded of the question is a tenant's name or nothing:
    /// no text of a model's.
    pub(super) async fn begin(
        audit: Arc<dyn Sink>,
        principal: &Principal,
        before: &Choice,
        to: SwitchTarget<'_>,
        by: &'static str,
    ) -> Result<Self, SwitchError> {
        let (action, to) = match to {
            SwitchTarget::Tenant(name) => ("switch", TenantId::parse(name).ok()),
            SwitchTarget::Renewed => ("switch", before.tenant().cloned()),
            SwitchTarget::Home => ("reset", before.home.clone()),
        };
        let event = TenantSwitched {
            issuer: principal.issuer().to_owned(),
            subject: principal.subject().to_owned(),
            client: principal.client().map(str::to_owned),
            kind: principal.kind().as_str(),
            from: before.tenant().map(ToString::to_string),
            to: to.as_ref().map(ToString::to_string),
            action,
            by,
            outcome: "asked".to_owned(),
        };
        let record = Self { audit, event };
        let recorded = record
            .audit
            .record(&Event::TenantSwitched(record.event.clone()))
            .await;
        recorded.map_err(|error| SwitchError::Unrecorded(error.to_string()))?;
        Ok(record)
    }

    /// Passes a success on, and records a failure.
    pub(super) async fn record_failure<T>(
        &self,
        result: Result<T, SwitchError>,
    ) -> Result<T, SwitchError> {
        if let Err(error) = &result {
            self.end(error.public().code.as_str()).await;
        }
        result
    }

    /// It was made.
    pub(super) async fn record_done(&self) {
        self.end("done").await;
    }

    /// The question stands in the record already, so that an end that cannot be recorded leaves it
    /// open, and no switch is taken back for it.
    async fn end(&self, outcome: &str) {
        let event = TenantSwitched {
            outcome: outcome.to_owned(),
            ..self.event.clone()
        };
        if let Err(error) = self.audit.record(&Event::TenantSwitched(event)).await {
            tracing::error!(%error, outcome, "the end of a switch is not recorded");
        }
    }
}
