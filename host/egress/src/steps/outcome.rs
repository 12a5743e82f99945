use std::sync::Arc;
use std::time::Instant;

use toolhost_audit::{Actor, EgressOutcome, Event, Sink, SinkError};
use toolhost_policy::{Method, TenantMeter};

use crate::refusals::EgressRefusals;
use crate::{EgressCall, EgressFailure, GuestRequest};

/// How much of what a guest wrote is recorded of a request that matched nothing.
const MAX_RECORDED: usize = 128;

/// The one outcome event of a request: filled in along the way and recorded exactly once, whatever
/// happens. A request that is dropped in the middle records that.
#[derive(Debug)]
pub struct OutcomeRecorder {
    sink: Arc<dyn Sink>,
    event: EgressOutcome,
    started: Instant,
    is_recorded: bool,
    is_optional: bool,
    refusals: Arc<EgressRefusals>,
    meter: Option<Arc<TenantMeter>>,
}

impl OutcomeRecorder {
    /// Begins with what the guest asked for.
    #[must_use]
    pub fn begin(sink: Arc<dyn Sink>, call: &EgressCall, request: &GuestRequest) -> Self {
        let short = |text: &str| text.chars().take(MAX_RECORDED).collect::<String>();
        let event = EgressOutcome {
            call: call.id(),
            who: Actor::from(call.binding()),
            plugin: call.plugin().to_string(),
            // An adapter names none, and the record does.
            connection: match call.adapter() {
                Some(own) if request.connection.is_empty() => own.to_string(),
                _ => short(&request.connection),
            },
            method: Method::parse(&request.method)
                .map_or_else(|| "-".to_owned(), |method| method.to_string()),
            path: short(&request.path),
            address: None,
            status: None,
            outcome: String::new(),
            sent: false,
            response_bytes: 0,
            reflections: 0,
            duration_us: 0,
            refused_alike: 0,
        };
        let is_optional = call.may_go_unrecorded(&*sink, &event.method);
        Self {
            sink,
            is_optional,
            event,
            started: Instant::now(),
            is_recorded: false,
            refusals: Arc::clone(call.refusals()),
            meter: call.meter().cloned(),
        }
    }

    /// From here on bytes may have left.
    pub fn mark_sent(&mut self) {
        self.event.sent = true;
    }

    /// It is certain that none did.
    pub fn mark_unsent(&mut self) {
        self.event.sent = false;
    }

    /// The head of a response came.
    pub fn head(&mut self, status: u16, address: Option<std::net::SocketAddr>) {
        self.event.status = Some(status);
        self.event.address = address.map(|address| address.to_string());
        self.event.duration_us = self.elapsed();
    }

    /// Where the request was about to go, should no head come.
    pub fn set_address(&mut self, address: Option<&std::net::SocketAddr>) {
        self.event.address = address.map(ToString::to_string);
    }

    /// Bytes of the response's body were read.
    pub fn add_received(&mut self, bytes: usize) {
        self.event.response_bytes += bytes as u64;
    }

    /// The credential was found so many times.
    pub fn add_reflections(&mut self, times: u64) {
        self.event.reflections += times;
    }

