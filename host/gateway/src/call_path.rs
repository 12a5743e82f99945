use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use toolhost_identity::Binding;
use toolhost_policy::PublicError;
use toolhost_tools::{
    CallOptions, CallOutcome, ModelArgs, PluginStatus, Refusals, ToolEntry, ToolPage, Tools,
};

/// The one way to list and call the tools of plugins: [`Tools`], or a stand-in where a test needs
/// no sandbox.
pub trait CallPath: Send + Sync + 'static {
    /// As [`Tools::list`].
    ///
    /// # Errors
    /// The cursor is not one of this list; what the tenant may call cannot be read.
    fn list<'a>(
        &'a self,
        binding: &'a Binding,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Arc<ToolPage>, PublicError>>;

    /// As [`Tools::find`].
    ///
    /// # Errors
    /// What the tenant may call cannot be read.
    fn find<'a>(
        &'a self,
        binding: &'a Binding,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<ToolEntry>>, PublicError>>;

    /// As [`Tools::find_at_once`].
    fn find_at_once(&self, binding: &Binding, name: &str) -> Option<Arc<ToolEntry>>;

    /// As [`Tools::call`].
    fn call<'a>(
        &'a self,
        binding: &'a Binding,
        name: &'a str,
        arguments: ModelArgs,
        options: CallOptions,
    ) -> BoxFuture<'a, Result<CallOutcome, PublicError>>;

    /// What became of each plugin that was named, as [`Tools::statuses`]. A stand-in has none.
    fn plugins(&self) -> Arc<Vec<PluginStatus>> {
        Arc::default()
    }

    /// Where refused requests are counted. A stand-in counts none.
    fn refusals(&self) -> Option<&Refusals> {
        None
    }
}

impl CallPath for Tools {
    fn list<'a>(
        &'a self,
        binding: &'a Binding,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Arc<ToolPage>, PublicError>> {
        self.list(binding, cursor).boxed()
    }

    fn find<'a>(
        &'a self,
        binding: &'a Binding,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<ToolEntry>>, PublicError>> {
        self.find(binding, name).boxed()
    }

    fn find_at_once(&self, binding: &Binding, name: &str) -> Option<Arc<ToolEntry>> {
        self.find_at_once(binding, name)
    }

    fn call<'a>(
        &'a self,
        binding: &'a Binding,
        name: &'a str,
        arguments: ModelArgs,
        options: CallOptions,
    ) -> BoxFuture<'a, Result<CallOutcome, PublicError>> {
        self.call(binding, name, arguments, options).boxed()
    }

    fn plugins(&self) -> Arc<Vec<PluginStatus>> {
        self.statuses().get()
    }

    fn refusals(&self) -> Option<&Refusals> {
        Some(Tools::refusals(self))
    }
}
