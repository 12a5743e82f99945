//! What the outside systems of the examples have in common. Each is a small HTTP API, as some company would run it, that
//! writes down what crossed the wire, so that a person and a test can look. It knows nothing of toolhost.
//!
//! - [`Record`]: the file, a JSON object a request, with what opens something masked. [`write_down`]: the layer that fills it.
//! - [`Noted`]: what a route adds to the record of its request.
//! - [`secret`]: a secret from a file or the environment. [`problem`]: a refusal.

mod mask;
mod record;
mod secret;

pub use mask::mask;
pub use record::{Noted, Record, write_down};
pub use secret::secret;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Json, Response};

/// An answer with a status of refusal and why.
#[must_use]
pub fn problem(status: StatusCode, detail: &str) -> Response {
    (status, Json(serde_json::json!({ "error": detail }))).into_response()
}
