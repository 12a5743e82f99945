use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use toolhost_identity::TenantId;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tenancy::ContextName;

use crate::switching::TenantSelection;

/// Where a request says what it chose, as `switch_tenant` gave it.
pub(super) const CONTEXT: &str = "toolhost-tenant-context";
/// Where a request says which tenant it takes to be active.
pub(super) const EXPECT: &str = "toolhost-expect-tenant";
/// Where an answer says which tenant it was for.
pub(super) const ACTIVE: &str = "toolhost-active-tenant";

/// What a request's headers say of tenants.
///
/// # Errors
/// One is there twice, or cannot be one. What cannot be read is refused, since a
/// call without it would be for another tenant.
pub(super) fn tenant_selection(headers: &HeaderMap) -> Result<TenantSelection, PublicError> {
    let context = single_header(headers, CONTEXT)?;
    Ok(TenantSelection {
        context: context
            .map(|name| ContextName::parse(name).ok_or_else(|| invalid_header_error(CONTEXT)))
            .transpose()?,
        expects: single_header(headers, EXPECT)?.map(ToOwned::to_owned),
    })
}

fn single_header<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<Option<&'a str>, PublicError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value
            .to_str()
            .map(Some)
            .map_err(|_| invalid_header_error(name)),
        _ => Err(invalid_header_error(name)),
    }
}

fn invalid_header_error(name: &'static str) -> PublicError {
    let text = format!("{name} is there more than once, or is not what this host gave");
    PublicError::new(ErrorCode::InvalidRequest, text).about(name)
}

/// The error of a call that expects another tenant, about the header that says so here.
pub(super) fn about_header(error: PublicError) -> PublicError {
    match error.code {
        ErrorCode::TenantMismatch => error.about(EXPECT),
        _ => error,
    }
}

/// The answer with the tenant that it was for.
pub(super) fn of_tenant(mut response: Response, tenant: Option<&TenantId>) -> Response {
    // A tenant's id is made of letters, digits and hyphens.
    if let Some(value) = tenant.and_then(|tenant| HeaderValue::from_str(tenant.as_str()).ok()) {
        response.headers_mut().insert(ACTIVE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{CONTEXT, EXPECT, tenant_selection};

    #[test]
    fn what_cannot_be_read_is_refused_and_not_taken_for_nothing() {
        for name in [CONTEXT, EXPECT] {
            let mut twice = HeaderMap::new();
            twice.append(name, HeaderValue::from_static("tc_a"));
            twice.append(name, HeaderValue::from_static("tc_a"));
            assert!(tenant_selection(&twice).is_err(), "{name}");
            let mut odd = HeaderMap::new();
            odd.insert(name, HeaderValue::from_bytes(b"\xff").unwrap());
            assert!(tenant_selection(&odd).is_err(), "{name}");
        }
        for odd in ["", "tc a", "tc_a, tc_b"] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTEXT, HeaderValue::from_static(odd));
            assert!(tenant_selection(&headers).is_err(), "{odd}");
        }
        assert!(
            tenant_selection(&HeaderMap::new())
                .unwrap()
                .context
                .is_none()
        );
    }
}
