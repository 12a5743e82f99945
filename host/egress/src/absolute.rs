use bytes::Bytes;
use percent_encoding::percent_decode_str;
use toolhost_policy::{
    ConnectionGrant, Endpoint, Method, PathTemplate, base_prefix, check_canonical_path,
};
use url::Url;

use crate::failure::quote;
use crate::{Egress, EgressCall, EgressFailure, GuestRequest};

/// Values for the parameters of a template.
type ParameterValues = Vec<(String, String)>;

impl Egress {
    /// Turns the absolute URL of a standard HTTP client into the request that it means: the one
    /// granted connection whose base it stands below, and the one endpoint that it matches. What
    /// comes back goes through every step like any other request; nothing is granted here.
    ///
    /// # Errors
    /// `denied` where nothing matches, or two connections do; `invalid-request` for a URL that is
    /// none.
    pub fn resolve_absolute(
        call: &EgressCall,
        method: &str,
        url: &Url,
        headers: Vec<(String, String)>,
        body: Option<Bytes>,
    ) -> Result<GuestRequest, EgressFailure> {
        let known = Method::parse(method).ok_or_else(|| {
            EgressFailure::invalid(format!(
                "{} is not a method that can be granted",
                quote(method)
            ))
        })?;
        check(url)?;
        let mut found = None;
        for grant in call.grant().connections.values() {
            let Some((endpoint, parameters)) = endpoint_of(grant, known, url) else {
                continue;
            };
            if found.replace((grant, endpoint, parameters)).is_some() {
                return Err(EgressFailure::denied(
                    "two connections are granted at this URL; name the one that is meant",
                ));
            }
        }
        let (grant, endpoint, parameters) = found.ok_or_else(|| {
            EgressFailure::denied("no granted endpoint is at this method and URL")
        })?;
        Ok(GuestRequest {
            connection: grant.connection.name.to_string(),
            method: method.to_owned(),
            path: endpoint.path.to_string(),
            parameters,
            query: query_pairs(url)?,
            headers: without_framing(headers, url, body.as_ref()),
            body,
        })
    }
}

fn check(url: &Url) -> Result<(), EgressFailure> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EgressFailure::invalid("the URL holds a user"));
    }
    if url.fragment().is_some() {
        return Err(EgressFailure::invalid("the URL holds a fragment"));
    }
    check_canonical_path(url.path()).map_err(|why| EgressFailure::invalid(format!("the URL {why}")))
}

/// The one endpoint of a connection. A path without parameters comes before one with them, as
/// OpenAPI has it; two that are alike in that are no answer.
pub(crate) fn endpoint_of<'g>(
    grant: &'g ConnectionGrant,
    method: Method,
    url: &Url,
) -> Option<(&'g Endpoint, ParameterValues)> {
    let base = &grant.guest_base;
    if url.origin() != base.origin() || !url.origin().is_tuple() {
        return None;
    }
    let path = url.path().strip_prefix(base_prefix(base))?;
    let matching = || {
        let endpoints = grant
            .endpoints
            .iter()
            .filter(move |endpoint| endpoint.method == method);
        endpoints.filter_map(|endpoint| Some((endpoint, values(&endpoint.path, path)?)))
    };
    if let Some(literal) = matching().find(|(_, values)| values.is_empty()) {
        return Some(literal);
    }
    let mut all = matching();
    all.next().filter(|_| all.next().is_none())
}

/// What the parameters of a template are in a path. The template has the last word: it must build
/// the same path from them.
fn values(template: &PathTemplate, path: &str) -> Option<ParameterValues> {
    let mut values = Vec::new();
    for (name, value) in template.captures(path)? {
        let value = percent_decode_str(value).decode_utf8().ok()?.into_owned();
        values.push((name.to_owned(), value));
    }
    let given = values
        .iter()
        .map(|(name, value): &(String, String)| (name.as_str(), value.as_str()));
    template
        .build(given)
        .is_ok_and(|built| built == path)
        .then_some(values)
}

pub(crate) fn query_pairs(url: &Url) -> Result<Vec<(String, String)>, EgressFailure> {
    let query = url.query().unwrap_or_default();
    if percent_decode_str(query).decode_utf8().is_err() {
        return Err(EgressFailure::invalid("the query is not UTF-8"));
    }
    Ok(url
        .query_pairs()
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect())
}