    /// Records the end. `whole`: the body was read too, and the duration covers it.
    ///
    /// # Errors
    /// The event could not be recorded; nothing of the response may be handed on.
    pub fn finish(mut self, failure: Option<&EgressFailure>, whole: bool) -> Result<(), SinkError> {
        self.event.outcome = failure
            .map_or("ok", |failure| failure.code.as_str())
            .to_owned();
        if whole || self.event.status.is_none() {
            self.event.duration_us = self.elapsed();
        }
        self.record()
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn record(&mut self) -> Result<(), SinkError> {
        if std::mem::replace(&mut self.is_recorded, true) {
            return Ok(());
        }
        metrics::counter!("toolhost_egress_requests_total", "outcome" => self.event.outcome.clone())
            .increment(1);
        if self.event.reflections > 0 {
            let connection = self.event.connection.clone();
            metrics::counter!("toolhost_egress_reflections_total", "connection" => connection)
                .increment(self.event.reflections);
        }
        // Where it would have gone was not known: nothing else is recorded of it.
        let is_refusal =
            self.event.address.is_none() && !self.event.sent && self.event.outcome != "cancelled";
        if is_refusal && self.refusals.leaves_out(&self.sink, &self.event) {
            return Ok(());
        }
        if let Some(meter) = &self.meter {
            meter.record(Instant::now());
        }
        // What is dropped cannot wait, and an outcome has no need to: it is not synced.
        let recorded = self
            .sink
            .record_now(&Event::EgressOutcome(self.event.clone()));
        match recorded {
            Err(error) if self.is_optional => {
                tracing::warn!(call = self.event.call, %error, "the end of a read goes unrecorded");
                Ok(())
            }
            recorded => recorded,
        }
    }
}

impl Drop for OutcomeRecorder {
    fn drop(&mut self) {
        if !self.is_recorded {
            self.event.outcome = "cancelled".to_owned();
            if let Err(error) = self.record() {
                tracing::error!(call = self.event.call, %error, "the end of a dropped request was not recorded");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::OutcomeRecorder;
    use crate::EgressFailure;
    use crate::refusals::MAX_REFUSALS_RECORDED;
    use crate::testing::{Recorder, call, get, grant_of};

    fn begin(recorder: &Arc<Recorder>) -> OutcomeRecorder {
        let mut request = get("/v1/invoices");
        request.method = "GET\r\nX".into();
        request.path = "/".repeat(10_000);
        OutcomeRecorder::begin(
            recorder.clone(),
            &call(grant_of("billing", "https://h.example", |_| {})),
            &request,
        )
    }

    #[test]
    fn refused_requests_of_a_call_are_recorded_one_by_one_and_then_together() {
        let recorder = Arc::new(Recorder::default());
        let call = call(grant_of("billing", "https://h.example", |_| {}));
        for _ in 0..131 {
            let outcome = OutcomeRecorder::begin(recorder.clone(), &call, &get("/v1/invoices"));
            outcome
                .finish(Some(&EgressFailure::denied("no")), true)
                .unwrap();
        }
        assert_eq!(recorder.outcomes().len() as u64, MAX_REFUSALS_RECORDED);
        // One that goes out is recorded in any case.
        let mut sent = OutcomeRecorder::begin(recorder.clone(), &call, &get("/v1/invoices"));
        sent.mark_sent();
        sent.finish(None, true).unwrap();
        assert_eq!(recorder.outcomes().len() as u64, MAX_REFUSALS_RECORDED + 1);
        drop(call);
        assert_eq!(recorder.outcomes().len() as u64, MAX_REFUSALS_RECORDED + 2);
        assert_eq!(recorder.repeated_refusals(), 131 - MAX_REFUSALS_RECORDED);
    }

    #[test]
    fn a_request_that_is_dropped_is_recorded_once_as_cancelled() {
        let recorder = Arc::new(Recorder::default());
        drop(begin(&recorder));
        assert_eq!(recorder.outcomes(), ["cancelled"]);
    }

    #[test]
    fn a_finished_one_is_recorded_once_and_without_what_a_guest_made_up() {
        let recorder = Arc::new(Recorder::default());
        begin(&recorder)
            .finish(Some(&EgressFailure::denied("x")), true)
            .unwrap();
        assert_eq!(recorder.outcomes(), ["denied"]);
        assert!(recorder.text().len() < 600 && !recorder.text().contains("X\""));
    }

    #[test]
    fn a_sink_that_fails_is_told_to_the_caller() {
        assert!(
            begin(&Arc::new(Recorder::failing()))
                .finish(None, true)
                .is_err()
        );
    }
}
