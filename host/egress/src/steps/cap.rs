use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap};
use http::response::Parts;
use http_body::Body;
use http_body_util::BodyExt as _;
use toolhost_policy::Limits;

use crate::{EgressCode, EgressFailure};

fn limit(message: String) -> EgressFailure {
    EgressFailure::new(EgressCode::Limit, message).after_sending()
}

fn upstream(message: &str) -> EgressFailure {
    EgressFailure::new(EgressCode::Upstream, message).after_sending()
}

fn too_long(limits: &Limits) -> EgressFailure {
    limit(format!(
        "the response body is longer than {} bytes (limits.response_bytes)",
        limits.response_bytes
    ))
}

/// The deadline passed within the body.
pub(crate) fn too_late() -> EgressFailure {
    let text = "the response did not end in time (limits.wall_ms)";
    EgressFailure::new(EgressCode::Timeout, text).after_sending()
}

/// Checks the head of a response before anything of it is used: a final status, few and short
/// header fields, and an announced length within bounds.
///
/// # Errors
/// `upstream` or `limit`.
pub fn cap_head(limits: &Limits, head: &Parts) -> Result<(), EgressFailure> {
    if !(200..=599).contains(&head.status.as_u16()) {
        return Err(upstream("the response has no final status"));
    }
    if head.headers.len() as u64 > limits.headers {
        return Err(limit(format!(
            "the response has more than {} header fields (limits.headers)",
            limits.headers
        )));
    }
    let longest = head
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .max()
        .unwrap_or(0);
    if longest as u64 > limits.header_bytes {
        let most = limits.header_bytes;
        return Err(limit(format!(
            "the response has a header longer than {most} bytes (limits.header_bytes)"
        )));
    }
    let announced = head
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limits.response_bytes) {
        return Err(too_long(limits));
    }
    Ok(())
}

/// What a body gives next.
pub(crate) enum BodyPiece {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
}

/// Waits for the next piece of a body, never beyond the call's deadline.
pub(crate) async fn next_piece<B>(
    body: &mut B,
    deadline: Instant,
) -> Result<BodyPiece, EgressFailure>
where
    B: Body<Data = Bytes> + Unpin,
{
    let piece = tokio::time::timeout_at(deadline.into(), read_piece(body, deadline)).await;
    piece.unwrap_or_else(|_| Err(too_late()))
}

/// A timer alone would let through a body of which there is always more: it is asked where there is
/// nothing.
async fn read_piece<B>(body: &mut B, deadline: Instant) -> Result<BodyPiece, EgressFailure>
where
    B: Body<Data = Bytes> + Unpin,
{
    loop {
        let frame = body.frame().await;
        if Instant::now() >= deadline {
            return Err(too_late());
        }
        let frame = match frame {
            None => return Ok(BodyPiece::End),
            Some(Err(_)) => return Err(upstream("the response broke off")),
            Some(Ok(frame)) => frame,
        };
        match frame.into_data() {
            Ok(data) => return Ok(BodyPiece::Data(data)),
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    return Ok(BodyPiece::Trailers(trailers));
                }
            }
        }
    }
}

/// Reads a body whole, up to its cap, with its trailers.
///
/// # Errors
/// `limit` as soon as one byte too many has come, `timeout`, `upstream`.
pub async fn cap_body<B>(
    limits: &Limits,
    deadline: Instant,
    body: &mut B,
) -> Result<(Bytes, HeaderMap), EgressFailure>
where
    B: Body<Data = Bytes> + Unpin,
{
    // One timer for all of it: a body may come in a million pieces.
    let whole = tokio::time::timeout_at(deadline.into(), read_whole(limits, deadline, body)).await;
    whole.unwrap_or_else(|_| Err(too_late()))
}