/// Standard clients write `host` and `content-length` by themselves. Where these say what the host
/// will write anyway they are left out; where they say something else they stay, and are refused
/// like any guest's.
fn without_framing(
    headers: Vec<(String, String)>,
    url: &Url,
    body: Option<&Bytes>,
) -> Vec<(String, String)> {
    let length = body.map_or(0, Bytes::len).to_string();
    let authority = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let is_framing = |name: &str, value: &str| {
        (name.eq_ignore_ascii_case("host") && value.eq_ignore_ascii_case(&authority))
            || (name.eq_ignore_ascii_case("content-length") && value == length)
    };
    headers
        .into_iter()
        .filter(|(name, value)| !is_framing(name, value))
        .collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use toolhost_policy::{CheckedConnection, ConnectionName, PathTemplate};
    use url::Url;

    use super::{Egress, values};
    use crate::testing::{call, connection, grant_of, test_grant};
    use crate::{EgressCode, EgressFailure, GuestRequest};

    fn resolve(method: &str, url: &str) -> Result<GuestRequest, EgressFailure> {
        let call = call(grant_of(
            "billing",
            "https://billing.example.com/api",
            |_| {},
        ));
        Egress::resolve_absolute(&call, method, &Url::parse(url).unwrap(), vec![], None)
    }

    #[test]
    fn a_url_becomes_connection_template_and_values() {
        let request =
            resolve("GET", "https://billing.example.com/api/v1/invoices/in%207?").unwrap();
        assert_eq!(
            (request.connection.as_str(), request.path.as_str()),
            ("billing", "/v1/invoices/{id}")
        );
        assert_eq!(request.parameters, [("id".to_owned(), "in 7".to_owned())]);
        let request = resolve(
            "GET",
            "https://billing.example.com/api/v1/invoices?limit=1%26a&cursor=a+b",
        )
        .unwrap();
        let pairs = [("limit", "1&a"), ("cursor", "a b")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(request.query, pairs);
    }

    #[test]
    fn a_literal_path_comes_before_a_parameter() {
        assert_eq!(
            resolve("GET", "https://billing.example.com/api/v1/invoices/recent")
                .unwrap()
                .path,
            "/v1/invoices/recent"
        );
    }

    #[test]
    fn what_is_not_granted_resolves_to_nothing() {
        for (method, url) in [
            ("DELETE", "https://billing.example.com/api/v1/invoices"),
            ("GET", "https://billing.example.com/v1/invoices"),
            ("GET", "https://billing.example.com/apiv1/invoices"),
            ("GET", "http://billing.example.com/api/v1/invoices"),
            ("GET", "https://evil.example/api/v1/invoices"),
            ("GET", "https://billing.example.com:8443/api/v1/invoices"),
            ("GET", "https://billing.example.com/api/v1/invoices/a/b"),
            (
                "GET",
                "https://billing.example.com/api/v1/invoices/../admin",
            ),
        ] {
            assert_eq!(
                resolve(method, url).unwrap_err().code,
                EgressCode::Denied,
                "{method} {url}"
            );
        }
        for url in [
            "https://u@billing.example.com/api/v1/invoices",
            "https://billing.example.com/api/v1/invoices#x",
            "https://billing.example.com/api/v1/invoices/a%2fb",
            "https://billing.example.com/api//v1/invoices",
            "https://billing.example.com/api/v1/invoices?limit=%ff",
        ] {
            assert_eq!(
                resolve("GET", url).unwrap_err().code,
                EgressCode::InvalidRequest,
                "{url}"
            );
        }
    }

    #[test]
    fn two_connections_at_one_url_are_an_error() {
        let mut grant = grant_of("billing", "https://billing.example.com", |_| {});
        let mut second = test_grant("https://billing.example.com", |_| {});
        second.connection =
            CheckedConnection::new(connection("other", "https://billing.example.com")).unwrap();
        grant
            .connections
            .insert(ConnectionName::parse("other").unwrap(), second);
        let url = Url::parse("https://billing.example.com/v1/invoices").unwrap();
        let failure =
            Egress::resolve_absolute(&call(grant), "GET", &url, vec![], None).unwrap_err();
        assert!(
            failure.code == EgressCode::Denied && failure.message.starts_with("two connections")
        );
    }

    #[test]
    fn framing_that_says_the_truth_is_left_out_and_a_lie_stays() {
        let call = call(grant_of("billing", "https://billing.example.com", |_| {}));
        let url = Url::parse("https://billing.example.com/v1/refunds").unwrap();
        let headers = |length: &str, host: &str| {
            let fields = vec![
                ("content-length".to_owned(), length.to_owned()),
                ("Host".to_owned(), host.to_owned()),
            ];
            Egress::resolve_absolute(&call, "POST", &url, fields, Some(Bytes::from_static(b"{}")))
                .unwrap()
                .headers
                .len()
        };
        assert_eq!(
            (
                headers("2", "billing.example.com"),
                headers("3", "billing.example.com"),
                headers("2", "evil")
            ),
            (0, 1, 1)
        );
    }

    #[test]
    fn mixed_segments_give_their_values_back() {
        let template = PathTemplate::parse("/compare/{base}...{head}.json").unwrap();
        let found = values(&template, "/compare/main...v1.2.json").unwrap();
        assert_eq!(
            found,
            [
                ("base".to_owned(), "main".to_owned()),
                ("head".to_owned(), "v1.2".to_owned())
            ]
        );
        assert!(values(&template, "/compare/main.json").is_none());
    }
}
