//! For adapters: plugins that turn one described system (an OpenAPI document, an MCP server) into
//! tools.
//!
//! An adapter implements [`Adapter`] and is exported with [`crate::export_adapter!`]. In its
//! requests the connection is implied: [`connection`]. The records of `wit/adapter.wit` are used as
//! they are.

#[doc(hidden)]
pub mod bindings;
mod export;
pub mod name;
mod state;
pub mod text;

pub use bindings::exports::toolhost::plugin::adapter::{
    Argument, Discovered, Discovery, Document, Operation, Skipped,
};
pub use state::{StateEntry, UpstreamState};

#[doc(hidden)]
pub use crate::bindings::exports::toolhost::plugin::tools as wire;
pub use crate::bindings::exports::toolhost::plugin::tools::{Effects, Invocation, Tool};
use crate::{Content, Failure, Http, host};

/// What an adapter does. Each function runs in a fresh instance; nothing is kept between them but
/// [`UpstreamState`].
pub trait Adapter {
    /// What the system offers: the same document gives the same answer, byte for byte. `None` where
    /// the system is asked.
    ///
    /// # Errors
    /// `invalid-document`, `unsupported`, `limit` or `upstream`. One bad operation is no error: it
    /// goes into `skipped`.
    fn discover(document: Option<Document>) -> Result<Discovery, Failure>;

    /// Calls the tool that `descriptor` came with.
    ///
    /// # Errors
    /// The tool's failure.
    fn invoke(descriptor: &[u8], invocation: &Invocation) -> Result<Answer, Failure>;

    /// Tells the system that a call was dropped; `note` is what [`UpstreamState::on_cancel`] was
    /// given.
    ///
    /// # Errors
    /// For the operator alone.
    fn cancel(_descriptor: &[u8], _note: &[u8]) -> Result<(), Failure> {
        Ok(())
    }
}

/// The one connection that the operator set the adapter on.
#[must_use]
pub const fn connection() -> Http<'static> {
    Http::connection("")
}

/// Tells how far the call has come. `done` must not fall. Free when nobody listens.
pub fn progress(done: f64, total: Option<f64>, message: Option<&str>) {
    host::report(done, total, message);
}

/// What a call returned. Unlike [`crate::Output`] it holds its structured part as the text that the
/// system sent, so that no number loses a digit on its way through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// In the order in which the model reads them.
    pub content: Vec<Content>,
    /// JSON text.
    pub structured: Option<String>,
}

impl Answer {
    #[doc(hidden)]
    #[must_use]
    pub fn into_wire(self) -> wire::Outcome {
        wire::Outcome::Complete(wire::Output {
            content: self.content.into_iter().map(Content::into_wire).collect(),
            structured: self.structured,
            meta: Vec::new(),
        })
    }
}
