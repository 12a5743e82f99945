use toolhost_policy::{ConnectionGrant, Endpoint, EndpointRefusal, Method};

use crate::failure::quote;
use crate::{EgressFailure, GuestRequest};

/// More query pairs than this are no question to an API.
const MAX_QUERY_PAIRS: usize = 128;

/// The granted endpoint that the request is one of: its method, its path template byte for byte,
/// its query keys and its header names (T46).
///
/// # Errors
/// `denied`, naming what is not granted; `invalid-request` for what is no method at all.
pub fn endpoint<'g>(
    grant: &'g ConnectionGrant,
    request: &GuestRequest,
) -> Result<&'g Endpoint, EgressFailure> {
    let method = Method::parse(&request.method).ok_or_else(|| {
        EgressFailure::invalid(format!(
            "{} is not a method that can be granted",
            quote(&request.method)
        ))
    })?;
    let endpoint = grant
        .endpoints
        .iter()
        .find(|endpoint| endpoint.method == method && endpoint.path.as_str() == request.path)
        .ok_or_else(|| {
            let path = request.path.chars().take(80).collect();
            EgressFailure::denied(EndpointRefusal::NoEndpoint(method.to_string(), path).to_string())
        })?;
    if request.query.len() > MAX_QUERY_PAIRS {
        return Err(EgressFailure::invalid(format!(
            "more than {MAX_QUERY_PAIRS} query pairs"
        )));
    }
    for (key, _) in &request.query {
        query_key(grant, endpoint, key)?;
    }
    for (name, _) in &request.headers {
        if !endpoint.allows_header(&name.to_ascii_lowercase()) {
            let name = name.chars().take(80).collect();
            return Err(EgressFailure::denied(
                EndpointRefusal::Header(name, endpoint.to_string()).to_string(),
            ));
        }
    }
    Ok(endpoint)
}

/// Whether a guest may set this query key: granted, and not one that the host writes.
pub(super) fn query_key(
    grant: &ConnectionGrant,
    endpoint: &Endpoint,
    key: &str,
) -> Result<(), EgressFailure> {
    let is_credential = grant
        .connection
        .auth
        .query_keys()
        .any(|own| own.eq_ignore_ascii_case(key));
    let own = &grant.connection.filled.query;
    let is_own = own.iter().any(|(own, _)| own.eq_ignore_ascii_case(key));
    if endpoint.allows_query(key) && !is_credential && !is_own {
        return Ok(());
    }
    let key = key.chars().take(80).collect();
    Err(EgressFailure::denied(
        EndpointRefusal::Query(key, endpoint.to_string()).to_string(),
    ))
}

#[cfg(test)]
mod tests {
    use toolhost_policy::AuthPlacement;

    use super::endpoint;
    use crate::EgressCode;
    use crate::testing::{get, test_grant};

    #[test]
    fn method_and_template_are_compared_byte_by_byte() {
        let grant = test_grant("https://billing.example.com", |_| {});
        assert!(endpoint(&grant, &get("/v1/invoices/{id}")).is_ok());
        for path in [
            "/v1/invoices/in_7",
            "/v1/invoices/{ID}",
            "/V1/invoices/{id}",
            "/v1/invoices/{id}/",
            "/v1/admin",
            "",
        ] {
            assert_eq!(
                endpoint(&grant, &get(path)).unwrap_err().code,
                EgressCode::Denied,
                "{path}"
            );
        }
        for method in ["DELETE", "PUT"] {
            let mut request = get("/v1/invoices");
            request.method = method.into();
            assert_eq!(
                endpoint(&grant, &request).unwrap_err().code,
                EgressCode::Denied
            );
        }
        for method in ["CONNECT", "TRACE", "get", "GET ", "GET\r\nX: y", "PRI", ""] {
            let mut request = get("/v1/invoices");
            request.method = method.into();
            assert_eq!(
                endpoint(&grant, &request).unwrap_err().code,
                EgressCode::InvalidRequest,
                "{method:?}"
            );
        }
    }

    #[test]
    fn query_keys_and_headers_that_are_not_granted_are_refused() {
        let grant = test_grant("https://billing.example.com", |_| {});
        let with = |key: &str, header: &str| {
            let mut request = get("/v1/invoices");
            request.query.push((key.into(), "1".into()));
            request.headers.push((header.into(), "x".into()));
            endpoint(&grant, &request).map(|_| ())
        };
        assert!(with("limit", "Accept").is_ok());
        assert!(
            with("Limit", "Accept").is_err()
                && with("admin", "Accept").is_err()
                && with("limit&admin", "Accept").is_err()
        );
        assert!(with("limit", "X-Debug").is_err());
    }

    #[test]
    fn the_key_of_the_credential_is_never_the_guests_whatever_was_granted() {
        let grant = test_grant("https://billing.example.com", |c| {
            c.auth = AuthPlacement::Query {
                key: "limit".into(),
            }
        });
        for key in ["limit", "LIMIT"] {
            let mut request = get("/v1/invoices");
            request.query.push((key.into(), "1".into()));
            assert_eq!(
                endpoint(&grant, &request).unwrap_err().code,
                EgressCode::Denied
            );
        }
    }
}
