//! Lines for the operator: never seen by the model. Cleaned of control characters, cut at 4 KiB, at
//! most 1,000 a call.

use crate::host;

/// The finest level.
pub fn trace(message: &str) {
    host::emit("trace", message);
}

/// For whoever looks for a mistake.
pub fn debug(message: &str) {
    host::emit("debug", message);
}

/// What is worth knowing.
pub fn info(message: &str) {
    host::emit("info", message);
}

/// Something is not as it should be.
pub fn warn(message: &str) {
    host::emit("warn", message);
}

/// Something failed.
pub fn error(message: &str) {
    host::emit("error", message);
}
