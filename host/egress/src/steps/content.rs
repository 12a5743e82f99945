use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use toolhost_policy::{WorkBudget, WorkLimit};

use super::BodyDecoder;
use super::scrub::withheld_error;
use crate::scrub::{Needles, ScrubState};
use crate::{EgressCall, EgressCode, EgressFailure, HERE_STEPS, WorkError};

/// How much is decoded and searched between two looks at the clock, in bytes.
const SLICE: usize = 64 << 10;

/// Decodes and scrubs a whole body, as host work of the call: a long body, or one that may become
/// long, away from the transports' threads. Returns it with the number of reflections, which counts
/// where the body is withheld, too.
///
/// # Errors
/// `reflected`; `limit` or `upstream` where it cannot be decoded; `timeout` at the call's deadline.
pub async fn content(
    call: &EgressCall,
    needles: &Arc<Needles>,
    headers: &HeaderMap,
    body: Bytes,
) -> (Result<Bytes, EgressFailure>, u64) {
    let decoding = BodyDecoder::from_headers(call, headers);
    let is_text = decoding.is_text(headers);
    let is_short = !decoding.is_coded() && body.len() as u64 <= HERE_STEPS;
    let (work, needles) = (call.host_work(), Arc::clone(needles));
    let job = move |budget: &mut WorkBudget| read(decoding, is_text, &needles, body, budget);
    let done = match is_short {
        true => work.run_inline(job).unwrap_or(Err(WorkLimit::Steps.into())),
        false => work.run_on_pool(job).await,
    };
    done.unwrap_or_else(|error| (Err(failure(error)), 0))
}

fn failure(error: WorkError) -> EgressFailure {
    let (code, text) = match error {
        WorkError::Limit(WorkLimit::Deadline) => (
            EgressCode::Timeout,
            "the response was not decoded and searched in time (limits.wall_ms)",
        ),
        WorkError::Limit(WorkLimit::Steps | WorkLimit::Depth) => (
            EgressCode::Limit,
            "the response takes too much work to be decoded and searched (limits.response_bytes)",
        ),
        WorkError::Failed => (
            EgressCode::Upstream,
            "the response could not be decoded and searched",
        ),
    };
    EgressFailure::new(code, text).after_sending()
}

fn read(
    mut decoding: BodyDecoder,
    is_text: bool,
    needles: &Needles,
    mut body: Bytes,
    budget: &mut WorkBudget,
) -> Result<(Result<Bytes, EgressFailure>, u64), WorkLimit> {
    let mut state = ScrubState::new(&needles.secret, is_text);
    let mut pieces = Vec::new();
    loop {
        let slice = body.split_to(body.len().min(SLICE));
        let is_last = body.is_empty();
        budget.charge_bytes(slice.len())?;
        let decoded = decoding.push(slice).and_then(|data| {
            let rest = if is_last {
                decoding.finish()?
            } else {
                Bytes::new()
            };
            Ok([data, rest])
        });
        for mut data in match decoded {
            Ok(decoded) => decoded,
            Err(failure) => return Ok((Err(failure), state.reflections())),
        } {
            while !data.is_empty() {
                let part = data.split_to(data.len().min(SLICE));
                // The search reads each byte some times, for the spellings that a credential can
                // have.
                budget.charge(part.len() as u64)?;
                match state.push(&needles.secret, part) {
                    Ok(scrubbed) => pieces.push(scrubbed),
                    Err(_) => return Ok((Err(withheld_error(&state)), state.reflections())),
                }
            }
        }
        if is_last {
            break;
        }
    }
    match state.finish(&needles.secret) {
        Ok(rest) => pieces.push(rest),
        Err(_) => return Ok((Err(withheld_error(&state)), state.reflections())),
    }
    pieces.retain(|piece| !piece.is_empty());
    let whole = match <[Bytes; 1]>::try_from(pieces) {
        Ok([only]) => only,
        Err(pieces) => {
            let mut whole = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
            pieces
                .iter()
                .for_each(|piece| whole.extend_from_slice(piece));
            whole.freeze()
        }
    };
    Ok((Ok(whole), state.reflections()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, header};
    use toolhost_policy::{AuthPlacement, Secret, TenantLimit, TenantLimits, TenantMeter};

    use super::content;
    use crate::EgressCode;
    use crate::scrub::Needles;
    use crate::testing::{call, call_for, grant_of};

    fn needles() -> Arc<Needles> {
        let secret = Secret::from("s3cr3t/t0ken+value==".to_owned());
        Arc::new(Needles::build(Some(&secret), &AuthPlacement::Bearer, &[]).unwrap())
    }

    fn text() -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))])
    }

    fn long() -> Bytes {
        let line = "an ordinary line, and s3cr3t/t0ken+value== in it\n";
        line.repeat((1 << 20) / line.len()).into()
    }

    #[tokio::test]
    async fn a_long_body_is_read_away_from_its_callers_thread_and_paid_for() {
        let limits = TenantLimits {
            cpu_ms_per_minute: 1,
            ..TenantLimits::default()
        };
        let meter = Arc::new(TenantMeter::new(limits, Instant::now()));
        let call =
            call(grant_of("billing", "https://h.example", |_| {})).with_meter(Arc::clone(&meter));
        let short = Bytes::from_static(b"s3cr3t/t0ken+value==");
        let (body, found) = content(&call, &needles(), &text(), short).await;
        assert_eq!(
            (body.unwrap(), found),
            (Bytes::from_static(b"[redacted]"), 1)
        );
        assert!(meter.begin(Instant::now()).is_ok());
        let (body, found) = content(&call, &needles(), &text(), long()).await;
        assert!(
            body.unwrap()
                .starts_with(b"an ordinary line, and [redacted] in it\nan")
                && found > 20_000
        );
        let over = meter.begin(Instant::now()).unwrap_err();
        assert_eq!(over.limit, TenantLimit::cpu_ms_per_minute);
    }

    #[tokio::test]
    async fn nothing_is_read_after_the_deadline() {
        let call = call_for(
            grant_of("billing", "https://h.example", |_| {}),
            Duration::ZERO,
        );
        for body in [Bytes::from_static(b"short"), long()] {
            let failure = content(&call, &needles(), &text(), body)
                .await
                .0
                .unwrap_err();
            assert_eq!((failure.code, failure.sent), (EgressCode::Timeout, true));
        }
    }
}
