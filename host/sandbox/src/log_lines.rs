use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use toolhost_egress::{Egress, EgressCall};
use toolhost_policy::{Limits, PluginName, is_hidden};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// Who hears of a call's log lines beside the host's log: an author who calls a tool from a
/// terminal.
pub trait GuestLog: Send + Sync {
    /// One line without its end: cut, and free of what could steer a terminal. `level` is the
    /// guest's own word, or `info` for its standard output and `warn` for its standard error.
    /// Called on the guests' runtime; it must not block.
    fn line(&self, level: &str, text: &str);
}

/// Lines of warnings and errors that are remembered of a call, for the case that it traps: of an
/// exception the last ones say what happened, and those before them where.
const LAST_LINES: usize = 16;

/// Of these, the bytes that stand in the message of a call that trapped. It reaches the caller, so
/// it is short.
const LAST_BYTES: usize = 500;

/// The most that waits for a line's end; longer lines are cut by the log anyway.
const MAX_PENDING: usize = 64 << 10;

/// Rust writes this under each panic; it says nothing of the call.
const RUST_HINT: &str = "note: run with `RUST_BACKTRACE";

/// What a call logs: through the `log` import and through its output streams. Lines are counted,
/// cut, cleaned, and go to the host's log under the target `guest`; never to the host's own output
/// (on stdio a guest's print would otherwise be read as protocol).
pub(crate) struct CallLog {
    plugin: PluginName,
    call: u64,
    lines_left: u64,
    line_bytes: usize,
    sink: Option<Arc<dyn GuestLog>>,
    /// What the call has put on requests is not logged either.
    reach: Option<(Arc<Egress>, Arc<EgressCall>)>,
    /// Of each stream, what has no line end yet.
    pending: [Vec<u8>; 2],
    last: VecDeque<String>,
}

/// An output stream of a guest.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GuestStream {
    Out,
    Error,
}

impl GuestStream {
    const fn level(self) -> &'static str {
        match self {
            Self::Out => "info",
            Self::Error => "warn",
        }
    }
}

impl std::fmt::Debug for CallLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallLog")
            .field("plugin", &self.plugin)
            .field("call", &self.call)
            .finish_non_exhaustive()
    }
}

impl CallLog {
    pub(crate) fn new(
        plugin: PluginName,
        call: u64,
        limits: &Limits,
        sink: Option<Arc<dyn GuestLog>>,
        reach: Option<(Arc<Egress>, Arc<EgressCall>)>,
    ) -> Self {
        let line_bytes = usize::try_from(limits.log_line_bytes).unwrap_or(usize::MAX);
        Self {
            plugin,
            call,
            lines_left: limits.log_lines,
            line_bytes,
            sink,
            pending: Default::default(),
            last: VecDeque::new(),
            reach,
        }
    }

    /// One line; `level` as the guest wrote it.
    pub(crate) fn line(&mut self, level: &str, text: &str) {
        let is_remembered = matches!(level, "warn" | "error");
        if self.lines_left == 0 && !is_remembered {
            return;
        }
        let line = clean(text, self.line_bytes);
        let withheld = self
            .reach
            .as_ref()
            .and_then(|(egress, call)| egress.search_output(call, line.as_bytes()));
        let line = match withheld {
            Some(hit) => format!(
                "a line that held the credential of connection {}",
                hit.connection
            ),
            None => line,
        };
        if is_remembered && !line.trim().is_empty() && !line.starts_with(RUST_HINT) {
            if self.last.len() == LAST_LINES {
                self.last.pop_front();
            }
            self.last.push_back(clean(line.trim(), LAST_BYTES));
        }
        let Some(left) = self.lines_left.checked_sub(1) else {
            return;
        };
        self.lines_left = left;
        let (plugin, call) = (self.plugin.as_str(), self.call);
        match level {
            "trace" => tracing::trace!(target: "guest", plugin, call, untrusted = %line),
            "debug" => tracing::debug!(target: "guest", plugin, call, untrusted = %line),
            "warn" => tracing::warn!(target: "guest", plugin, call, untrusted = %line),
            "error" => tracing::error!(target: "guest", plugin, call, untrusted = %line),
            _ => tracing::info!(target: "guest", plugin, call, untrusted = %line),
        }
        if let Some(sink) = &self.sink {
            sink.line(level, &line);
        }
        if left == 0 {
            tracing::warn!(target: "guest", plugin, call, "no more lines of this call are kept ([limits] log_lines)");
        }
    }

