use toolhost_policy::{ConnectionGrant, Endpoint, Method, base_prefix, check_canonical_path};
use url::Url;

use crate::absolute::endpoint_of;

/// What a plugin's grant says about a request that nobody makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestJudgement {
    /// The endpoint that it is one of, where it is one.
    pub matches: Option<String>,
    /// Otherwise the endpoint that it comes nearest to.
    pub nearest: Option<String>,
    /// Why it is none, or not that one.
    pub why: Option<String>,
}

/// Judges a request by the rules of a grant alone: method, path and query keys, in the order of the pipeline. Nothing is
/// looked up and nothing is sent.
#[must_use]
pub fn judge(grant: &ConnectionGrant, method: &str, path: &str) -> RequestJudgement {
    let refused = |why: String| RequestJudgement {
        matches: None,
        nearest: None,
        why: Some(why),
    };
    let Some(method) = Method::parse(method) else {
        return refused(
            "the method is none that can be granted (GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE)".into(),
        );
    };
    let base = &grant.guest_base;
    let text = format!(
        "{}{}{path}",
        base.origin().ascii_serialization(),
        base_prefix(base)
    );
    let Ok(url) = Url::parse(&text) else {
        return refused("the path makes no URL".into());
    };
    // A parser that takes dots or backslashes out of a path has made another one of it.
    if url.as_str() != text || !path.starts_with('/') {
        return refused(
            "the path is not in its canonical form, which begins with / and has no . or .. segment".into(),
        );
    }
    if let Err(why) = check_canonical_path(url.path()) {
        return refused(format!("the path {why}"));
    }
    if let Some((endpoint, _)) = endpoint_of(grant, method, &url) {
        return match foreign_key(endpoint, &url) {
            None => RequestJudgement {
                matches: Some(rule(endpoint)),
                nearest: None,
                why: None,
            },
            Some(key) => RequestJudgement {
                matches: None,
                nearest: Some(rule(endpoint)),
                why: Some(format!("the rule has no query key {key}")),
            },
        };
    }
    let own = url.path().strip_prefix(base_prefix(base)).unwrap_or_default();
    let nearest = grant
        .endpoints
        .iter()
        .max_by_key(|endpoint| nearness(endpoint, method, own));
    match nearest {
        None => refused("no endpoint is granted".into()),
        Some(endpoint) if endpoint.path.matches(own) => RequestJudgement {
            matches: None,
            nearest: Some(rule(endpoint)),
            why: Some(format!("the rule is for {}", endpoint.method)),
        },
        Some(endpoint) => RequestJudgement {
            matches: None,
            nearest: Some(rule(endpoint)),
            why: Some("the rule has another path".into()),
        },
    }
}

/// An endpoint for people.
fn rule(endpoint: &Endpoint) -> String {
    let keys = endpoint.query.join(",");
    let query = if keys.is_empty() {
        keys
    } else {
        format!(" query:{keys}")
    };
    format!("{} {}{query}", endpoint.method, endpoint.path)
}

fn foreign_key(endpoint: &Endpoint, url: &Url) -> Option<String> {
    let granted = |key: &str| endpoint.query.iter().any(|own| own == key);
    let mut keys = url.query_pairs().map(|(key, _)| key.into_owned());
    keys.find(|key| !granted(key))
}

/// A whole path before a beginning of one, and of those alike one with the same method.
fn nearness(endpoint: &Endpoint, method: Method, path: &str) -> (bool, usize, bool) {
    let segments = endpoint.path.as_str().split('/').zip(path.split('/'));
    let alike = segments
        .take_while(|(own, segment)| own == segment || own.contains('{'))
        .count();
    (endpoint.path.matches(path), alike, endpoint.method == method)
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::testing::test_grant;

    #[test]
    fn the_rule_that_matches_is_named_or_the_nearest_that_does_not() {
        let grant = test_grant("https://h.example/base", |_| {});
        let said = |method: &str, path: &str| {
            let judged = judge(&grant, method, path);
            (judged.matches, judged.nearest, judged.why.unwrap_or_default())
        };
        let (matches, nearest, why) = said("GET", "/v1/invoices?limit=5");
        assert!(
            matches.is_some_and(|rule| rule.starts_with("GET /v1/invoices")),
            "{nearest:?} {why}"
        );
        for (method, path, part) in [
            ("DELETE", "/v1/invoices", "for GET"),
            ("GET", "/v1/invoices?tenant=x", "query key tenant"),
            ("GET", "/v2/other", "another path"),
            ("TRACE", "/v1/invoices", "method"),
            ("GET", "/v1/../v1/invoices", "canonical"),
            ("GET", "v1/invoices", "canonical"),
        ] {
            let (matches, _, why) = said(method, path);
            assert!(matches.is_none() && why.contains(part), "{method} {path}: {why}");
        }
    }
}
