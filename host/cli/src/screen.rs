//! The one place where verbs write, and what must not reach a terminal: control characters, and
//! characters that hide or turn what they stand between. Results, configuration, lock, manifests,
//! tenants' names, documents and errors of other systems all hold text that somebody else chose.
//! They are written as escapes, also where nobody looks yet: a log is read on a terminal later.
//!
//! What must never happen here: a byte of such a character on stdout or stderr.

use std::fmt::Write as _;
use std::io::{self, Write};

use toolhost_policy::is_hidden;

/// Whether a character is written as an escape. Line breaks and tabs are part of what is written.
fn is_escaped(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t')) || is_hidden(c)
}

/// Text with escapes as Rust writes them: `\u{202e}`, and `\r` for a carriage return.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\r' => out.push_str("\\r"),
            c if is_escaped(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// JSON that means the same, with escapes as JSON writes them: what is escaped can stand in strings
/// alone.
pub(crate) fn escaped_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_escaped(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing into a string never fails.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Writes a line that is escaped already to stdout. A closed pipe (`host … | head`) is no failure.
///
/// # Errors
/// Stdout cannot be written for another reason.
pub(crate) fn write_line(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Writes JSON lines to stdout: byte by byte as they are to a file or a pipe, since a digest may be
/// of them, and escaped to a terminal. A closed pipe is no failure.
///
/// # Errors
/// Stdout cannot be written for another reason.
pub(crate) fn write_bytes(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    let written = match io::IsTerminal::is_terminal(&stdout) {
        true => stdout.write_all(escaped_json(&String::from_utf8_lossy(bytes)).as_bytes()),
        false => stdout.write_all(bytes),
    };
    match written.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes to stderr; nobody is left to be told that it is gone.
pub(crate) fn write_stderr(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", escape(text));
}

/// Writes one JSON document on a line of stderr.
pub(crate) fn write_stderr_json(json: &serde_json::Value) {
    let _ = writeln!(io::stderr().lock(), "{}", escaped_json(&json.to_string()));
}

/// Writes a question to stderr, and no line end.
///
/// # Errors
/// Stderr is closed.
pub(crate) fn prompt(text: &str) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    stderr.write_all(escape(text).as_bytes())?;
    stderr.flush()
}

/// How a writer's text is escaped.
#[derive(Debug, Clone, Copy)]
pub(crate) enum EscapeStyle {
    /// As [`escape`].
    Text,
    /// As [`escaped_json`].
    Json,
}

/// Stderr for logs: each write is one whole event. Where whoever read it is gone, events are lost
/// and the host goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogWriter(pub(crate) EscapeStyle);

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let text = match self.0 {
            EscapeStyle::Text => escape(&text),
            EscapeStyle::Json => escaped_json(&text),
        };
        let _ = io::stderr().lock().write_all(text.as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().lock().flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{escape, escaped_json};

    /// C0, DEL, C1, line and paragraph separators, bidi controls, what has no width, tags.
    const STEERING: &str = "\u{0}\u{7}\u{8}\u{1b}[31m\r\u{7f}\u{85}\u{9b}\u{2028}\u{2029}\u{200b}\u{202e}\u{2066}\u{feff}\u{ad}\u{e0041}";

    #[test]
    fn nothing_that_steers_a_terminal_is_left_in_text_or_json() {
        for text in [
            escape(STEERING),
            escaped_json(&serde_json::json!(STEERING).to_string()),
        ] {
            assert!(
                text.is_ascii() && !text.chars().any(char::is_control),
                "{text}"
            );
        }
        assert_eq!(escape("zażółć 中\n\t-"), "zażółć 中\n\t-");
    }

    #[test]
    fn json_means_the_same_once_it_is_escaped() {
        let value = serde_json::json!({ STEERING: [STEERING, "ż"] });
        let text = escaped_json(&serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }
}
