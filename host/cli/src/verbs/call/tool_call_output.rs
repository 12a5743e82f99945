use serde::Serialize;
use serde_json::Value;

use crate::output::{Show, bytes, printable};

/// A tool's answer, in MCP's shapes.
#[derive(Serialize)]
pub(super) struct ToolCallOutput {
    content: Vec<Value>,
    #[serde(rename = "structuredContent", skip_serializing_if = "Option::is_none")]
    structured: Option<Value>,
    #[serde(skip)]
    lines: Vec<String>,
}

impl ToolCallOutput {
    pub(super) fn new(content: Vec<Value>, structured: Option<Value>) -> Self {
        let lines = content.iter().map(line).collect();
        Self {
            content,
            structured,
            lines,
        }
    }
}

impl Show for ToolCallOutput {
    fn text(&self) -> String {
        match (&self.structured, self.lines.is_empty()) {
            (Some(structured), true) => format!("{structured:#}"),
            _ => self.lines.join("\n"),
        }
    }

    fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        if let Some(table) = self.structured.as_ref().and_then(list) {
            return table;
        }
        let rows = match &self.structured {
            Some(Value::Object(members)) => members
                .iter()
                .map(|(name, value)| vec![printable(name), cell(value)])
                .collect(),
            _ => self
                .lines
                .iter()
                .map(|line| vec![String::new(), line.clone()])
                .collect(),
        };
        (vec!["member".into(), "value".into()], rows)
    }
}

/// A list of objects, alone or as the one list of an answer, is a table by itself. What stands
/// beside it (a cursor, say) is for the other forms.
fn list(structured: &Value) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let items = match structured {
        Value::Array(items) => items,
        Value::Object(members) => {
            let mut lists = members.values().filter_map(Value::as_array);
            let only = lists.next()?;
            if lists.next().is_some() {
                return None;
            }
            only
        }
        _ => return None,
    };
    let first = items.first()?.as_object()?;
    let keys: Vec<&String> = first.keys().collect();
    let row = |item: &Value| {
        Some(
            keys.iter()
                .map(|key| item.get(key).map_or(String::new(), cell))
                .collect(),
        )
    };
    let rows = items
        .iter()
        .map(|item| item.as_object().and_then(|_| row(item)))
        .collect::<Option<_>>()?;
    Some((keys.into_iter().map(|key| printable(key)).collect(), rows))
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.lines().map(printable).collect::<Vec<_>>().join("\n"),
        Value::Array(items) => items
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
        other => other.to_string(),
    }
}

/// A block for people. Line breaks stay.
fn line(block: &Value) -> String {
    let text = |value: &Value, key: &str| {
        printable(value.get(key).and_then(Value::as_str).unwrap_or_default())
    };
    match block.get("type").and_then(Value::as_str) {
        Some("text") => {
            let whole = block
                .get("text")
                .and_then(Value::as_str)
                .unwrap_or_default();
            whole.lines().map(printable).collect::<Vec<_>>().join("\n")
        }
        Some("image" | "audio") => {
            let data = block
                .get("data")
                .and_then(Value::as_str)
                .unwrap_or_default();
            // Base64 has four characters for three bytes.
            format!(
                "[{}, {}]",
                text(block, "mimeType"),
                bytes(data.len() as u64 / 4 * 3)
            )
        }
        Some("resource_link") => {
            let described = match text(block, "description") {
                none if none.is_empty() => none,
                description => format!(" ({description})"),
            };
            format!("{}: {}{described}", text(block, "name"), text(block, "uri"))
        }
        _ => format!(
            "[resource {}]",
            block
                .get("resource")
                .map(|resource| text(resource, "uri"))
                .unwrap_or_default()
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{line, list};

    #[test]
    fn every_block_has_a_line_that_steers_nothing() {
        for (block, shown) in [
            (
                json!({ "type": "text", "text": "a\u{1b}\nb" }),
                "a\\u{1b}\nb",
            ),
            (
                json!({ "type": "image", "data": "AAAA", "mimeType": "image/png" }),
                "[image/png, 3 bytes]",
            ),
            (
                json!({ "type": "resource_link", "name": "n", "uri": "x://\u{202e}" }),
                "n: x://\\u{202e}",
            ),
            (
                json!({ "type": "resource_link", "name": "n", "uri": "x://1", "description": "d\u{1b}" }),
                "n: x://1 (d\\u{1b})",
            ),
            (
                json!({ "type": "resource", "resource": { "uri": "x://1" } }),
                "[resource x://1]",
            ),
        ] {
            assert_eq!(line(&block), shown);
        }
    }

    #[test]
    fn a_list_of_objects_is_a_table_and_nothing_else_is() {
        let (head, rows) =
            list(&json!({ "invoices": [{ "id": "1", "n": 2 }, { "id": "3" }], "next": "x" }))
                .unwrap();
        assert_eq!(
            (head, rows),
            (
                vec!["id".into(), "n".into()],
                vec![
                    vec!["1".into(), "2".into()],
                    vec!["3".to_owned(), String::new()]
                ]
            )
        );
        for other in [
            json!({}),
            json!([]),
            json!([1]),
            json!({ "a": [{}], "b": [{}] }),
            json!([{ "a": 1 }, 2]),
        ] {
            assert!(list(&other).is_none(), "{other}");
        }
    }
}