    /// Bytes of a stream: whole lines are logged, the rest waits for its end or until it is long.
    fn write(&mut self, stream: GuestStream, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (line, ends) = match part.strip_suffix(b"\n") {
                Some(line) => (line, true),
                None => (part, false),
            };
            let pending = self.pending_of(stream);
            let room = MAX_PENDING.saturating_sub(pending.len());
            pending.extend(line.iter().take(room));
            if ends || pending.len() >= MAX_PENDING {
                self.emit(stream);
            }
        }
    }

    /// What a guest wrote and did not end with a line end.
    fn emit(&mut self, stream: GuestStream) {
        let pending = std::mem::take(self.pending_of(stream));
        if !pending.is_empty() {
            self.line(stream.level(), &String::from_utf8_lossy(&pending));
        }
    }

    fn pending_of(&mut self, stream: GuestStream) -> &mut Vec<u8> {
        let [out, error] = &mut self.pending;
        match stream {
            GuestStream::Out => out,
            GuestStream::Error => error,
        }
    }

    /// The end of what the guest wrote as warnings and errors, on one line of at most
    /// [`LAST_BYTES`] and some separators; `None` where it wrote none.
    pub(crate) fn last_lines(&mut self) -> Option<String> {
        self.emit(GuestStream::Out);
        self.emit(GuestStream::Error);
        let mut bytes = 0;
        let mut lines: Vec<&str> = self
            .last
            .iter()
            .rev()
            .take_while(|line| {
                bytes += line.len();
                bytes <= LAST_BYTES
            })
            .map(String::as_str)
            .collect();
        lines.reverse();
        (!lines.is_empty()).then(|| lines.join(" | "))
    }
}

impl Drop for CallLog {
    fn drop(&mut self) {
        self.emit(GuestStream::Out);
        self.emit(GuestStream::Error);
    }
}

/// Cuts at `max` bytes on a character's border and replaces what could change how a log reads:
/// control characters, line and paragraph separators, and the marks that turn the direction of text
/// or hide it (T20).
pub(crate) fn clean(text: &str, max: usize) -> String {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end)
        .unwrap_or_default()
        .chars()
        .map(|c| {
            if c.is_control() || is_hidden(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// An output stream of the guest, as lines of its log.
#[derive(Clone, Debug)]
pub(crate) struct LogStream {
    log: Arc<Mutex<CallLog>>,
    stream: GuestStream,
}

impl LogStream {
    pub(crate) fn new(log: Arc<Mutex<CallLog>>, stream: GuestStream) -> Self {
        Self { log, stream }
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for LogStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.write(self.stream, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use toolhost_policy::{Limits, PluginName};

    use super::{CallLog, GuestLog, GuestStream, LAST_BYTES, clean};

    #[derive(Default)]
    struct Lines(Mutex<Vec<(String, String)>>);

    impl GuestLog for Lines {
        fn line(&self, level: &str, text: &str) {
            self.0.lock().unwrap().push((level.into(), text.into()));
        }
    }

    fn log(lines: u64) -> (Arc<Lines>, CallLog) {
        let sink = Arc::new(Lines::default());
        let limits = Limits {
            log_lines: lines,
            ..Limits::default()
        };
        let plugin = PluginName::parse("x").unwrap();
        let log = CallLog::new(plugin, 1, &limits, Some(Arc::clone(&sink) as _), None);
        (sink, log)
    }

    #[test]
    fn lines_of_both_streams_reach_the_sink_with_a_half_one_at_the_end() {
        let (sink, mut log) = log(10);
        log.write(GuestStream::Out, b"one\ntw");
        log.write(GuestStream::Error, b"bad");
        log.write(GuestStream::Out, b"o\n");
        log.line("debug", "said");
        drop(log);
        let lines = sink.0.lock().unwrap();
        let lines: Vec<_> = lines
            .iter()
            .map(|(level, text)| (level.as_str(), text.as_str()))
            .collect();
        assert_eq!(
            lines,
            [
                ("info", "one"),
                ("info", "two"),
                ("debug", "said"),
                ("warn", "bad")
            ]
        );
    }

    #[test]
    fn of_what_a_guest_wrote_before_it_trapped_the_end_is_known_short_and_clean() {
        let (sink, mut log) = log(2);
        assert_eq!(log.last_lines(), None);
        log.line("info", "of no interest");
        for n in 0..1_000 {
            log.write(
                GuestStream::Error,
                format!("frame {n} {}\n", "x".repeat(90)).as_bytes(),
            );
        }
        log.write(
            GuestStream::Error,
            b"thread 'main' panicked at src/lib.rs:1:2:\n\x1b[31mboom\nnote: run with `RUST_BACKTRACE=1` environment",
        );
        let last = log.last_lines().unwrap();
        assert!(
            last.ends_with("thread 'main' panicked at src/lib.rs:1:2: | \u{fffd}[31mboom"),
            "{last}"
        );
        assert!(last.len() < LAST_BYTES + 100, "{}", last.len());
        assert_eq!(
            sink.0.lock().unwrap().len(),
            2,
            "whatever is remembered, no more is logged"
        );
    }

    #[test]
    fn a_line_cannot_forge_another_or_hide_text() {
        let text = "ok\r\n{\"level\":\"ERROR\"}\u{1b}[2J\u{202e}evil\u{2028}\u{200b}\u{e0041}end";
        let line = clean(text, 4_096);
        assert!(
            line.chars().all(|c| !c.is_control())
                && !line.contains(['\u{202e}', '\u{2028}', '\u{200b}', '\u{e0041}'])
        );
        assert!(line.starts_with("ok") && line.ends_with("end"));
    }

    #[test]
    fn a_line_is_cut_on_the_border_of_a_character() {
        assert_eq!(clean("aż", 2), "a");
        assert_eq!(clean("aż", 3), "aż");
    }
}
