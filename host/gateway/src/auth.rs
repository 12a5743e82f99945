use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use toolhost_identity::TokenError;
use toolhost_policy::{ErrorCode, PublicError};
use toolhost_tenancy::AuthError;

use crate::caller::RequestCaller;
use crate::http_server::{ConnectionPermit, admission_error_response};
use crate::peer::PeerAddress;
use crate::problem::{problem, problem_with};
use crate::refusals::mark_refused;
use crate::shared_state::SharedState;

/// Names under which clients put tokens into a URL (RFC 6750 section 2.3 and habit). URLs end up in
/// logs and referrers.
const TOKEN_PARAMETERS: &[&str] = &[
    "access_token",
    "token",
    "bearer",
    "authorization",
    "id_token",
    "api_key",
];

/// The middleware before every route that needs a caller. One whose token names no tenant is let in
/// too: it can switch to one.
pub(crate) async fn authenticate(
    State(shared): State<Arc<SharedState>>,
    mut request: Request,
    next: Next,
) -> Response {
    if carries_token(request.uri().query()) {
        let text = "a token in the query string is refused; send it in the Authorization header";
        let error = PublicError::new(ErrorCode::InvalidRequest, text).about("Authorization");
        return mark_refused(problem(&error), "token_in_query", text);
    }
    let address = request.extensions().get::<PeerAddress>().map(|peer| peer.0);
    let admitted = shared.tenancy.admit_from(request.headers(), address).await;
    match admitted {
        Err(error) => {
            let answer = unauthorized_response(&error, &shared.metadata_url);
            match reason(&error, request.headers()) {
                Some(reason) => mark_refused(answer, reason, error.to_string()),
                None => answer,
            }
        }
        Ok(admitted) => {
            // Taken out: whatever else keeps a request's extensions must not keep its connection's
            // place.
            let place = request.extensions_mut().remove::<Arc<ConnectionPermit>>();
            // A request that did not come over a connection, as in a test, takes no place.
            let served =
                place.map(|place| place.serve(admitted.caller.home(), &admitted.caller.owner()));
            let place = match served.transpose() {
                Ok(place) => place,
                Err(reason) => return admission_error_response(reason),
            };
            if let Some(place) = &place {
                place.extend(request.extensions_mut());
            }
            let headers = request.headers().clone();
            // What is behind this route needs no token, so it gets none to log or to pass on.
            request.headers_mut().remove(header::AUTHORIZATION);
            request
                .extensions_mut()
                .insert(RequestCaller::new(admitted, headers));
            let response = next.run(request).await;
            match place {
                Some(place) => place.attach_to(response),
                None => response,
            }
        }
    }
}

/// Why a token was refused, in one word. A request without a token is how clients ask where to get
/// one, and no refusal.
fn reason(error: &AuthError, headers: &HeaderMap) -> Option<&'static str> {
    Some(match error {
        AuthError::MissingToken { .. } if headers.contains_key(header::AUTHORIZATION) => {
            "not_bearer"
        }
        AuthError::MissingToken { .. } => return None,
        AuthError::InvalidToken(TokenError::Expired) => "expired",
        AuthError::InvalidToken(TokenError::NotYet | TokenError::IssuedAhead) => "not_yet",
        AuthError::InvalidToken(TokenError::Signature) => "signature",
        AuthError::InvalidToken(TokenError::Audience) => "audience",
        AuthError::InvalidToken(TokenError::Issuer) => "issuer",
        AuthError::InvalidToken(TokenError::UnknownKey) => "unknown_key",
        AuthError::InvalidToken(TokenError::IdToken | TokenError::Type) => "not_an_access_token",
        AuthError::InvalidToken(_) => "invalid_token",
        other => other.public().code.as_str(),
    })
}

/// RFC 6750 section 3 with the `resource_metadata` of RFC 9728 section 5.1, and a problem document
/// as body.
fn unauthorized_response(error: &AuthError, metadata_url: &str) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    let mut response = problem_with(status, &error.public());
    // A host that cannot check a token now has nothing to ask of its client.
    if !status.is_server_error()
        && let Ok(challenge) = HeaderValue::from_str(&error.challenge(metadata_url))
    {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn carries_token(query: Option<&str>) -> bool {
    let Some(query) = query else { return false };
    url::form_urlencoded::parse(query.as_bytes()).any(|(key, _)| {
        TOKEN_PARAMETERS
            .iter()
            .any(|name| key.eq_ignore_ascii_case(name))
    })
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
