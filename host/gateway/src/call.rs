use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use futures::future::BoxFuture;
use toolhost_identity::Binding;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tools::{
    CallOptions, CallOutcome, ModelArgs, PluginStatus, Refusals, ToolEntry, ToolPage, Tools,
};

use crate::metrics;

/// The one call path, as far as the doors see it: [`Tools`], or a stand-in where a test needs no sandbox.
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

/// Which door a call came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallTransport {
    Mcp,
    Stdio,
    Api,
}

impl CallTransport {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Mcp => "mcp",
            Self::Stdio => "stdio",
            Self::Api => "api",
        }
    }
}

/// Calls a tool, counts it, and turns a panic on the way into one failed call.
pub(crate) async fn call(
    path: &dyn CallPath,
    door: CallTransport,
    binding: &Binding,
    name: &str,
    arguments: ModelArgs,
    options: CallOptions,
) -> Result<CallOutcome, PublicError> {
    let counted = CallMetricGuard {
        door,
        started: Instant::now(),
        is_over: false,
    };
    let call = AssertUnwindSafe(async { path.call(binding, name, arguments, options).await });
    let outcome = call.catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(tool = name, "a call panicked");
        Err(PublicError::new(
            ErrorCode::Internal,
            "the host could not do its part; the log has the reason",
        ))
    });
    counted.ends(&outcome);
    outcome
}

/// A call in the metrics: counted once, as cancelled where its caller went away and it was dropped.
struct CallMetricGuard {
    door: CallTransport,
    started: Instant,
    is_over: bool,
}

impl CallMetricGuard {
    fn ends(mut self, outcome: &Result<CallOutcome, PublicError>) {
        self.is_over = true;
        metrics::record_call(self.door, outcome, self.started.elapsed());
    }
}

impl Drop for CallMetricGuard {
    fn drop(&mut self) {
        if !self.is_over {
            let gone = PublicError::new(ErrorCode::Cancelled, "the call was dropped by its caller");
            metrics::record_call(self.door, &Err(gone), self.started.elapsed());
        }
    }
}
