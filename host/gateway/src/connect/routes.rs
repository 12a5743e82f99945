use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use toolhost_policy::{ConnectionName, PublicError};
use toolhost_store::StateError;
use toolhost_vault::{CodeVerifier, LoginAnswer};
use url::form_urlencoded;

use super::Logins;
use super::pages::{ConsentPage, consent, message_page};
use super::request::{LoginRequest, random};
use crate::body;
use crate::problem::not_found;
use crate::refusals::mark_refused;

/// `__Host-`: of this very host, over TLS, for all its paths; nobody else, a sibling domain least
/// of all, can set it.
const COOKIE: &str = "__Host-toolhost-login";

/// How long a browser keeps it: the link's time and the login's.
const COOKIE_SECONDS: u64 = 900;

/// A check and a cookie: 256 bits in base64url.
const TEXT: usize = 43;

/// The longest ticket: a tenant, an issuer and a subject at their longest, escaped and sealed.
const MAX_TEXT: usize = 8 << 10;

/// A form of a ticket and a check, in bytes.
const MAX_FORM: usize = 9 << 10;

type LoginsExtension = Extension<Option<Arc<Logins>>>;

/// `GET /connections/{name}/login?ticket=`: says who connects what. A program that looks at links
/// for somebody changes nothing by it: the ticket stays good until the form is sent.
pub(crate) async fn login(
    Extension(logins): LoginsExtension,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some((logins, name)) = find_login(logins, &name) else {
        return not_found();
    };
    let Some(ticket) = query
        .as_deref()
        .and_then(|query| single_value(query.as_bytes(), "ticket"))
    else {
        let text = format!(
            "A link is needed that was made for you: ask for one with POST /api/v1/connections/{name}/login and your token, or with host connection login {name}."
        );
        return message_page(StatusCode::BAD_REQUEST, "No link", &text);
    };
    let asked = match LoginRequest::of_ticket(&logins.states, &name, &ticket).await {
        Ok(asked) => asked,
        Err(error) => return unusable(&error),
    };
    let Some((connection, login)) = logins.connections.get(&name) else {
        return expired_page();
    };
    if !asked.is_served(&logins.directory).await {
        return expired_page();
    }
    let (cookie, is_new) = match cookie(&headers) {
        Some(cookie) => (cookie, false),
        None => match random() {
            Ok(cookie) => (cookie, true),
            Err(error) => {
                return message_page(StatusCode::INTERNAL_SERVER_ERROR, "Not now", &error.message);
            }
        },
    };
    let mut page = consent(&ConsentPage {
        connection: name.as_str(),
        description: &connection.description,
        tenant: &asked.tenant,
        subject: &asked.subject,
        issuer: &asked.issuer,
        server: login.authorization_url(),
        scope: login.scope(),
        ticket: &ticket,
        check: &check(&cookie),
    });
    if is_new {
        let cookie = format!(
            "{COOKIE}={cookie}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={COOKIE_SECONDS}"
        );
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            page.headers_mut().insert(header::SET_COOKIE, cookie);
        }
    }
    page
}

/// `POST /connections/{name}/login`: the form of that page, from the browser that was shown it.
pub(crate) async fn agree(
    Extension(logins): LoginsExtension,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let form = match body::read(body, MAX_FORM, body::BODY_TIMEOUT).await {
        Ok(form) => form,
        Err(error) => return error.response(),
    };
    let Some((logins, name)) = find_login(logins, &name) else {
        return not_found();
    };
    let Some(cookie) = cookie(&headers) else {
        let text = "Your browser did not keep the cookie of the page before; let it, and open the link again.";
        return not_taken(StatusCode::BAD_REQUEST, "No cookie", text);
    };
    // The page of another site could send this form, but not know what belongs in it.
    if single_value(&form, "check").is_none_or(|given| given != check(&cookie)) {
        return not_taken(
            StatusCode::FORBIDDEN,
            "Not from here",
            "The form did not come from this host's own page.",
        );
    }
    let Some(ticket) = single_value(&form, "ticket") else {
        return expired_page();
    };
    let asked = match LoginRequest::take_ticket(&logins.states, &name, &ticket).await {
        Ok(asked) => asked,
        Err(error) => return unusable(&error),
    };
    let Some((_, login)) = logins.connections.get(&name) else {
        return expired_page();
    };
    if !asked.is_served(&logins.directory).await {
        return expired_page();
    }
    let begin = async {
        let verifier = CodeVerifier::random().map_err(|error| error.public())?;
        let state = asked
            .state(&logins.states, &name, &cookie, &verifier)
            .await?;
        Ok::<_, PublicError>(login.begin(&state, &verifier))
    };
    match begin.await.map(|url| HeaderValue::from_str(url.as_str())) {
        Ok(Ok(location)) => {
            let mut response = message_page(
                StatusCode::SEE_OTHER,
                "On the way",
                "You are sent to the other system.",
            );
            response.headers_mut().insert(header::LOCATION, location);
            response
        }
        Ok(Err(_)) => message_page(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Not now",
            "The other system has no address.",
        ),
        Err(error) => message_page(StatusCode::SERVICE_UNAVAILABLE, "Not now", &error.message),
    }
}

