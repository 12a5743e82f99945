use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use rmcp::RoleServer;
use rmcp::model::{CallToolResponse, ErrorData};
use rmcp::service::RequestContext;
use tokio_util::sync::CancellationToken;

/// What a call comes to.
pub(super) type ToolCallResult = Result<CallToolResponse, ErrorData>;

/// A call that runs in its request's own task, without the SDK's service between the two. As with
/// that service, it is cancelled when nobody waits for it any more, and runs on until it has
/// noticed.
pub(super) struct RunningCall {
    call: Option<BoxFuture<'static, ToolCallResult>>,
    cancel: CancellationToken,
}

impl RunningCall {
    /// Nothing runs before the first poll.
    pub(super) fn new(
        call: impl Future<Output = ToolCallResult> + Send + 'static,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            call: Some(call.boxed()),
            cancel,
        }
    }
}

impl Future for RunningCall {
    type Output = ToolCallResult;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<ToolCallResult> {
        // Taken out, so that one that panics is not gone on with. One that has ended is asked by
        // nobody.
        let Some(mut call) = self.call.take() else {
            return Poll::Pending;
        };
        let polled = call.as_mut().poll(context);
        if polled.is_pending() {
            self.call = Some(call);
        }
        polled
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        let Some(call) = self.call.take() else { return };
        self.cancel.cancel();
        // Without a runtime nothing runs any more.
        if let Ok(here) = tokio::runtime::Handle::try_current() {
            here.spawn(call.map(drop));
        }
    }
}

/// Whether a request is answered in its own task, or was before it went to the transport.
pub(super) fn is_direct(context: &RequestContext<RoleServer>) -> bool {
    context.extensions.get::<http::request::Parts>().is_none()
}

/// A call that was begun before its request went to the transport, on its way through it to the
/// session's handler.
#[derive(Clone)]
pub(super) struct StartedCall(Arc<Mutex<Option<RunningCall>>>);

impl StartedCall {
    pub(super) fn new(running: RunningCall) -> Self {
        Self(Arc::new(Mutex::new(Some(running))))
    }

    /// The call that this request has begun already.
    pub(super) fn take_from(context: &RequestContext<RoleServer>) -> Option<RunningCall> {
        let parts = context.extensions.get::<http::request::Parts>()?;
        let begun = parts.extensions.get::<Self>()?;
        begun
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl fmt::Debug for StartedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartedCall").finish_non_exhaustive()
    }
}

/// The rest of a call that was begun before; from here on its client cancels it as any other.
pub(super) async fn await_adopted(
    mut running: RunningCall,
    context: &RequestContext<RoleServer>,
) -> ToolCallResult {
    tokio::select! {
        biased;
        answer = &mut running => return answer,
        () = context.ct.cancelled() => running.cancel.cancel(),
    }
    running.await
}
