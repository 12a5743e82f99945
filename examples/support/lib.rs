//! What the examples share. Each example has an outside system (`upstream`), a small HTTP API as
//! some company would run it, which knows nothing of toolhost; and a player (`player`), which
//! starts that system and the host, calls tools, prints what it sees, and fails where a claim that
//! it prints does not hold.
//!
//! - [`Record`]: the file in which an outside system writes down its requests, a JSON object a
//!   line, with secrets masked.
//!   [`write_down`]: the layer that fills it. [`RecordNotes`]: what a route adds to the record of its request.
//! - [`secret`]: a secret from a file or the environment. [`problem`]: a refusal.
//! - [`player`]: what the players share.

mod mask;
pub mod player;
mod record;
mod secret;

pub use mask::mask;
pub use record::{Record, RecordNotes, write_down};
pub use secret::secret;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};

/// An answer with a status of refusal and why.
#[must_use]
pub fn problem(status: StatusCode, detail: &str) -> Response {
    (status, Json(serde_json::json!({ "error": detail }))).into_response()
}
