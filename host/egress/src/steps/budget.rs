use crate::{EgressCall, EgressCode, EgressFailure};

/// Takes one request out of the call's budget and out of the tenant's, and checks the body's
/// length. A request that a later step refuses has been counted: trying names is not free.
///
/// # Errors
/// `limit`, naming `http_calls`, `request_bytes`, or the tenant's `requests_per_minute` or
/// `sent_bytes_per_minute`.
pub fn budget(call: &EgressCall, body_bytes: usize) -> Result<(), EgressFailure> {
    let limit = |text| EgressFailure::new(EgressCode::Limit, text);
    call.take_request().map_err(|most| {
        limit(format!(
            "more than {most} requests in one call (limits.http_calls)"
        ))
    })?;
    body_within(call, body_bytes)?;
    let bytes = u64::try_from(body_bytes).unwrap_or(u64::MAX);
    call.take_of_tenant(bytes)
        .map_err(|over| limit(over.to_string()))
}

/// The bound on a request's body, which holds again once a credential was put into it.
///
/// # Errors
/// `limit`, naming `request_bytes`.
pub(crate) fn body_within(call: &EgressCall, body_bytes: usize) -> Result<(), EgressFailure> {
    let most = call.grant().limits.request_bytes;
    if u64::try_from(body_bytes).is_ok_and(|bytes| bytes <= most) {
        return Ok(());
    }
    Err(EgressFailure::new(
        EgressCode::Limit,
        format!("the request body is longer than {most} bytes (limits.request_bytes)"),
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use toolhost_policy::{TenantLimits, TenantMeter};

    use super::budget;
    use crate::EgressCode;
    use crate::testing::{call, grant_of};

    #[test]
    fn the_budget_ends_and_names_its_key() {
        let mut grant = grant_of("billing", "https://billing.example.com", |_| {});
        grant.limits.http_calls = 2;
        let call = call(grant);
        assert!(budget(&call, 0).is_ok() && budget(&call, 0).is_ok());
        let failure = budget(&call, 0).unwrap_err();
        assert_eq!(failure.code, EgressCode::Limit);
        assert!(failure.message.contains("limits.http_calls"));
    }

    #[test]
    fn many_at_once_take_exactly_the_budget() {
        let call = call(grant_of("billing", "https://billing.example.com", |_| {}));
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..50).filter(|_| budget(&call, 0).is_ok()).count()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(taken as u64, call.grant().limits.http_calls);
    }

    #[test]
    fn what_the_tenant_has_used_counts_over_all_its_calls() {
        let limits = TenantLimits {
            requests_per_minute: 3,
            ..TenantLimits::default()
        };
        let meter = Arc::new(TenantMeter::new(limits, Instant::now()));
        let one = || {
            call(grant_of("billing", "https://billing.example.com", |_| {}))
                .with_meter(Arc::clone(&meter))
        };
        let (first, second) = (one(), one());
        assert!(
            budget(&first, 0).is_ok() && budget(&second, 0).is_ok() && budget(&first, 0).is_ok()
        );
        let failure = budget(&second, 0).unwrap_err();
        assert_eq!((failure.code, failure.sent), (EgressCode::Limit, false));
        assert!(
            failure.message.contains("requests_per_minute"),
            "{failure:?}"
        );
    }

    #[test]
    fn a_body_one_byte_too_long_is_refused() {
        let mut grant = grant_of("billing", "https://billing.example.com", |_| {});
        grant.limits.request_bytes = 10;
        let call = call(grant);
        assert!(budget(&call, 10).is_ok());
        assert!(
            budget(&call, 11)
                .unwrap_err()
                .message
                .contains("limits.request_bytes")
        );
    }
}