/// `GET /connections/{name}/callback`: the browser comes back, with what the authorization server
/// says.
pub(crate) async fn callback(
    Extension(logins): LoginsExtension,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Some((logins, name)) = find_login(logins, &name) else {
        return not_found();
    };
    let Some((_, login)) = logins.connections.get(&name) else {
        return not_found();
    };
    let not_begun = || {
        let text = "This login was not begun in this browser, or its time is over. Nothing was connected; ask for a new link.";
        not_taken(StatusCode::BAD_REQUEST, "Not begun here", text)
    };
    // Login CSRF: an answer that somebody else got, sent here with this browser, has a state of
    // another cookie.
    let (Some(cookie), Ok(answer)) = (
        cookie(&headers),
        LoginAnswer::read(query.as_deref().unwrap_or_default()),
    ) else {
        return not_begun();
    };
    let taken = LoginRequest::take_state(&logins.states, &name, &cookie, answer.state()).await;
    let (asked, verifier) = match taken {
        Ok(taken) => taken,
        Err(StateError::Invalid) => return not_begun(),
        Err(error) => return unusable(&error),
    };
    let finished = async {
        // Announced before it is made, as every change of a credential is.
        logins.record(&asked, &name, 0).await?;
        let stored = async {
            let account = asked.account(&name)?;
            let serves = || asked.is_served(&logins.directory);
            login.finish(&account, &verifier, answer, serves).await
        };
        let stored = stored.await.map_err(|error| {
            tracing::warn!(connection = %name, %error, "a login was not finished");
            error.public()
        })?;
        logins.record(&asked, &name, stored.version).await
    };
    match finished.await {
        Ok(()) => message_page(
            StatusCode::OK,
            "Connected",
            &format!("Your account is connected to {name}. You can close this page."),
        ),
        Err(error) => {
            let status =
                StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
            message_page(
                status,
                "Not connected",
                &format!("{}. Ask for a new link.", error.message),
            )
        }
    }
}

fn find_login(logins: Option<Arc<Logins>>, name: &str) -> Option<(Arc<Logins>, ConnectionName)> {
    let (logins, name) = (logins?, ConnectionName::parse(name).ok()?);
    logins
        .connections
        .contains_key(&name)
        .then_some((logins, name))
}

fn expired_page() -> Response {
    let text = "This link was used, or its time is over. Ask for a new one.";
    not_taken(StatusCode::GONE, "Over", text)
}

/// A page for a link, a form or an answer that is not this browser's or not good any more. It is
/// told of as a refusal.
fn not_taken(status: StatusCode, title: &str, text: &str) -> Response {
    mark_refused(message_page(status, title, text), "login", text)
}

/// What a link or a state is answered that cannot be taken.
fn unusable(error: &StateError) -> Response {
    match error {
        StateError::Invalid => expired_page(),
        StateError::Store(error) => {
            tracing::error!(%error, "whether a login was used cannot be known");
            message_page(
                StatusCode::SERVICE_UNAVAILABLE,
                "Not now",
                "Open the link again in a moment.",
            )
        }
    }
}

/// The one value of a name in a form or a query, where it has the form that ours have.
fn single_value(pairs: &[u8], name: &str) -> Option<String> {
    let mut values = form_urlencoded::parse(pairs).filter(|(own, _)| own == name);
    let (_, value) = values.next()?;
    (values.next().is_none() && is_text(&value)).then(|| value.into_owned())
}

fn is_text(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (TEXT..=MAX_TEXT).contains(&text.len()) && text.bytes().all(fits)
}

/// The browser's cookie; two of them are none.
fn cookie(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    let mut own = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE);
    let (_, value) = own.next()?;
    (own.next().is_none() && value.len() == TEXT && is_text(value)).then(|| value.to_owned())
}

/// What a form carries that only a page of ours could know.
fn check(cookie: &str) -> String {
    use base64::Engine as _;
    let digest = Sha256::digest(format!("form {cookie}").as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::{cookie, single_value};

    #[test]
    fn a_cookie_is_read_where_there_is_exactly_one() {
        let text = "a".repeat(43);
        let read = |line: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_str(line).unwrap());
            cookie(&headers)
        };
        assert_eq!(
            read(&format!("x=1; __Host-toolhost-login={text}")),
            Some(text.clone())
        );
        for line in [
            format!("__Host-toolhost-login={text}; __Host-toolhost-login={text}"),
            format!("toolhost-login={text}"),
            "__Host-toolhost-login=short".to_owned(),
            format!("__Host-toolhost-login={}", "%".repeat(43)),
        ] {
            assert_eq!(read(&line), None, "{line}");
        }
        assert_eq!(
            single_value(format!("ticket={text}&ticket={text}").as_bytes(), "ticket"),
            None
        );
    }
}
