//! What can be called: the catalogue, and the one call path of every door.
//!
//! This room decides which tool a name means for a caller, and what must hold before and after it runs. What must never
//! happen here: a second way to run a tool; an argument that its schema does not have; a result that nobody looked at; a
//! tool's answers resumed by another caller than the one who was asked.
//!
//! # Tour
//!
//! - [`Tools`]: [`Tools::list`], [`Tools::find`], [`Tools::call`].
//! - [`Catalogue`]: the plugins that are served, built once and swapped whole.
//! - [`ToolEntry`], [`ToolPage`]: a tool as clients see it, and a page of them.
//! - [`ModelArgs`]: what the model chose.
//! - [`CallOptions`], [`CallOutcome`]: what a door brings to a call and gets from it.

mod args;
mod call;
mod catalogue;
mod end;
mod entry;
mod outcome;
mod schema;
mod seal;

pub use args::ModelArgs;
pub use call::{Answer, CallOptions, ClientCapabilities, Resume, Tools};
pub use catalogue::{Catalogue, CatalogueError, ToolPage};
pub use entry::{Effects, HOST_TOOLS, ToolEntry};
pub use outcome::{CallOutcome, Content, InputRequest, InputRequired, ResourceBody, ToolOutput};
pub use toolhost_sandbox::ProgressSink;
