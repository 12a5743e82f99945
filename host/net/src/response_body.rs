use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::flow::{Flow, ThreadTime};

/// The body of an answer, as it comes.
#[derive(Debug)]
pub struct ResponseBody {
    inner: Incoming,
    flow: Option<Arc<Flow>>,
    spent: ThreadTime,
}

impl ResponseBody {
    pub(crate) fn new(inner: Incoming, flow: Option<Arc<Flow>>, spent: ThreadTime) -> Self {
        Self { inner, flow, spent }
    }

    /// The time for which this client's connections have held a thread since this was last asked.
    /// Whoever uses the client pays for it.
    #[must_use]
    pub fn take_cpu(&self) -> Duration {
        self.spent.take()
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        let data = frame
            .as_ref()
            .and_then(|frame| frame.as_ref().ok()?.data_ref());
        if let (Some(data), Some(flow)) = (data, &self.flow) {
            flow.allow_body(data.len());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
