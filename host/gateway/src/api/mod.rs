//! The HTTP API: the same tools by the same call path, for programs without an MCP client.

mod artifact;
mod call;
mod call_input;
mod connect;
mod list;
mod openapi;
mod perform;
mod query;
mod sessions;
mod tenant_headers;
mod tenants;

pub(crate) use artifact::artifact;
pub(crate) use call::call;
pub(crate) use connect::connect;
pub(crate) use list::{ApiPageCache, list};
pub(crate) use openapi::openapi;
pub(crate) use sessions::{begin, call as call_in_session, end, events, list as list_sessions, show};
pub(crate) use tenants::{list as list_tenants, show as show_tenant};
