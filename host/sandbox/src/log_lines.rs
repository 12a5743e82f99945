use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use toolhost_policy::{Limits, PluginName, is_hidden};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// What a call logs: through the `log` import and through its output streams. Lines are counted, cut, cleaned, and go
/// to the host's log under the target `guest`; never to the host's own output (on stdio a guest's print would
/// otherwise be read as protocol).
#[derive(Debug)]
pub(crate) struct CallLog {
    plugin: PluginName,
    call: u64,
    lines_left: u64,
    line_bytes: usize,
}

impl CallLog {
    pub(crate) fn new(plugin: PluginName, call: u64, limits: &Limits) -> Self {
        let line_bytes = usize::try_from(limits.log_line_bytes).unwrap_or(usize::MAX);
        Self {
            plugin,
            call,
            lines_left: limits.log_lines,
            line_bytes,
        }
    }

    /// One line; `level` as the guest wrote it.
    pub(crate) fn line(&mut self, level: &str, text: &str) {
        let Some(left) = self.lines_left.checked_sub(1) else {
            return;
        };
        self.lines_left = left;
        let (plugin, call) = (self.plugin.as_str(), self.call);
        let line = clean(text, self.line_bytes);
        match level {
            "trace" => tracing::trace!(target: "guest", plugin, call, untrusted = %line),
            "debug" => tracing::debug!(target: "guest", plugin, call, untrusted = %line),
            "warn" => tracing::warn!(target: "guest", plugin, call, untrusted = %line),
            "error" => tracing::error!(target: "guest", plugin, call, untrusted = %line),
            _ => tracing::info!(target: "guest", plugin, call, untrusted = %line),
        }
        if left == 0 {
            tracing::warn!(target: "guest", plugin, call, "no more lines of this call are kept ([limits] log_lines)");
        }
    }
}

/// Cuts at `max` bytes on a character's border and replaces what could change how a log reads: control characters, line
/// and paragraph separators, and the marks that turn the direction of text or hide it (T20).
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
    level: &'static str,
}

impl LogStream {
    pub(crate) fn new(log: Arc<Mutex<CallLog>>, level: &'static str) -> Self {
        Self { log, level }
    }
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(LineWriter {
            stream: self.clone(),
            pending: Vec::new(),
        })
    }
}

/// Collects bytes until a line ends. A line without end is written when it is full, so that memory stays bounded.
struct LineWriter {
    stream: LogStream,
    pending: Vec<u8>,
}

/// The most that waits for a line's end; longer lines are cut by the log anyway.
const MAX_PENDING: usize = 64 << 10;

impl LineWriter {
    fn emit(&mut self) {
        if !self.pending.is_empty() {
            let text = String::from_utf8_lossy(&self.pending).into_owned();
            self.pending.clear();
            self.stream
                .log
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .line(self.stream.level, &text);
        }
    }
}

impl AsyncWrite for LineWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (line, ends) = match part.strip_suffix(b"\n") {
                Some(line) => (line, true),
                None => (part, false),
            };
            let room = MAX_PENDING.saturating_sub(self.pending.len());
            self.pending.extend(line.iter().take(room));
            if ends || self.pending.len() >= MAX_PENDING {
                self.emit();
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.emit();
        Poll::Ready(Ok(()))
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        self.emit();
    }
}

#[cfg(test)]
mod tests {
    use super::clean;

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
