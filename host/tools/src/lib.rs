//! What can be called: the catalogue, and the one call path of every door.
//!
//! This room decides which tool a name means for a caller, and what must hold before and after it runs. What must never
//! happen here: a second way to run a tool; an argument that its schema does not have; a result that nobody looked at; a
//! tool's answers resumed by another caller than the one who was asked; a tool run for a tenant that does not have it.
//!
//! # Tour
//!
//! - [`Tools`]: [`Tools::list`], [`Tools::find`], [`Tools::call`].
//! - [`Catalogue`]: the plugins that are served, built once and swapped whole; [`PreparedPlugin`]: one of them.
//! - [`PluginStatuses`]: what became of each plugin that was named.
//! - [`ToolEntry`], [`ToolPage`]: a tool as clients see it, and a page of them.
//! - [`Described`]: a connection whose tools an adapter has found in a document or been told by a system.
//! - [`Assignments`]: which tenant has which of them, and how far they may go.
//! - [`ModelArgs`]: what the model chose.
//! - [`Budgets`]: what a tenant may use of the host. `cached`: results that are given again.
//! - [`CallOptions`], [`CallOutcome`]: what a door brings to a call and gets from it.

mod about;
mod args;
mod assignments;
mod budget;
mod cached;
mod call;
mod catalogue;
mod checks;
mod described;
mod end;
mod entry;
mod error_schema;
mod model_schema;
mod nulls;
mod options;
mod outcome;
mod prepared;
mod provided;
mod refusals;
mod revision;
mod schema;
mod schemas;
mod seal;
mod shelf;
mod status;
mod stock;

pub use about::About;
pub use args::ModelArgs;
pub use assignments::{
    Assignment, AssignmentError, AssignmentRules, Assignments, TenantAssignments, ToolChoice, WhoHas,
};
pub use budget::Budgets;
pub use call::Tools;
pub use catalogue::{Catalogue, CatalogueError};
pub use described::{
    Described, Refusal, credential_arguments, granted, refusals, tenant_arguments, tool_name, upstream_name,
};
pub use entry::{Effects, HOST_TOOLS, ToolEntry};
pub use error_schema::or_error;
pub use options::{Answer, CallOptions, ClientCapabilities, Resume};
pub use outcome::{CallOutcome, Content, InputRequest, InputRequired, ResourceBody, ToolOutput};
pub use prepared::PreparedPlugin;
pub use refusals::Refusals;
pub use shelf::ToolPage;
pub use status::{LEFT_OUT, PluginState, PluginStatus, PluginStatuses};
pub use toolhost_sandbox::{GuestLog, ProgressSink};
