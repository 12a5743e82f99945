//! How many questions the host asks for its callers at once, and how long one that failed is not
//! asked again.

use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use moka::sync::Cache;
use toolhost_admission::AddressGroup;
use toolhost_net::AdmissionLimits;

/// How long a request waits for its turn to ask. A client that gets a 503 with `Retry-After` after
/// this tries again; one that waits longer has mostly given up.
const WAIT: Duration = Duration::from_secs(2);
/// Requests that wait in all, for one kind of question: some kilobytes each.
const MAX_WAITING: usize = 1_024;
/// How long a question that was not answered is not asked again for the same caller, in seconds. An
/// endpoint that hangs is asked once in its timeout and this, however many requests the caller
/// sends.
pub(crate) const FAILURE_MAX_AGE: u64 = 2;
/// Failures that are remembered.
const MAX_FAILURES: u64 = 10_000;

/// Opaque tokens that were not seen before, by source address. Half of the places at most for one
/// address, since behind a proxy all callers have one.
pub(crate) const INTROSPECTIONS_OF_STRANGERS: AdmissionLimits = AdmissionLimits {
    places: 16,
    places_per_share: 8,
    waiting_per_share: 256,
    waiting: MAX_WAITING,
    wait: WAIT,
};

/// Opaque tokens that were active lately, by tenant.
pub(crate) const INTROSPECTIONS_OF_KNOWN: AdmissionLimits = AdmissionLimits {
    places: 16,
    places_per_share: 4,
    waiting_per_share: 256,
    waiting: MAX_WAITING,
    wait: WAIT,
};

/// Of which tenants a caller is a member, by the tenant of its token. An application that hangs for
/// one tenant keeps a quarter of the places.
pub(crate) const MEMBERSHIPS: AdmissionLimits = AdmissionLimits {
    places: 32,
    places_per_share: 8,
    waiting_per_share: 256,
    waiting: MAX_WAITING,
    wait: WAIT,
};

/// Questions to the tenant authority, by the caller's own tenant.
pub(crate) const SWITCHES: AdmissionLimits = AdmissionLimits {
    places: 32,
    places_per_share: 8,
    waiting_per_share: 64,
    waiting: MAX_WAITING,
    wait: WAIT,
};

/// Where a request comes from, as far as shares are concerned: the addresses that one stranger has,
/// or a transport of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RequestSource(Option<AddressGroup>);

impl RequestSource {
    pub(crate) fn from_address(address: Option<IpAddr>) -> Self {
        Self(address.map(AddressGroup::from))
    }
}

/// Failures of a moment ago, so that what was just asked in vain is not asked again at the caller's
/// pace.
pub(crate) struct FailureMemory<K, E>(Cache<K, (u64, E)>);

impl<K, E> fmt::Debug for FailureMemory<K, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailureMemory").finish_non_exhaustive()
    }
}

impl<K, E> Default for FailureMemory<K, E>
where
    K: Eq + Hash + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    fn default() -> Self {
        Self(Cache::new(MAX_FAILURES))
    }
}

impl<K, E> FailureMemory<K, E>
where
    K: Eq + Hash + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// The failure, where it still counts at this moment, in seconds of [`crate::Clock::elapsed`].
    pub(crate) fn recent_failure(&self, key: &K, now: u64) -> Option<E> {
        let (until, error) = self.0.get(key)?;
        (now < until).then_some(error)
    }

    /// Remembers a failure for so many seconds.
    pub(crate) fn remember(&self, key: K, error: E, now: u64, seconds: u64) {
        self.0.insert(key, (now.saturating_add(seconds), error));
    }
}

#[cfg(test)]
mod tests {
    use super::RequestSource;

    #[test]
    fn one_customer_of_ipv6_is_one_source() {
        let of = |text: &str| RequestSource::from_address(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_ne!(of("192.0.2.1"), RequestSource::from_address(None));
    }
}
