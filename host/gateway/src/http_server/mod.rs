//! The HTTP server: which connections are open, what becomes of each, and how they end.

mod accept;
mod client_stream;
mod framing;
mod permits;

pub(crate) use accept::{HttpServer, Shutdown};
pub(crate) use permits::{ConnectionPermit, RequestPermit, admission_error_response};
