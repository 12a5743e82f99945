use percent_encoding::percent_decode_str;
use toolhost_policy::{ConnectionGrant, Endpoint, base_prefix};
use url::Url;

use super::endpoint::query_key;
use crate::EgressFailure;

/// Matches the final URL as if nothing had been checked before: the origin of the base, the
/// endpoint's path below its prefix, and granted query keys only (E8).
///
/// # Errors
/// `denied`.
pub fn match_again(
    grant: &ConnectionGrant,
    base: &Url,
    endpoint: &Endpoint,
    url: &Url,
) -> Result<(), EgressFailure> {
    let refuse = |what: &str| {
        EgressFailure::denied(format!(
            "the final URL has another {what} than {endpoint} was granted"
        ))
    };
    if url.origin() != base.origin() || !url.origin().is_tuple() {
        return Err(refuse("origin"));
    }
    let is_of_endpoint = if endpoint.path.is_base() {
        url.path() == base.path()
    } else {
        let below = url.path().strip_prefix(base_prefix(base));
        below.is_some_and(|path| endpoint.path.matches(path))
    };
    if !is_of_endpoint {
        return Err(refuse("path"));
    }
    for pair in url.query().into_iter().flat_map(|query| query.split('&')) {
        let key = pair.split_once('=').map_or(pair, |(key, _)| key);
        let key = percent_decode_str(key)
            .decode_utf8()
            .map_err(|_| refuse("query"))?;
        query_key(grant, endpoint, &key)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::match_again;
    use crate::steps::endpoint;
    use crate::testing::{get, test_grant};

    #[test]
    fn the_base_itself_is_that_address_and_none_below_or_beside_it() {
        for (base, address) in [
            ("https://h.example/mcp", "https://h.example/mcp"),
            ("https://h.example/mcp/", "https://h.example/mcp/"),
            ("https://h.example", "https://h.example/"),
        ] {
            let mut grant = test_grant(base, |_| {});
            grant.endpoints = vec![toolhost_policy::Endpoint::of_asking_adapter()];
            let mut request = get("");
            request.method = "POST".into();
            let endpoint = endpoint(&grant, &request).unwrap();
            let built =
                crate::steps::build_url(&grant.connection.base, endpoint, &request).unwrap();
            assert_eq!(built, address);
            let url =
                crate::steps::canonicalise(&grant.connection, &endpoint.path, &built).unwrap();
            assert!(
                match_again(&grant, &grant.connection.base, endpoint, &url).is_ok(),
                "{address}"
            );
            for other in [
                "https://h.example/mcp/x",
                "https://h.example/mcp//",
                "https://h.example/mc",
                "https://h.example/mcp?a=1",
            ] {
                let url = Url::parse(other).unwrap();
                assert!(
                    match_again(&grant, &grant.connection.base, endpoint, &url).is_err(),
                    "{base} {other}"
                );
            }
            request.parameters = vec![("id".into(), "x".into())];
            assert!(crate::steps::build_url(&grant.connection.base, endpoint, &request).is_err());
        }
    }

    #[test]
    fn another_origin_path_or_key_is_refused() {
        let grant = test_grant("https://h.example/api", |_| {});
        let endpoint = endpoint(&grant, &get("/v1/invoices/{id}")).unwrap();
        let matches = |url: &str| {
            match_again(
                &grant,
                &grant.connection.base,
                endpoint,
                &Url::parse(url).unwrap(),
            )
            .is_ok()
        };
        assert!(
            matches("https://h.example/api/v1/invoices/in_7")
                && matches("https://h.example/api/v1/invoices/a%20b")
        );
        for url in [
            "http://h.example/api/v1/invoices/in_7",
            "https://h.example:8443/api/v1/invoices/in_7",
            "https://evil.example/api/v1/invoices/in_7",
            "https://h.example/v1/invoices/in_7",
            "https://h.example/apiv1/invoices/in_7",
            "https://h.example/api/v1/invoices",
            "https://h.example/api/v1/invoices/a/b",
            "https://h.example/api/v1/invoices/in_7?admin=1",
            "https://h.example/api/v1/invoices/in_7?",
            "https://h.example/api/v1/invoices/in_7?a%ff=1",
            "https://h.example/api/v1/invoices/a;b",
            "data:text/plain,x",
        ] {
            assert!(!matches(url), "{url}");
        }
    }
}
