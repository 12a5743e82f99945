use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use axum::http::HeaderMap;
use serde_json::{Map, Value, json};

/// How much of a secret may be seen, so that two can be told apart.
const SHOWN: usize = 4;

/// What crossed the wire: on stdout for a person, and in a file for a test.
#[derive(Debug, Clone)]
pub(crate) struct Record(Option<Arc<Mutex<File>>>);

impl Record {
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self(None)) };
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.with_context(|| format!("--record {}", path.display()))?;
        Ok(Self(Some(Arc::new(Mutex::new(file)))))
    }

    /// Writes down one request and how it was answered.
    pub(crate) fn write(&self, method: &str, target: &str, headers: &HeaderMap, body: &[u8], status: u16) {
        let mut shown = Map::new();
        for (name, value) in headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            let value = if name == "authorization" {
                mask(&value)
            } else {
                value.into_owned()
            };
            shown.insert(name.as_str().to_owned(), Value::String(value));
        }
        let line = json!({
            "method": method, "target": target, "headers": shown,
            "body": String::from_utf8_lossy(body), "status": status,
        });
        // A closed stdout or a full disk must not stop the API.
        let _ = writeln!(std::io::stdout(), "{line}");
        if let Some(file) = &self.0
            && let Ok(mut file) = file.lock()
        {
            let _ = writeln!(file, "{line}");
        }
    }
}

/// `Bearer tok_live_0123456789` becomes `Bearer ****6789`.
fn mask(value: &str) -> String {
    let (scheme, secret) = value.split_once(' ').unwrap_or(("", value));
    let tail: String = if secret.chars().count() > 4 * SHOWN {
        secret.chars().skip(secret.chars().count() - SHOWN).collect()
    } else {
        String::new()
    };
    format!("{scheme} ****{tail}").trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn a_token_is_never_recorded_whole() {
        assert_eq!(mask("Bearer tok_live_0123456789abc"), "Bearer ****9abc");
        assert_eq!(mask("Bearer short"), "Bearer ****");
        assert_eq!(mask("tok_live_0123456789abc"), "****9abc");
    }
}
