//! Credentials that are fetched from elsewhere and kept for a while.
//!
//! One flight a key: calls that come while one is under way wait for it, whatever becomes of whoever began it. What it
//! brings is kept for exactly that key, and only as long as what it was made from ([`Origin::base`]) is what is stored.

/// A provider that is what it keeps: a struct with a [`Kept`] in its first place.
macro_rules! kept_provider {
    ($provider:ty) => {
        impl $provider {
            /// Drops what is kept of a key, where it was revoked or changed elsewhere. A flight that is under way keeps
            /// nothing.
            pub fn forget(&self, key: &$crate::CredentialKey) {
                self.0.forget(key);
            }

            /// Drops all that is kept of a tenant.
            pub fn forget_tenant(&self, space: &toolhost_identity::TenantSpace) {
                self.0.forget_tenant(space);
            }
        }

        #[async_trait::async_trait]
        impl $crate::CredentialProvider for $provider {
            async fn get(
                &self,
                key: &$crate::CredentialKey,
            ) -> Result<std::sync::Arc<$crate::Credential>, $crate::CredentialError> {
                self.0.get(key).await
            }

            async fn get_until(
                &self,
                key: &$crate::CredentialKey,
                until: toolhost_policy::UnixTime,
            ) -> Result<std::sync::Arc<$crate::Credential>, $crate::CredentialError> {
                self.0.get_until(key, until).await
            }

            async fn get_for(
                &self,
                binding: &toolhost_identity::Binding,
                key: &$crate::CredentialKey,
                until: toolhost_policy::UnixTime,
            ) -> Result<std::sync::Arc<$crate::Credential>, $crate::CredentialError> {
                self.0.of_incarnation(key, binding.incarnation());
                self.0.get_until(key, until).await
            }

            fn evict(&self, key: &$crate::CredentialKey, version: u64) {
                self.0.evict(key, version);
            }
        }

        impl std::fmt::Debug for $provider {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

mod grammar;
mod origin;
mod provider;
mod slot;
mod slots;

pub use grammar::Grammar;
pub(crate) use grammar::parse_object;
pub(crate) use origin::{FetchFailure, FetchedCredential, Origin};
pub(crate) use provider::CachedProvider;

use std::time::Duration;

/// For how long what another system keeps is believed without asking it again: half of the second within which a revoked
/// credential must be refused (T54), so that a slow answer still keeps to it.
pub const FRESH_FOR: Duration = Duration::from_millis(500);

/// The longest that an operator may set. Until then a revoked credential may still be sent.
pub const MAX_FRESH_FOR: Duration = Duration::from_secs(300);

/// How long another system has for a whole answer. The calls that wait have their own bound; the flight goes on.
pub(crate) const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// The longest answer, in bytes: a secret of 64 KiB, escaped, and what stands around it.
pub(crate) const MAX_ANSWER: usize = 256 << 10;
