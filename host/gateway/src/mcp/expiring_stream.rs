use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use toolhost_policy::UnixTime;

use crate::caller::{RequestCaller, ends_at};
use crate::shared_state::SharedState;
use crate::sse;

/// How often an open stream's token is verified again (T26, E26).
const RECHECK: Duration = Duration::from_secs(30);

/// A stream of events that ends when its caller's right to it does, whatever it would still have
/// said. While it is quiet, it says so now and then.
pub(crate) struct ExpiringStream<B> {
    inner: B,
    end: Option<BoxFuture<'static, ()>>,
    quiet: Pin<Box<Sleep>>,
}

impl<B> ExpiringStream<B> {
    pub(crate) fn new(inner: B, end: BoxFuture<'static, ()>) -> Self {
        Self {
            inner,
            end: Some(end),
            quiet: Box::pin(tokio::time::sleep(sse::KEEP_ALIVE)),
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for ExpiringStream<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let ended = self
            .end
            .as_mut()
            .is_none_or(|end| end.as_mut().poll(cx).is_ready());
        if ended {
            self.end = None;
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        if polled.is_pending() && self.quiet.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.quiet.as_mut().reset(Instant::now() + sse::KEEP_ALIVE);
        match polled {
            Poll::Pending => Poll::Ready(Some(Ok(Frame::data(sse::COMMENT)))),
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Waits until the caller's token ends, is no longer accepted, or (for a stream that no call is
/// behind) the host drains.
pub(crate) async fn end_of(shared: Arc<SharedState>, caller: RequestCaller, standalone: bool) {
    let ends_at = ends_at(caller.principal());
    let token = async {
        loop {
            let Some(left) = ends_at
                .checked_sub(UnixTime::now().secs())
                .filter(|left| *left > 0)
            else {
                return;
            };
            tokio::time::sleep(Duration::from_secs(left).min(RECHECK)).await;
            if !caller.still_valid(&shared.tenancy).await {
                return;
            }
        }
    };
    if standalone {
        tokio::select! {
            () = token => {}
            () = shared.draining.cancelled() => {}
        }
    } else {
        token.await;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use bytes::Bytes;
    use futures::{FutureExt, StreamExt};
    use http_body_util::BodyExt;

    use super::ExpiringStream;

    #[tokio::test]
    async fn a_stream_says_nothing_more_once_it_has_ended() {
        let endless = || {
            let stream = futures::stream::repeat(()).then(|()| async {
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(Bytes::from_static(b"x"))
            });
            Body::from_stream(stream)
        };
        let over = ExpiringStream::new(endless(), std::future::ready(()).boxed());
        assert!(over.collect().await.unwrap().to_bytes().is_empty());
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let mut open = ExpiringStream::new(endless(), ended.map(drop).boxed());
        assert!(open.frame().await.is_some());
        end.send(()).unwrap();
        assert!(open.frame().await.is_none() && open.frame().await.is_none());
    }
}
