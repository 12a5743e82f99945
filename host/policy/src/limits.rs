use std::time::Duration;

use serde::{Deserialize, Serialize};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $field:ident: $unit:literal = $default:expr, max $max:expr;)+) => {
        /// Every bound of a call. All of them are on by default; a plugin may ask for less, an
        /// operator may set any value up to the ceiling.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $field: u64,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        /// Some of the bounds, as a manifest or a configuration names them under `[limits]`.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct LimitsPatch {
            $($(#[doc = $doc])+ #[serde(default, skip_serializing_if = "Option::is_none")] pub $field: Option<u64>,)+
        }

        /// The name of a bound: its key under `[limits]`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(non_camel_case_types, reason = "a variant is named exactly as its key, so that neither can drift")]
        #[allow(missing_docs, reason = "the documentation stands on the field of the same name")]
        pub enum Limit { $($field,)+ }

        impl Limit {
            /// Every bound.
            pub const ALL: &'static [Self] = &[$(Self::$field,)+];

            /// The key under `[limits]`.
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
                match self { $(Self::$field => $max,)+ }
            }
        }

        impl Limits {
            /// The value of one bound.
            #[must_use]
            pub const fn get(&self, limit: Limit) -> u64 {
                match limit { $(Limit::$field => self.$field,)+ }
            }

            /// The operator's word: each named bound is set. Zero or more than the ceiling is
            /// refused with the key.
            ///
            /// # Errors
            /// The first key whose value is out of range.
            pub fn set(mut self, patch: &LimitsPatch) -> Result<Self, Limit> {
                $(if let Some(value) = patch.$field {
                    if value == 0 || value > Limit::$field.ceiling() { return Err(Limit::$field); }
                    self.$field = value;
                })+
                Ok(self)
            }

            /// The plugin's word: a bound can only get smaller.
            #[must_use]
            pub fn tightened(mut self, patch: &LimitsPatch) -> Self {
                $(if let Some(value) = patch.$field { self.$field = self.$field.min(value); })+
                self
            }
        }
    };
}

limits! {
    /// Linear memory of a call. Most tools need 2 to 10; a Python or JavaScript engine about 30.
    memory_bytes: "bytes" = 64 * MIB, max 1024 * MIB;
    /// CPU of a call, counted in epoch ticks of 10 ms.
    cpu_ms: "milliseconds" = 2_000, max 60_000;
    /// Wall clock of a call, waiting included.
    wall_ms: "milliseconds" = 30_000, max 600_000;
    /// Size of a component before it is compiled.
    component_bytes: "bytes" = 32 * MIB, max 256 * MIB;
    /// JSON text of the arguments.
    arguments_bytes: "bytes" = 256 * KIB, max 16 * MIB;
    /// Everything a call returns, content and structured part together.
    result_bytes: "bytes" = MIB, max 64 * MIB;
    /// Resource handles that a guest holds at once.
    handles: "handles" = 1_000, max 100_000;
    /// Elements of a call's tables together; engines inside a guest need more than 20,000.
    table_elements: "elements" = 100_000, max 1_000_000;
    /// Core instances of one component; a Python guest has about ten, with --stub-wasi 39.
    instances: "instances" = 64, max 128;
    /// Requests that one tool call may make.
    http_calls: "requests" = 32, max 10_000;
    /// Body of one request.
    request_bytes: "bytes" = MIB, max 256 * MIB;
    /// Body of one response.
    response_bytes: "bytes" = 4 * MIB, max 256 * MIB;
    /// Header fields of one request or response.
    headers: "fields" = 64, max 256;
    /// Name and value of one header field.
    header_bytes: "bytes" = 16 * KIB, max 64 * KIB;
    /// Lines that one call may log, its output streams included.
    log_lines: "lines" = 1_000, max 100_000;
    /// One log line; the rest is cut.
    log_line_bytes: "bytes" = 4 * KIB, max 64 * KIB;
    /// Time until the head of a response.
    first_byte_ms: "milliseconds" = 15_000, max 600_000;
    /// Operations on `kv` that one call may make.
    kv_calls: "operations" = 1_000, max 100_000;
    /// Operations on `artifacts` that one call may make; each may write or read megabytes.
    artifact_calls: "operations" = 64, max 10_000;
    /// Bytes that cross from guest to host in one host call, strings and lists alike.
    hostcall_bytes: "bytes" = 4 * MIB, max 256 * MIB;
}

impl Limits {
    /// [`Limits::wall_ms`] as a duration.
    #[must_use]
    pub const fn wall(&self) -> Duration {
        Duration::from_millis(self.wall_ms)
    }

    /// [`Limits::first_byte_ms`] as a duration.
    #[must_use]
    pub const fn first_byte(&self) -> Duration {
        Duration::from_millis(self.first_byte_ms)
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::{Limit, Limits, LimitsPatch};

    #[test]
    fn a_plugin_can_only_ask_for_less() {
        let patch = LimitsPatch {
            http_calls: Some(8),
            memory_bytes: Some(u64::MAX),
            ..LimitsPatch::default()
        };
        let limits = Limits::default().tightened(&patch);
        assert_eq!(
            (limits.http_calls, limits.memory_bytes),
            (8, Limits::default().memory_bytes)
        );
    }

    #[test]
    fn an_operator_cannot_set_zero_or_more_than_the_ceiling() {
        for value in [0, Limit::wall_ms.ceiling() + 1] {
            let patch = LimitsPatch {
                wall_ms: Some(value),
                ..LimitsPatch::default()
            };
            assert_eq!(Limits::default().set(&patch), Err(Limit::wall_ms));
        }
    }

    #[test]
    fn every_default_is_within_its_ceiling() {
        let limits = Limits::default();
        for limit in Limit::ALL {
            assert!(
                limits.get(*limit) > 0 && limits.get(*limit) <= limit.ceiling(),
                "{limit}"
            );
        }
    }
}
