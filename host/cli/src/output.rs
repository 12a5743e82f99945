//! What a verb says on stdout: text, JSON, or a table.

use std::io::Write;

use comfy_table::{Table, presets};
use serde::Serialize;
use toolhost_policy::is_hidden;

use crate::args::OutputFormat;

/// Something that a verb shows in three forms.
pub(crate) trait Show: Serialize {
    /// For people: one or more lines.
    fn text(&self) -> String;

    /// Heads and rows.
    fn table(&self) -> (Vec<String>, Vec<Vec<String>>);
}

/// The head of a table.
pub(crate) fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Writes to stdout.
///
/// # Errors
/// Stdout is closed.
pub(crate) fn show(format: OutputFormat, value: &impl Show) -> anyhow::Result<()> {
    let text = match format {
        OutputFormat::Text => value.text(),
        OutputFormat::Json => serde_json::to_string_pretty(value)?,
        OutputFormat::Table => {
            let (head, rows) = value.table();
            let mut table = Table::new();
            table
                .load_style(presets::UTF8_BORDERS_ONLY)
                .set_header(head)
                .add_rows(rows);
            table.to_string()
        }
    };
    line(text.trim_end())
}

/// Writes one text and a line end to stdout. A closed pipe (`host … | head`) is no failure.
///
/// # Errors
/// Stdout cannot be written for another reason.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// What an untrusted text (a plugin's description, say) may show on a terminal: no control characters, so that it
/// cannot move the cursor or hide a line of the question that a person answers.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || is_hidden(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Bytes for people.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..1_024 => format!("{count} bytes"),
        1_024..1_048_576 => format!("{:.1} KiB", count as f64 / 1_024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn a_plugins_text_cannot_steer_the_terminal() {
        let text = printable("ok\u{1b}[2K\r\u{202e}gnorw\u{7}\u{9b}");
        assert!(
            !text.contains(['\u{1b}', '\r', '\u{202e}', '\u{7}', '\u{9b}']),
            "{text:?}"
        );
        assert!(text.starts_with("ok"));
    }
}
