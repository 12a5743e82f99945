use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use url::Url;

/// What the page that asks says.
pub(super) struct ConsentPage<'a> {
    pub(super) connection: &'a str,
    pub(super) description: &'a str,
    pub(super) tenant: &'a str,
    pub(super) subject: &'a str,
    pub(super) issuer: &'a str,
    pub(super) server: &'a Url,
    pub(super) scope: &'a [String],
    pub(super) ticket: &'a str,
    pub(super) check: &'a str,
}

/// The page that says who connects what, and asks.
pub(super) fn consent(consent: &ConsentPage<'_>) -> Response {
    let scope: String = consent
        .scope
        .iter()
        .map(|scope| format!("<li><code>{}</code></li>", escape_html(scope)))
        .collect();
    let scope = if scope.is_empty() {
        "<p>It asks for nothing in particular.</p>".to_owned()
    } else {
        format!("<p>It asks there for:</p><ul>{scope}</ul>")
    };
    let server = consent.server.origin().ascii_serialization();
    let body = format!(
        "<h1>Connect an account to {connection}</h1>\
         <p>{description}</p>\
         <p>The account that you log in to at <strong>{server}</strong> will be used for</p>\
         <ul><li>the user <strong>{subject}</strong> of {issuer}</li><li>the tenant <strong>{tenant}</strong></li></ul>\
         {scope}\
         <p><strong>Go on only if that user is you and you asked for this page yourself.</strong> \
         Whoever sent you a link that you did not ask for would get the use of your account.</p>\
         <form method=\"post\" action=\"login\"><input type=\"hidden\" name=\"ticket\" value=\"{ticket}\">\
         <input type=\"hidden\" name=\"check\" value=\"{check}\"><button>Connect my account</button></form>",
        connection = escape_html(consent.connection),
        description = escape_html(consent.description),
        server = escape_html(&server),
        subject = escape_html(consent.subject),
        issuer = escape_html(consent.issuer),
        tenant = escape_html(consent.tenant),
        ticket = escape_html(consent.ticket),
        check = escape_html(consent.check),
    );
    // A browser holds the redirect that follows a form to this list, too.
    page(
        StatusCode::OK,
        "Connect an account",
        &body,
        &format!("'self' {server}"),
    )
}

/// A page that says something and asks nothing.
pub(super) fn message_page(status: StatusCode, title: &str, text: &str) -> Response {
    let body = format!(
        "<h1>{}</h1><p>{}</p>",
        escape_html(title),
        escape_html(text)
    );
    page(status, title, &body, "'none'")
}

fn page(status: StatusCode, title: &str, body: &str, form_action: &str) -> Response {
    let text = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"></head><body><main>{body}</main></body></html>",
        escape_html(title)
    );
    let policy = format!(
        "default-src 'none'; form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
    );
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(
        "default-src 'none'; frame-ancestors 'none'",
    ));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for (name, value) in FIXED {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

const FIXED: [(HeaderName, &str); 6] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not `no-referrer`: with it a browser calls the origin of the page's own form `null`.
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "interest-cohort=()",
    ),
];

/// For text and for attribute values in double quotes. A hidden character shows as the hole that it
/// is.
fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() || toolhost_policy::is_hidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use http_body_util::BodyExt as _;

    use super::{ConsentPage, consent, message_page};

    #[tokio::test]
    async fn nothing_that_is_shown_becomes_part_of_the_page() {
        const HOSTILE: &str = "<script>alert('x')</script>\"onload=\"y\u{202e}&amp;";
        let scope = vec![HOSTILE.to_owned()];
        let server = "https://accounts.example.com/auth".parse().unwrap();
        let asked = ConsentPage {
            connection: HOSTILE,
            description: HOSTILE,
            tenant: HOSTILE,
            subject: HOSTILE,
            issuer: HOSTILE,
            server: &server,
            scope: &scope,
            ticket: HOSTILE,
            check: HOSTILE,
        };
        for response in [
            consent(&asked),
            message_page(StatusCode::OK, HOSTILE, HOSTILE),
        ] {
            let policy = response.headers()["content-security-policy"]
                .to_str()
                .unwrap()
                .to_owned();
            assert!(
                policy.starts_with("default-src 'none'")
                    && policy.contains("frame-ancestors 'none'")
            );
            assert_eq!(response.headers()["x-frame-options"], "DENY");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8(body.to_vec()).unwrap();
            assert!(
                !text.contains("<script")
                    && !text.contains("\"onload")
                    && !text.contains('\u{202e}')
            );
        }
    }

    #[test]
    fn the_form_goes_to_this_host_and_its_redirect_to_the_one_server() {
        let server = "https://accounts.example.com:8443/auth".parse().unwrap();
        let asked = ConsentPage {
            connection: "crm",
            description: "",
            tenant: "acme",
            subject: "u",
            issuer: "i",
            server: &server,
            scope: &[],
            ticket: "t",
            check: "c",
        };
        let policy = consent(&asked).headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            policy.contains("form-action 'self' https://accounts.example.com:8443;"),
            "{policy}"
        );
    }
}
