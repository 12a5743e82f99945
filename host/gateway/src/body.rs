use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use toolhost_policy::{ErrorCode, PublicError};

use crate::GatewayConfig;
use crate::problem::{problem, problem_with};

/// From the head of a request to the end of its body. A body of some MiB needs a second on a slow
/// line; a client that sends one byte now and then keeps no buffer longer than this.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// Of a body that is too long: some times what a client sends by mistake, and a second on a slow
/// line.
const MAX_DISCARDED: usize = 4 << 20;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the request body is longer than {0} bytes, which no key changes; send less")]
    TooLarge(usize),
    #[error(
        "the request body is longer than {0} bytes: twice [limits] arguments_bytes and 256 KiB; send less, or raise that key"
    )]
    MessageTooLarge(usize),
    #[error("the request body did not arrive in time")]
    TooSlow,
    #[error("the request body ended early")]
    Broken,
}

impl BodyError {
    pub(crate) fn response(self) -> Response {
        let public = |code| PublicError::new(code, self.to_string());
        match self {
            Self::TooLarge(_) => problem(&public(ErrorCode::LimitExceeded)),
            Self::MessageTooLarge(_) => {
                problem(&public(ErrorCode::LimitExceeded).about("arguments_bytes"))
            }
            Self::TooSlow => problem_with(StatusCode::REQUEST_TIMEOUT, &public(ErrorCode::Timeout)),
            Self::Broken => problem(&public(ErrorCode::InvalidRequest)),
        }
    }
}

/// The whole body of a request that brings arguments or a message, at most as long as the
/// configuration has it.
pub(crate) async fn message(body: Body, config: &GatewayConfig) -> Result<Bytes, BodyError> {
    read(body, config.max_body_bytes, BODY_TIMEOUT)
        .await
        .map_err(|error| match error {
            BodyError::TooLarge(limit) => BodyError::MessageTooLarge(limit),
            error => error,
        })
}

/// The whole body: at most `limit` bytes, a bound that nobody sets, within `timeout`.
pub(crate) async fn read(
    mut body: Body,
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, BodyError> {
    // A declared length is believed before anything is buffered; an undeclared one is counted.
    if body.size_hint().lower() > limit as u64 {
        discard(&mut body).await;
        return Err(BodyError::TooLarge(limit));
    }
    match tokio::time::timeout(timeout, Limited::new(&mut body, limit).collect()).await {
        Err(_) => Err(BodyError::TooSlow),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            discard(&mut body).await;
            Err(BodyError::TooLarge(limit))
        }
        Ok(Err(_)) => Err(BodyError::Broken),
    }
}

/// Reads the rest of a body without keeping it. A client that still sends when its connection is
/// closed never sees the answer (RFC 9112 section 9.6).
async fn discard(body: &mut Body) {
    let mut rest = Limited::new(body, MAX_DISCARDED);
    let read = async { while let Some(Ok(_)) = rest.frame().await {} };
    let _late = tokio::time::timeout(DISCARD_TIMEOUT, read).await;
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use axum::body::Body;
    use bytes::Bytes;
    use futures::StreamExt;

    use super::{BODY_TIMEOUT, BodyError, MAX_DISCARDED, read};

    #[tokio::test]
    async fn a_body_without_a_length_is_counted() {
        let chunks = || {
            futures::stream::iter(std::iter::repeat_n(
                Ok::<_, Infallible>(Bytes::from_static(b"1234")),
                3,
            ))
        };
        let streamed = Body::from_stream(chunks());
        assert_eq!(
            read(streamed, 11, BODY_TIMEOUT).await,
            Err(BodyError::TooLarge(11))
        );
        assert_eq!(
            read(Body::from_stream(chunks()), 12, BODY_TIMEOUT)
                .await
                .unwrap()
                .len(),
            12
        );
        assert_eq!(
            read(Body::from("123456"), 5, BODY_TIMEOUT).await,
            Err(BodyError::TooLarge(5))
        );
    }

    #[tokio::test]
    async fn the_rest_of_a_body_that_is_too_long_is_read_up_to_a_bound_so_that_its_client_sees_the_answer()
     {
        for (chunks, passed) in [(20, 20), (usize::MAX, 1 + MAX_DISCARDED.div_ceil(1 << 16))] {
            let count = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&count);
            let sent = futures::stream::repeat(Bytes::from_static(&[b'x'; 1 << 16])).take(chunks);
            let sent = sent.map(move |chunk| {
                counted.fetch_add(1, Ordering::Relaxed);
                Ok::<_, Infallible>(chunk)
            });
            assert_eq!(
                read(Body::from_stream(sent), 1 << 10, BODY_TIMEOUT).await,
                Err(BodyError::TooLarge(1 << 10))
            );
            let read = count.load(Ordering::Relaxed);
            assert!(read + 2 > passed && read < passed + 2, "{read} of {chunks}");
        }
    }

    #[tokio::test]
    async fn a_body_that_trickles_is_dropped_at_the_deadline_and_not_at_the_next_byte() {
        let trickle = futures::stream::repeat(()).then(|()| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok::<_, Infallible>(Bytes::from_static(b"x"))
        });
        let read = read(
            Body::from_stream(trickle),
            1 << 20,
            Duration::from_millis(60),
        )
        .await;
        assert_eq!(read, Err(BodyError::TooSlow));
    }
}