async fn read_whole<B>(
    limits: &Limits,
    deadline: Instant,
    body: &mut B,
) -> Result<(Bytes, HeaderMap), EgressFailure>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut trailers = HeaderMap::new();
    loop {
        match read_piece(body, deadline).await? {
            BodyPiece::Data(data) => {
                if (first.len() + rest.len() + data.len()) as u64 > limits.response_bytes {
                    return Err(too_long(limits));
                }
                if first.is_empty() && rest.is_empty() {
                    // Most bodies come in one piece, which then is not copied.
                    first = data;
                } else {
                    if rest.is_empty() {
                        rest.extend_from_slice(&std::mem::take(&mut first));
                    }
                    rest.extend_from_slice(&data);
                }
            }
            BodyPiece::Trailers(more) => trailers.extend(more),
            BodyPiece::End => {
                return Ok((
                    if rest.is_empty() {
                        first
                    } else {
                        rest.freeze()
                    },
                    trailers,
                ));
            }
        }
    }
}

/// Adds to the bytes of a streamed body.
///
/// # Errors
/// `limit`.
pub(crate) fn count(limits: &Limits, received: &mut u64, more: usize) -> Result<(), EgressFailure> {
    *received = received.saturating_add(more as u64);
    if *received > limits.response_bytes {
        Err(too_long(limits))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use bytes::Bytes;
    use http_body::Frame;
    use http_body_util::StreamBody;
    use toolhost_policy::Limits;

    use super::{cap_body, cap_head, next_piece};
    use crate::EgressCode;

    fn head(status: u16, headers: &[(&str, &str)]) -> Result<(), EgressCode> {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        cap_head(
            &Limits::default(),
            &response.body(()).unwrap().into_parts().0,
        )
        .map_err(|failure| failure.code)
    }

    #[test]
    fn only_a_final_status_passes() {
        assert!(head(200, &[]).is_ok() && head(302, &[]).is_ok() && head(599, &[]).is_ok());
        for status in [100, 101, 103, 199, 600, 999] {
            assert_eq!(head(status, &[]), Err(EgressCode::Upstream), "{status}");
        }
    }

    #[test]
    fn header_fields_and_announced_length_have_bounds() {
        assert_eq!(
            head(200, &[("content-length", "99999999999")]),
            Err(EgressCode::Limit)
        );
        assert_eq!(
            head(200, &[("x-long", &"x".repeat(17 << 10))]),
            Err(EgressCode::Limit)
        );
        assert_eq!(head(200, &[("x", "y"); 65]), Err(EgressCode::Limit));
    }

    fn body(
        chunks: usize,
    ) -> StreamBody<
        impl futures::Stream<Item = Result<Frame<Bytes>, std::convert::Infallible>> + Unpin,
    > {
        StreamBody::new(futures::stream::iter(
            (0..chunks).map(|_| Ok(Frame::data(Bytes::from_static(b"0123456789")))),
        ))
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_cap_and_not_one_byte_more() {
        let limits = Limits {
            response_bytes: 30,
            ..Limits::default()
        };
        let deadline = Instant::now() + Duration::from_secs(1);
        assert_eq!(
            cap_body(&limits, deadline, &mut body(3))
                .await
                .unwrap()
                .0
                .len(),
            30
        );
        assert_eq!(
            cap_body(&limits, deadline, &mut body(usize::MAX))
                .await
                .unwrap_err()
                .code,
            EgressCode::Limit
        );
    }

    #[tokio::test]
    async fn a_body_that_never_ends_ends_with_the_call() {
        let mut body = StreamBody::new(futures::stream::pending::<
            Result<Frame<Bytes>, std::convert::Infallible>,
        >());
        let deadline = Instant::now() + Duration::from_millis(20);
        let failure = cap_body(&Limits::default(), deadline, &mut body)
            .await
            .unwrap_err();
        assert_eq!((failure.code, failure.sent), (EgressCode::Timeout, true));
    }

    #[tokio::test]
    async fn a_body_of_which_there_is_always_more_ends_with_the_call() {
        let over = Instant::now();
        let failure = cap_body(&Limits::default(), over, &mut body(3))
            .await
            .unwrap_err();
        assert_eq!(failure.code, EgressCode::Timeout);
        let piece = next_piece(&mut body(3), over).await;
        assert!(piece.is_err_and(|failure| failure.code == EgressCode::Timeout));
    }
}
