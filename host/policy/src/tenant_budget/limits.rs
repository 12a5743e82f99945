use serde::Deserialize;

const MIB: u64 = 1 << 20;

/// The largest number of anything that is counted: far more than a machine does in a minute, and
/// small enough that no sum of two overflows.
const UNBOUNDED: u64 = 1 << 40;

macro_rules! tenant_limits {
    ($($(#[doc = $doc:literal])+ $field:ident: $unit:literal = $default:expr;)+) => {
        /// What one tenant may use of one host. All of it is on by default. A minute's worth may be
        /// used at once; it comes back evenly. Two hosts on one store count each for itself.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct TenantLimits {
            $($(#[doc = $doc])+ pub $field: u64,)+
        }

        impl Default for TenantLimits {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        /// Some of them, as a configuration names them.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct TenantLimitsPatch {
            $($(#[doc = $doc])+ #[serde(default)] pub $field: Option<u64>,)+
        }

        /// The name of one: its key.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(non_camel_case_types, reason = "a variant is named exactly as its key, so that neither can drift")]
        #[allow(missing_docs, reason = "the documentation stands on the field of the same name")]
        pub enum TenantLimit { $($field,)+ }

        impl TenantLimit {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$field,)+];

            /// The key under `[tenant_limits]` and `[tenants.NAME.limits]`.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self { $(Self::$field => stringify!($field),)+ }
            }

            /// The unit of its value.
            #[must_use]
            pub const fn unit(self) -> &'static str {
                match self { $(Self::$field => $unit,)+ }
            }

            /// The largest value an operator may set.
            #[must_use]
            pub const fn ceiling(self) -> u64 {
                UNBOUNDED
            }
        }

        impl TenantLimits {
            /// The value of one.
            #[must_use]
            pub const fn get(&self, limit: TenantLimit) -> u64 {
                match limit { $(TenantLimit::$field => self.$field,)+ }
            }

            /// The operator's word: each named one is set.
            ///
            /// # Errors
            /// The first key whose value is zero or more than the ceiling.
            pub fn set(mut self, patch: &TenantLimitsPatch) -> Result<Self, TenantLimit> {
                $(if let Some(value) = patch.$field {
                    if value == 0 || value > TenantLimit::$field.ceiling() { return Err(TenantLimit::$field); }
                    self.$field = value;
                })+
                Ok(self)
            }
        }
    };
}

tenant_limits! {
    /// Tool calls. A model makes some hundreds a minute; a thousand a second is a program, and one
    /// that has gone wild.
    calls_per_minute: "calls" = 60_000;
    /// Calls at once, those that wait for an outside system too. Far above the default slots: what
    /// bounds a tenant on a busy host is its share of these.
    calls_at_once: "calls" = 1_024;
    /// Time that its guests hold a thread: four cores' worth.
    cpu_ms_per_minute: "milliseconds" = 240_000;
    /// Requests to outside systems. Few of those allow a customer a hundred a second, and this is
    /// five hundred.
    requests_per_minute: "requests" = 30_000;
    /// Bodies of those requests: what a link of 32 Mbit/s carries.
    sent_bytes_per_minute: "bytes" = 256 * MIB;
    /// Records in the audit chain, at 640 bytes each: those of the calls of a minute, each with a
    /// request, and no more than a disk of 1 TB takes in five days. Calls are refused while it is
    /// used up.
    audit_bytes_per_minute: "bytes" = 128 * MIB;
}

impl std::fmt::Display for TenantLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::{TenantLimit, TenantLimits, TenantLimitsPatch};

    #[test]
    fn an_operator_cannot_set_zero_or_more_than_the_ceiling() {
        for value in [0, TenantLimit::calls_per_minute.ceiling() + 1, u64::MAX] {
            let patch = TenantLimitsPatch {
                calls_per_minute: Some(value),
                ..TenantLimitsPatch::default()
            };
            assert_eq!(
                TenantLimits::default().set(&patch),
                Err(TenantLimit::calls_per_minute)
            );
        }
        for limit in TenantLimit::ALL {
            let value = TenantLimits::default().get(*limit);
            assert!(value > 0 && value <= limit.ceiling(), "{limit}");
        }
    }
}
