//! What a verb says on stdout: text, JSON, or a table. All that a verb writes, to stdout or stderr,
//! goes through [`crate::screen`].

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::args::OutputFormat;
use crate::screen::{self, escape, escaped_json};

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
        OutputFormat::Text => escape(&value.text()),
        OutputFormat::Json => escaped_json(&serde_json::to_string_pretty(value)?),
        OutputFormat::Table => {
            let (head, rows) = value.table();
            // Before the table is laid out: an escape is wider than what it stands for.
            let cells = |row: Vec<String>| row.iter().map(|cell| escape(cell)).collect::<Vec<_>>();
            let mut table = Table::new();
            table
                .load_style(presets::UTF8_BORDERS_ONLY)
                .set_header(cells(head))
                .add_rows(rows.into_iter().map(cells));
            table.to_string()
        }
    };
    screen::write_line(text.trim_end())
}

/// Writes one text and a line end to stdout. A closed pipe (`host … | head`) is no failure.
///
/// # Errors
/// Stdout cannot be written for another reason.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    screen::write_line(&escape(text))
}

/// Writes one JSON document on a line of stdout.
///
/// # Errors
/// As [`line()`].
pub(crate) fn json_line(json: &serde_json::Value) -> anyhow::Result<()> {
    screen::write_line(&escaped_json(&json.to_string()))
}

/// One line of an untrusted text (a plugin's description, say): it cannot move the cursor, nor add
/// or hide a line of the question that a person answers.
pub(crate) fn printable(text: &str) -> String {
    let line = text.replace(['\n', '\t'], " ");
    escape(&line)
}

/// The lines of an untrusted text, each below the other, where the first begins at column `indent`.
pub(crate) fn printable_lines(text: &str, indent: usize) -> String {
    let lines: Vec<String> = text.lines().map(printable).collect();
    lines.join(&format!("\n{:indent$}", ""))
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
    use super::{printable, printable_lines};

    #[test]
    fn a_plugins_text_cannot_steer_the_terminal() {
        let text = printable("ok\u{1b}[2K\r\u{202e}gnorw\u{7}\u{9b}\nthis is granted");
        assert_eq!(
            text,
            "ok\\u{1b}[2K\\r\\u{202e}gnorw\\u{7}\\u{9b} this is granted"
        );
    }

    #[test]
    fn an_error_of_several_lines_stays_readable() {
        let text = printable_lines("expected a value\n  |\n2 | x\u{9b} =\r\n", 4);
        assert_eq!(text, "expected a value\n      |\n    2 | x\\u{9b} =");
    }
}
