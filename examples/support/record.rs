use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::mask::{body as masked_body, mask};
use crate::problem;

/// No request of these APIs is longer.
const MAX_BODY: usize = 64 << 10;

/// What crossed the wire: on stdout for a person, and in a file for a test.
#[derive(Debug, Clone)]
pub struct Record(Option<Arc<Mutex<File>>>);

/// What a route adds to the record of its request, as an extension of its response.
#[derive(Debug, Clone, Default)]
pub struct RecordNotes(pub Map<String, Value>);

impl Record {
    /// Appends to a file; without one there is stdout alone.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self(None));
        };
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.with_context(|| format!("--record {}", path.display()))?;
        Ok(Self(Some(Arc::new(Mutex::new(file)))))
    }

    fn write(&self, request: &Parts, body: &[u8], status: u16, noted: RecordNotes) {
        let mut shown = Map::new();
        for (name, value) in &request.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            let value = if name == "authorization" {
                mask(&value)
            } else {
                value.into_owned()
            };
            shown.insert(name.as_str().to_owned(), Value::String(value));
        }
        let target = request
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let mut line = json!({
            "method": request.method.as_str(), "target": target, "headers": shown,
            "body": masked_body(body), "status": status,
        });
        if let Some(line) = line.as_object_mut() {
            line.extend(noted.0);
        }
        // A closed stdout or a full disk must not stop the API.
        let _ = writeln!(std::io::stdout(), "{line}");
        if let Some(file) = &self.0
            && let Ok(mut file) = file.lock()
        {
            let _ = writeln!(file, "{line}");
        }
    }
}

/// Writes each request down, and how it was answered. It stands outside everything else, so that
/// refused requests are recorded too.
pub async fn write_down(State(record): State<Record>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is longer than 64 KiB",
        );
    };
    let request = Request::from_parts(parts.clone(), Body::from(body.clone()));
    let mut response = next.run(request).await;
    let noted = response
        .extensions_mut()
        .remove::<RecordNotes>()
        .unwrap_or_default();
    record.write(&parts, &body, response.status().as_u16(), noted);
    response
}
