use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use toolhost_policy::{Endpoint, base_prefix};
use url::Url;

use crate::{EgressFailure, GuestRequest};

/// RFC 3986 section 2.3: everything but the unreserved characters is encoded, so that a value
/// cannot end its pair.
pub(crate) const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Servers refuse longer request lines; 8 KiB is the usual bound.
pub(super) const MAX_URL: usize = 8 << 10;

/// The request's URL as text: the origin and path prefix of the base, the endpoint's path with its
/// values, and the query pairs, each encoded by the host.
///
/// # Errors
/// `invalid-request`: a path value that is missing, unknown or would leave its place, or too long a
/// URL.
pub fn build_url(
    base: &Url,
    endpoint: &Endpoint,
    request: &GuestRequest,
) -> Result<String, EgressFailure> {
    let values = request
        .parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let path = endpoint
        .path
        .build(values)
        .map_err(|error| EgressFailure::invalid(error.to_string()))?;
    let mut url = base.origin().ascii_serialization();
    if endpoint.path.is_base() {
        url.push_str(base.path());
    } else {
        url.push_str(base_prefix(base));
        url.push_str(&path);
    }
    for (index, (key, value)) in request.query.iter().enumerate() {
        url.push(if index == 0 { '?' } else { '&' });
        url.extend(utf8_percent_encode(key, QUERY));
        url.push('=');
        url.extend(utf8_percent_encode(value, QUERY));
        if url.len() > MAX_URL {
            break;
        }
    }
    if url.len() > MAX_URL {
        return Err(EgressFailure::invalid(format!(
            "the URL is longer than {MAX_URL} bytes"
        )));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::build_url;
    use crate::steps::endpoint;
    use crate::testing::{get, test_grant};

    fn build(
        base: &str,
        parameters: &[(&str, &str)],
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<String, String> {
        let own = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|&(k, v)| (k.to_owned(), v.to_owned()))
                .collect()
        };
        let grant = test_grant(base, |_| {});
        let mut request = get(path);
        request.parameters = own(parameters);
        request.query = own(query);
        let endpoint = endpoint(&grant, &request).unwrap();
        build_url(&grant.connection.base, endpoint, &request).map_err(|failure| failure.message)
    }

    #[test]
    fn the_base_path_is_kept_and_every_value_encoded() {
        let url = build(
            "https://h.example/api/",
            &[("id", "a b?c")],
            "/v1/invoices/{id}",
            &[],
        );
        assert_eq!(url.unwrap(), "https://h.example/api/v1/invoices/a%20b%3Fc");
        let url = build(
            "https://h.example:8443",
            &[],
            "/v1/invoices",
            &[("limit", "1&admin=1#x"), ("limit", "ż+ ")],
        );
        assert_eq!(
            url.unwrap(),
            "https://h.example:8443/v1/invoices?limit=1%26admin%3D1%23x&limit=%C5%BC%2B%20"
        );
    }

    #[test]
    fn a_value_that_leaves_its_place_is_refused() {
        for value in [
            "..", ".", "", "a/b", "a%2fb", "..%2f..", "a\\b", "a\0b", "a\r\nb", "%2e%2e",
        ] {
            assert!(
                build(
                    "https://h.example",
                    &[("id", value)],
                    "/v1/invoices/{id}",
                    &[]
                )
                .is_err(),
                "{value:?}"
            );
        }
        assert!(build("https://h.example", &[], "/v1/invoices/{id}", &[]).is_err());
        assert!(build("https://h.example", &[("x", "1")], "/v1/invoices", &[]).is_err());
    }

    #[test]
    fn a_url_without_end_is_refused() {
        let long = "x".repeat(9_000);
        assert!(
            build(
                "https://h.example",
                &[],
                "/v1/invoices",
                &[("limit", &long)]
            )
            .is_err()
        );
    }
}
