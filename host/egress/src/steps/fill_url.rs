use percent_encoding::utf8_percent_encode;
use toolhost_policy::{Connection, ConnectionGrant, Endpoint};
use toolhost_vault::Credential;
use url::Url;

use super::attach::{AttachedHeaders, unusable_credential_error};
use super::build_url::{MAX_URL, QUERY, build_url};
use super::canonicalise::canonicalise;
use super::match_again::match_again;
use crate::{EgressFailure, GuestRequest};

/// Fills the connection's base and its own query pairs from the credential's attributes, and puts
/// the URL through every step again: what was matched before was matched with the sample of the
/// base.
///
/// Where nothing is filled the URL is the one that came.
///
/// # Errors
/// `not-connected`: the credential lacks an attribute, or one does not fit its place. `denied`: the
/// filled URL is not one of the endpoint.
pub fn fill_url(
    grant: &ConnectionGrant,
    endpoint: &Endpoint,
    request: &GuestRequest,
    url: Url,
    credential: Option<&Credential>,
    attached: &mut AttachedHeaders,
) -> Result<Url, EgressFailure> {
    let connection = &*grant.connection;
    let lookup = |name: &str| credential?.attributes.get(name).cloned();
    let url = match &connection.filled.base {
        None => url,
        Some(template) => {
            let base = template.fill(lookup).map_err(|error| {
                tracing::debug!(connection = %connection.name, %error, "the base was not filled");
                unusable_credential_error(connection)
            })?;
            if !template.matches(&base) {
                return Err(EgressFailure::denied("the filled URL leaves its template"));
            }
            let url = build_url(&base, endpoint, request)?;
            let url = canonicalise(connection, &endpoint.path, &url)?;
            match_again(grant, &base, endpoint, &url)?;
            url
        }
    };
    let url = with_own_query(connection, endpoint, url, lookup)?;
    let values = connection.filled.attributes().filter_map(lookup);
    for value in values.collect::<Vec<_>>() {
        if !attached.values.contains(&value) {
            attached.values.push(value);
        }
    }
    Ok(url)
}

/// Adds the connection's own query pairs, each encoded so that none ends its pair, and holds the
/// whole against what it was before.
fn with_own_query(
    connection: &Connection,
    endpoint: &Endpoint,
    url: Url,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Url, EgressFailure> {
    if connection.filled.query.is_empty() {
        return Ok(url);
    }
    let mut text = url.as_str().to_owned();
    for (index, (key, template)) in connection.filled.query.iter().enumerate() {
        let value = template.fill(&lookup).map_err(|missing| {
            tracing::debug!(connection = %connection.name, attribute = missing, "the credential lacks an attribute");
            unusable_credential_error(connection)
        })?;
        text.push(if index == 0 && url.query().is_none() {
            '?'
        } else {
            '&'
        });
        text.extend(utf8_percent_encode(key, QUERY));
        text.push('=');
        text.extend(utf8_percent_encode(&value, QUERY));
    }
    if text.len() > MAX_URL {
        return Err(EgressFailure::invalid(format!(
            "the URL is longer than {MAX_URL} bytes"
        )));
    }
    let whole = canonicalise(connection, &endpoint.path, &text)?;
    if whole.origin() != url.origin() || whole.path() != url.path() {
        return Err(EgressFailure::denied(
            "the filled URL is another than was matched",
        ));
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use toolhost_policy::{BaseTemplate, Connection, HeaderTemplate, Secret};
    use toolhost_vault::Credential;

    use super::fill_url;
    use crate::steps::{AttachedHeaders, build_url, canonicalise, match_again};
    use crate::testing::{get, test_grant};
    use crate::{EgressCode, EgressFailure};

    fn with(value: &str) -> Credential {
        Credential {
            secret: Secret::from("tok_0123456789".to_owned()),
            attributes: BTreeMap::from([("site".to_owned(), value.to_owned())]),
            expires_at: None,
            version: 1,
        }
    }

    fn filled(value: &str, change: impl FnOnce(&mut Connection)) -> Result<String, EgressFailure> {
        let grant = test_grant("https://sample.example.com", change);
        let endpoint = &grant.endpoints[0];
        let mut request = get("/v1/invoices");
        request.query = vec![("limit".into(), "5".into())];
        let url = canonicalise(
            &grant.connection,
            &endpoint.path,
            &build_url(&grant.connection.base, endpoint, &request)?,
        )?;
        match_again(&grant, &grant.connection.base, endpoint, &url)?;
        let (credential, mut attached) = (with(value), AttachedHeaders::default());
        let url = fill_url(
            &grant,
            endpoint,
            &request,
            url,
            Some(&credential),
            &mut attached,
        )?;
        assert!(attached.values.contains(&value.to_owned()));
        Ok(url.to_string())
    }

    fn base(text: &str) -> impl FnOnce(&mut Connection) {
        let template = BaseTemplate::parse(text).unwrap();
        move |connection| {
            connection.base = template.sample().clone();
            connection.filled.base = Some(template);
        }
    }

    fn query(key: &str, text: &str) -> impl FnOnce(&mut Connection) {
        let pair = (key.to_owned(), HeaderTemplate::parse(text).unwrap());
        move |connection| connection.filled.query = vec![pair]
    }

    #[test]
    fn base_path_and_query_are_filled() {
        assert_eq!(
            filled("acme-7", base("https://{site}.example.com")).unwrap(),
            "https://acme-7.example.com/v1/invoices?limit=5"
        );
        assert_eq!(
            filled("acme-7", base("https://api.example.com/t/{site}")).unwrap(),
            "https://api.example.com/t/acme-7/v1/invoices?limit=5"
        );
        assert_eq!(
            filled("a&b=c#d", query("account", "x-{site}")).unwrap(),
            "https://sample.example.com/v1/invoices?limit=5&account=x-a%26b%3Dc%23d"
        );
    }

    #[test]
    fn e8_an_attribute_that_would_leave_its_place_stops_the_request() {
        for value in [
            "evil.example/",
            "evil.example",
            "u@evil",
            "evil:80",
            "..",
            "%2e%2e",
            "",
            "a/b",
            "xn--a",
        ] {
            let refused = filled(value, base("https://{site}.example.com")).unwrap_err();
            assert_eq!(refused.code, EgressCode::NotConnected, "{value}");
            assert!(
                value.is_empty() || !refused.message.contains(value),
                "{value}"
            );
        }
        for value in ["..", ".", "a/b", "a%2fb", "a?b", "a#b", "a;b", "a@b", "a:b"] {
            let refused = filled(value, base("https://api.example.com/t/{site}")).unwrap_err();
            assert_eq!(refused.code, EgressCode::NotConnected, "{value}");
        }
        let missing = filled("x", query("account", "{other}")).unwrap_err();
        assert_eq!(missing.code, EgressCode::NotConnected);
    }
}
