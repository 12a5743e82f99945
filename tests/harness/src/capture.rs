use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry::LookupSpan};

/// One event or span of the host's log, at any level, with all its fields.
#[derive(Debug, Clone)]
pub struct Line {
    pub level: tracing::Level,
    pub target: String,
    /// `name=value`, one after the other, as any writer of logs would get them.
    pub fields: String,
}

/// Every event and span of this process at every level, those of libraries that use `log` included.
#[derive(Debug, Clone, Default)]
pub struct LogCapture {
    lines: Arc<Mutex<Vec<Line>>>,
}

impl LogCapture {
    /// Begins to capture: once a process, since guests run on threads of their own.
    pub fn install() -> Self {
        let capture = Self::default();
        tracing_subscriber::registry().with(capture.clone()).init();
        capture
    }

    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap().clone()
    }

    /// The lines of one target.
    #[must_use]
    pub fn lines_of(&self, target: &str) -> Vec<Line> {
        self.lines()
            .into_iter()
            .filter(|line| line.target == target)
            .collect()
    }

    fn push(&self, metadata: &Metadata<'_>, fields: String) {
        let line = Line {
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            fields,
        };
        self.lines.lock().unwrap().push(line);
    }
}

#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, "{}={value} ", field.name());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogCapture {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        self.push(attributes.metadata(), fields.0);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(metadata) = context.metadata(id) {
            self.push(metadata, fields.0);
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.push(event.metadata(), fields.0);
    }
}
