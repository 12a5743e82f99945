use serde_json::Value;
use sha2::{Digest, Sha256};
use toolhost_egress::CredentialVersions;
use toolhost_policy::CredentialOwner;

use super::CacheLookup;
use crate::cache_rule::CacheRule;
use crate::catalogue_entry::{CatalogueEntry, GrantedPlugin};

/// The largest integer that RFC 8785 keeps apart from its neighbours: 2^53. Two larger ones may be
/// written alike.
const MAX_EXACT: u64 = 1 << 53;

/// Under what a result is kept: a digest over everything that it could depend on (A13).
pub(super) type ResultKey = [u8; 32];

/// The key of a call, or `None` if no text of its arguments is shared by equal ones alone.
///
/// Every part goes in with its length, so that no two lists of parts are one.
pub(super) fn key(
    asked: CacheLookup<'_>,
    arguments: &str,
    rule: CacheRule,
    versions: &CredentialVersions,
) -> Option<ResultKey> {
    let binding = asked.binding;
    let CatalogueEntry { entry, served, .. } = asked.offered;
    let value: Value = serde_json::from_str(arguments).ok()?;
    if !is_exact(&value) {
        return None;
    }
    let canonical = serde_json_canonicalizer::to_string(&value).ok()?;
    let mut parts = KeyDigest(Sha256::new());
    parts.add(binding.tenant().as_str().as_bytes());
    parts.add(&binding.incarnation().to_be_bytes());
    parts.add(&binding.generation().to_be_bytes());
    parts.add(
        binding
            .grant()
            .as_ref()
            .map_or(&[][..], |grant| grant.as_bytes()),
    );
    parts.add(&asked.revision.to_be_bytes());
    parts.add(asked.mode.as_str().as_bytes());
    parts.add(asked.offered.digest().as_bytes());
    parts.add(entry.name.as_bytes());
    parts.add(canonical.as_bytes());
    // `1` and `1.0` are equal to JSON Schema and one canonical text, and a guest can tell them
    // apart.
    parts.add(if has_whole_fraction(&value) {
        arguments.as_bytes()
    } else {
        b""
    });
    // A person's result is no machine's: connections tell the two apart.
    parts.add(binding.principal().kind().as_str().as_bytes());
    if rule.is_personal || is_users(served) {
        parts.add(binding.owner().as_bytes());
    } else {
        parts.add(b"");
    }
    for (connection, version) in &versions.0 {
        parts.add(connection.as_str().as_bytes());
        match version {
            None => parts.add(b""),
            Some(version) => parts.add(&version.to_be_bytes()),
        }
    }
    Some(parts.0.finalize().into())
}

/// Whether a connection of the plugin sends the credential of the very caller: what came with it is
/// nobody else's, whatever the tool says.
fn is_users(served: &GrantedPlugin) -> bool {
    let mut connections = served.grant.connections.values();
    connections.any(|grant| grant.connection.credential_of == CredentialOwner::User)
}

struct KeyDigest(Sha256);

impl KeyDigest {
    fn add(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }
}

/// Whether every number in it is one that the canonical text tells from all others (RFC 8785
/// section 3.2.2.3).
fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number < MAX_EXACT,
            (None, Some(number)) => number.unsigned_abs() < MAX_EXACT,
            (None, None) => number
                .as_f64()
                .is_some_and(|number| number.abs() < MAX_EXACT as f64),
        },
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(members) => members.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// Whether a number in it is written with a fraction, or a sign of zero, that the canonical text
/// leaves out: `1.0`, `-0.0`.
fn has_whole_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => {
            number.is_f64() && number.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        Value::Array(items) => items.iter().any(has_whole_fraction),
        Value::Object(members) => members.values().any(has_whole_fraction),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use toolhost_sandbox::contract;

    use super::{CacheRule, has_whole_fraction, is_exact};

    #[test]
    fn a_number_that_a_guest_can_tell_from_an_equal_one_is_seen() {
        let of = |text: &str| has_whole_fraction(&serde_json::from_str(text).unwrap());
        for told in ["1.0", "[-0.0]", "-0", r#"{"a":[{"b":1e2}]}"#] {
            assert!(of(told), "{told}");
        }
        for same in ["1", "0", "1.5", r#"{"a":["1.0",0.1,-7]}"#] {
            assert!(!of(same), "{same}");
        }
    }

    #[test]
    fn numbers_that_the_canonical_text_would_join_are_not_looked_up() {
        for exact in [
            json!({"a": [0, -1, 9_007_199_254_740_991_u64, 0.1]}),
            json!("9007199254740993"),
        ] {
            assert!(is_exact(&exact), "{exact}");
        }
        for joined in [
            json!({"id": 9_007_199_254_740_992_u64}),
            json!([{"id": 9_007_199_254_740_993_u64}]),
            json!(i64::MIN),
            json!(1e300),
        ] {
            assert!(!is_exact(&joined), "{joined}");
        }
    }

    #[test]
    fn only_what_changes_nothing_is_kept_and_never_for_longer_than_an_hour() {
        let rule = |change: &dyn Fn(&mut contract::Tool)| {
            let mut tool = crate::entry::test_tool("list");
            tool.cache = Some(contract::Cache {
                ttl_ms: 1_000,
                scope: "shared".into(),
            });
            change(&mut tool);
            CacheRule::from_tool(&tool)
        };
        let ttl = |rule: Result<Option<CacheRule>, String>| rule.unwrap().unwrap().ttl.as_millis();
        assert_eq!(ttl(rule(&|_| ())), 1_000);
        let endless = |tool: &mut contract::Tool| tool.cache.as_mut().unwrap().ttl_ms = u64::MAX;
        assert_eq!(ttl(rule(&endless)), 3_600_000);
        let at_once = |tool: &mut contract::Tool| tool.cache.as_mut().unwrap().ttl_ms = 0;
        assert_eq!(rule(&at_once), Ok(None));
        assert_eq!(rule(&|tool| tool.cache = None), Ok(None));
        assert!(rule(&|tool| tool.effects.read_only = false).is_err());
        let public =
            |tool: &mut contract::Tool| tool.cache.as_mut().unwrap().scope = "public".into();
        assert!(rule(&public).is_err());
    }
}
