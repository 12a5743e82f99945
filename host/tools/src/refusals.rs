//! Requests that are refused before anything runs: said once a source and interval, counted all,
//! and recorded within a bound.
//!
//! What must never happen here: a stranger who fills a log, a chain or this process's memory by
//! being refused.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use toolhost_audit::{Event, RequestsRefused, Sink};

/// After this a source is spoken of again.
const INTERVAL: Duration = Duration::from_secs(60);

/// Lines of one interval: enough to see who is in trouble, and some kilobytes.
const LINES: usize = 64;

/// Events of one interval beside the one that sums it up: 24,000 a day at most, some megabytes of
/// the host's chain.
const EVENTS: usize = 16;

/// Refused requests, of all sources.
pub struct Refusals {
    audit: Arc<dyn Sink>,
    window: Mutex<Option<RefusalWindow>>,
}

#[derive(Debug)]
struct RefusalWindow {
    since: Instant,
    /// Sources that were spoken of, each with one of its reasons.
    spoken_of: HashMap<(String, &'static str), u64>,
    /// Refused requests of other sources.
    unspoken: u64,
}

/// What is to be said of one refusal.
#[derive(Debug, Default, PartialEq, Eq)]
struct RefusalNotice {
    /// Refused requests of the interval before that nobody has spoken of.
    before: u64,
    line: bool,
    event: bool,
}

impl RefusalWindow {
    fn new(since: Instant) -> Self {
        Self {
            since,
            spoken_of: HashMap::new(),
            unspoken: 0,
        }
    }

    /// Refused requests of which no line and no event was written.
    fn unreported_count(&self) -> u64 {
        let repeated: u64 = self.spoken_of.values().map(|count| count - 1).sum();
        self.unspoken + repeated
    }

    fn count_refusal(&mut self, source: &str, reason: &'static str, now: Instant) -> RefusalNotice {
        let mut said = RefusalNotice::default();
        if now.duration_since(self.since) >= INTERVAL {
            said.before = self.unreported_count();
            *self = Self::new(now);
        }
        let known = self.spoken_of.len();
        if let Some(count) = self.spoken_of.get_mut(&(source.to_owned(), reason)) {
            *count += 1;
        } else if known < LINES {
            self.spoken_of.insert((source.to_owned(), reason), 1);
            (said.line, said.event) = (true, known < EVENTS);
        } else {
            self.unspoken += 1;
        }
        said
    }
}

impl fmt::Debug for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Refusals")
    }
}

impl Refusals {
    pub(crate) fn new(audit: Arc<dyn Sink>) -> Self {
        Self {
            audit,
            window: Mutex::default(),
        }
    }

    /// A request was refused. `source` is an address or a tenant; `reason` is one of a closed list,
    /// since it is a label of `toolhost_refusals_total`; `why` is a sentence of the host's own.
    pub fn record_refusal(&self, source: &str, reason: &'static str, why: &str) {
        metrics::counter!("toolhost_refusals_total", "reason" => reason).increment(1);
        let now = Instant::now();
        let said = {
            let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
            window
                .get_or_insert_with(|| RefusalWindow::new(now))
                .count_refusal(source, reason, now)
        };
        if said.before > 0 {
            let count = said.before;
            tracing::info!(
                count,
                "requests were refused in the last minute beside those that the log names"
            );
            self.record(RequestsRefused {
                source: None,
                reason: None,
                count,
            });
        }
        if said.line {
            tracing::warn!(
                source,
                reason,
                why,
                "a request was refused; more of the same within a minute are counted"
            );
        }
        if said.event {
            self.record(RequestsRefused {
                source: Some(source.to_owned()),
                reason: Some(reason),
                count: 1,
            });
        }
    }

    /// Nobody waits for it: the request is refused whether or not that can be written down.
    fn record(&self, event: RequestsRefused) {
        let audit = Arc::clone(&self.audit);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = audit.record(&Event::RequestsRefused(event)).await {
                    tracing::warn!(%error, "a refused request is not recorded");
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{EVENTS, INTERVAL, LINES, RefusalNotice, RefusalWindow};

    #[test]
    fn a_source_is_spoken_of_once_an_interval_and_summed_up_after_it() {
        let begin = Instant::now();
        let mut window = RefusalWindow::new(begin);
        let first = window.count_refusal("192.0.2.1", "expired", begin);
        assert!(first.line && first.event && first.before == 0);
        for _ in 0..9 {
            assert_eq!(
                window.count_refusal("192.0.2.1", "expired", begin),
                RefusalNotice::default()
            );
        }
        assert!(
            window.count_refusal("192.0.2.1", "audience", begin).line,
            "another reason"
        );
        let later = begin + INTERVAL;
        let next = window.count_refusal("192.0.2.1", "expired", later);
        assert!(next.line && next.before == 9);
        assert_eq!(
            window
                .count_refusal("192.0.2.2", "expired", later + Duration::from_secs(1))
                .before,
            0
        );
    }

    #[test]
    fn a_million_sources_fill_neither_memory_nor_log_nor_chain() {
        let begin = Instant::now();
        let mut window = RefusalWindow::new(begin);
        let (mut lines, mut events) = (0, 0);
        for source in 0..1_000_000_u32 {
            let said = window.count_refusal(&source.to_string(), "signature", begin);
            lines += usize::from(said.line);
            events += usize::from(said.event);
        }
        assert_eq!((lines, events), (LINES, EVENTS));
        assert_eq!(window.spoken_of.len(), LINES);
        let next = window.count_refusal("x", "signature", begin + INTERVAL);
        assert_eq!(next.before, 1_000_000 - LINES as u64);
    }
}
