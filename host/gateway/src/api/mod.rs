//! The HTTP API: the same tools by the same call path, for programs without an MCP client.

mod call;
mod list;
mod openapi;

pub(crate) use call::call;
pub(crate) use list::{Pages, list};
pub(crate) use openapi::openapi;
