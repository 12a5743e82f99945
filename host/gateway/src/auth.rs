use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use toolhost_identity::Binding;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tenancy::{AuthError, Tenancy};

use crate::gateway::Doors;
use crate::problem::{problem, problem_with};

/// Names under which clients put tokens into a URL (RFC 6750 section 2.3 and habit). URLs end up in logs and referrers.
const TOKEN_PARAMETERS: &[&str] = &[
    "access_token",
    "token",
    "bearer",
    "authorization",
    "id_token",
    "api_key",
];

/// Who made this very request. It travels in the request's extensions and is never kept for another one.
#[derive(Clone)]
pub(crate) struct Caller {
    binding: Binding,
    presented: Arc<HeaderMap>,
}

impl Caller {
    pub(crate) fn binding(&self) -> &Binding {
        &self.binding
    }

    /// Whether what was presented would still be accepted: for streams, which outlive their request's own check.
    pub(crate) async fn still_valid(&self, tenancy: &Tenancy) -> bool {
        let again = tenancy.authenticate(&self.presented).await;
        again.is_ok_and(|again| again.binding.owner() == self.binding.owner())
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("binding", &self.binding)
            .finish_non_exhaustive()
    }
}

/// The middleware before `/mcp` and `/api`: no valid token, no further.
pub(crate) async fn authenticate(
    State(doors): State<Arc<Doors>>,
    mut request: Request,
    next: Next,
) -> Response {
    if carries_token(request.uri().query()) {
        let text = "a token in the query string is refused; send it in the Authorization header";
        return problem(&PublicError::new(ErrorCode::InvalidRequest, text).about("Authorization"));
    }
    match doors.tenancy.authenticate(request.headers()).await {
        Err(error) => refusal(&error, &doors.metadata_url),
        Ok(authenticated) => {
            let presented = Arc::new(request.headers().clone());
            // What lies behind this door needs no token, so it gets none to log or to pass on.
            request.headers_mut().remove(header::AUTHORIZATION);
            request.extensions_mut().insert(Caller {
                binding: authenticated.binding,
                presented,
            });
            next.run(request).await
        }
    }
}

/// RFC 6750 section 3 with the `resource_metadata` of RFC 9728 section 5.1, and a problem document as body.
fn refusal(error: &AuthError, metadata_url: &str) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    let mut response = problem_with(status, &error.public());
    // A host that cannot check a token now has nothing to ask of its client.
    if status != StatusCode::SERVICE_UNAVAILABLE
        && let Ok(challenge) = HeaderValue::from_str(&error.challenge(metadata_url))
    {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn carries_token(query: Option<&str>) -> bool {
    let Some(query) = query else { return false };
    url::form_urlencoded::parse(query.as_bytes())
        .any(|(key, _)| TOKEN_PARAMETERS.iter().any(|name| key.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use super::carries_token;

    #[test]
    fn a_token_in_the_query_is_seen_however_it_is_spelt() {
        for query in [
            "access_token=x",
            "a=1&access_token",
            "ACCESS_TOKEN=x",
            "access%5Ftoken=x",
            "token=x",
        ] {
            assert!(carries_token(Some(query)), "{query}");
        }
        assert!(!carries_token(Some("cursor=access_token")) && !carries_token(None));
    }
}
