//! What can be called: the catalogue, and the one call path of every transport.
//!
//! This crate decides which tool a name means for a caller, and what must hold before and after it
//! runs. What must never happen here: a second way to run a tool; an argument that its schema does
//! not have; a result that nobody looked at; a tool's answers resumed by another caller than the
//! one who was asked; a tool run for a tenant that does not have it.
//!
//! # Tour
//!
//! - [`Tools`]: [`Tools::list`], [`Tools::find`], [`Tools::call`].
//! - [`ExplainedRequest`]: what would become of a request that nobody makes.
//! - [`Catalogue`]: the plugins that are served, built once and swapped whole; [`PreparedPlugin`]:
//!   one of them.
//! - [`PluginStatuses`]: what became of each plugin that was named.
//! - [`ToolEntry`], [`ToolPage`]: a tool as clients see it, and a page of them.
//! - [`AdapterConnection`]: a connection whose tools an adapter has found in a document or been
//!   told by a system.
//! - [`Assignments`]: which tenant has which of them, and how far they may go.
//! - [`ModelArgs`]: what the model chose.
//! - [`Budgets`]: what a tenant may use of the host. `result_cache`: results that are given again.
//! - [`CallOptions`], [`CallOutcome`]: what a transport brings to a call and gets from it.

mod adapter_connection;
mod args;
mod assignments;
mod budget;
mod cache_rule;
mod call;
mod call_end_recorder;
mod catalogue;
mod catalogue_entry;
mod catalogue_error;
mod catalogue_snapshot;
mod checks;
mod content_meta;
mod entry;
mod error_schema;
mod explain;
mod fill_arguments;
mod model_schema;
mod nulls;
mod options;
mod outcome;
mod paged_tools;
mod prepared_plugin;
mod provisions;
mod refusals;
mod result_cache;
mod resume_purpose;
mod revision;
mod schema;
mod schemas;
mod status;

pub use adapter_connection::{
    AdapterConnection, ToolRefusal, credential_arguments, discovery_grant, refusals,
    tenant_arguments, tool_name, upstream_name,
};
pub use args::ModelArgs;
pub use assignments::{
    Assignment, AssignmentError, AssignmentRules, Assignments, DefaultAssignment,
    TenantAssignments, ToolChoice,
};
pub use budget::Budgets;
pub use call::Tools;
pub use catalogue::Catalogue;
pub use catalogue_error::CatalogueError;
pub use content_meta::ContentMeta;
pub use entry::{Effects, HOST_TOOLS, ToolEntry};
pub use error_schema::with_error_branch;
pub use explain::ExplainedRequest;
pub use options::{CallOptions, ClientCapabilities, InputResponse, Resume};
pub use outcome::{
    CallOutcome, InputRequest, InputRequired, OutputBlock, ResourceBody, ToolOutput,
};
pub use paged_tools::ToolPage;
pub use prepared_plugin::PreparedPlugin;
pub use refusals::Refusals;
pub use status::{LEFT_OUT, PluginState, PluginStatus, PluginStatuses};
pub use toolhost_sandbox::{GuestLog, ProgressSink};
