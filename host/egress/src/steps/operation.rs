use toolhost_policy::{Operation, is_member_of};

use crate::failure::quote;
use crate::{EgressCall, EgressFailure, GuestRequest};

/// Header fields that every request of an adapter may set (`wit/adapter.wit`, record `operation`).
const ALWAYS: [&str; 2] = ["accept", "content-type"];

/// The request of an adapter's tool is the one kind that was pinned when the tool was discovered,
/// in every member (E8). Requests of plugins, which have endpoints of their own, pass.
///
/// # Errors
/// `denied`, naming the first member that differs.
pub fn operation(call: &EgressCall, request: &GuestRequest) -> Result<(), EgressFailure> {
    let Some(operation) = call.operation() else {
        return Ok(());
    };
    let refuse = |what: String| {
        Err(EgressFailure::denied(format!(
            "{what} is not of the operation {} {} that this tool was shown with",
            operation.method, operation.path
        )))
    };
    if request.method != operation.method.as_str() {
        return refuse(format!("method {}", quote(&request.method)));
    }
    if request.path != operation.path.as_str() {
        return refuse(format!("path {}", quote(&request.path)));
    }
    if let Some((name, _)) = request
        .query
        .iter()
        .find(|(name, _)| !has_query(operation, name))
    {
        return refuse(format!("query key {}", quote(name)));
    }
    if let Some(name) = unexpected_header(operation, request) {
        return refuse(format!("header {}", quote(&name)));
    }
    if !cookies(operation, request) {
        return refuse("what its cookie field holds".to_owned());
    }
    if !body(operation, request) {
        return refuse("its body".to_owned());
    }
    Ok(())
}

fn has_query(operation: &Operation, name: &str) -> bool {
    operation.query.iter().any(|known| known == name)
        || operation
            .query_objects
            .iter()
            .any(|object| is_member_of(object, name))
}

/// A header that is neither the operation's nor any request's. Cookies are looked at apart.
fn unexpected_header(operation: &Operation, request: &GuestRequest) -> Option<String> {
    let names = request
        .headers
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase());
    names
        .filter(|name| name != "cookie")
        .find(|name| !ALWAYS.contains(&name.as_str()) && !operation.headers.contains(name))
}

/// No cookie, or one field of `name=value` pairs joined by `; `, each name the operation's.
fn cookies(operation: &Operation, request: &GuestRequest) -> bool {
    let mut fields = request
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    let Some((_, field)) = fields.next() else {
        return true;
    };
    // A server may also end a pair at `;` alone, or at `,` as RFC 2965 did: then the next one has a
    // name of its own.
    let known = |pair: &str| {
        pair.split_once('=').is_some_and(|(name, value)| {
            operation.cookies.iter().any(|known| known == name) && !value.contains([';', ','])
        })
    };
    fields.next().is_none() && field.split("; ").all(known)
}

/// No body, or one of a media type of the operation's.
fn body(operation: &Operation, request: &GuestRequest) -> bool {
    if request.body.is_none() {
        return true;
    }
    let mut types = request
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let Some((_, said)) = types.next() else {
        return false;
    };
    let essence = said.split(';').next().unwrap_or_default().trim_matches(' ');
    types.next().is_none()
        && operation
            .content_types
            .contains(&essence.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use toolhost_policy::{ConnectionName, Operation, OperationParts};

    use super::operation;
    use crate::testing::{call, grant_of};
    use crate::{EgressCode, GuestRequest};

    fn of(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn pinned() -> Operation {
        Operation::parse(OperationParts {
            method: "POST",
            path: "/v1/invoices/{id}",
            query: &of(&["limit"]),
            query_objects: &of(&["filter"]),
            headers: &of(&["x-trace"]),
            cookies: &of(&["theme", "lang"]),
            content_types: &of(&["application/json"]),
        })
        .unwrap()
    }

    fn good() -> GuestRequest {
        GuestRequest {
            method: "POST".into(),
            path: "/v1/invoices/{id}".into(),
            parameters: vec![("id".into(), "7".into())],
            query: vec![
                ("limit".into(), "1".into()),
                ("filter[a][b]".into(), "x".into()),
            ],
            headers: vec![
                ("Accept".into(), "*/*".into()),
                ("X-Trace".into(), "1".into()),
                ("Cookie".into(), "theme=dark; lang=en".into()),
                (
                    "content-type".into(),
                    "Application/JSON; charset=utf-8".into(),
                ),
            ],
            body: Some(Bytes::from_static(b"{}")),
            ..GuestRequest::default()
        }
    }

    fn refused(pinned: Operation, change: impl FnOnce(&mut GuestRequest)) -> Option<String> {
        let name = ConnectionName::parse("billing").unwrap();
        let call = call(grant_of("billing", "https://billing.example.com", |_| {}))
            .of_adapter(name, Some(Arc::new(pinned)));
        let mut request = good();
        change(&mut request);
        let failure = operation(&call, &request).err()?;
        assert_eq!(failure.code, EgressCode::Denied);
        Some(failure.message)
    }

    fn says(change: impl FnOnce(&mut GuestRequest)) -> String {
        refused(pinned(), change).expect("it was let through")
    }

    #[test]
    fn a_request_that_matches_in_every_member_passes() {
        assert_eq!(refused(pinned(), |_| {}), None);
        assert_eq!(refused(pinned(), |r| r.query.clear()), None);
        assert_eq!(
            refused(pinned(), |r| {
                r.headers.clear();
                r.body = None;
            }),
            None
        );
    }

    #[test]
    fn another_method_is_refused() {
        for method in ["GET", "post", "DELETE", "POST "] {
            assert!(
                says(|r| r.method = method.into()).starts_with("method"),
                "{method}"
            );
        }
    }

    #[test]
    fn another_path_is_refused() {
        for path in [
            "/v1/invoices",
            "/v1/invoices/{ID}",
            "/v1/invoices/7",
            "/v1/invoices/{id}/",
            "",
        ] {
            assert!(says(|r| r.path = path.into()).starts_with("path"), "{path}");
        }
    }

    #[test]
    fn another_query_key_is_refused() {
        for key in [
            "admin",
            "Limit",
            "limit[a]",
            "filter",
            "filter[a",
            "filters[a]",
            "",
        ] {
            assert!(
                says(|r| r.query.push((key.into(), "1".into()))).starts_with("query key"),
                "{key}"
            );
        }
    }

    #[test]
    fn another_header_is_refused() {
        for name in [
            "X-Other",
            "accept-language",
            "user-agent",
            "idempotency-key",
            "authorization",
            "x-trace ",
        ] {
            assert!(
                says(|r| r.headers.push((name.into(), "1".into()))).starts_with("header"),
                "{name}"
            );
        }
    }

    #[test]
    fn another_cookie_is_refused() {
        let with = |field: &str| says(|r| r.headers = vec![("Cookie".into(), field.into())]);
        for field in [
            "session=1",
            "theme=dark; session=1",
            "theme=dark;session=1",
            "theme=dark, session=1",
            "theme",
            "",
            "Theme=dark",
            "theme=dark; ",
        ] {
            assert!(with(field).contains("cookie"), "{field:?}");
        }
        let twice = |r: &mut GuestRequest| r.headers.push(("cookie".into(), "lang=en".into()));
        assert!(says(twice).contains("cookie"));
        let none = Operation {
            cookies: vec![],
            ..pinned()
        };
        assert!(refused(none, |_| {}).is_some_and(|why| why.contains("cookie")));
    }

    #[test]
    fn a_body_of_another_type_and_a_body_where_there_is_none_are_refused() {
        let with = |r: &mut GuestRequest, kind: &str| {
            r.headers = vec![("content-type".into(), kind.into())]
        };
        for kind in [
            "text/plain",
            "application/jsonx",
            "",
            "application/json, text/plain",
        ] {
            assert!(says(|r| with(r, kind)).contains("body"), "{kind}");
        }
        assert!(
            says(|r| r.headers.clear()).contains("body"),
            "no media type"
        );
        let twice = |r: &mut GuestRequest| {
            r.headers
                .push(("Content-Type".into(), "application/json".into()))
        };
        assert!(says(twice).contains("body"));
        let none = Operation {
            content_types: vec![],
            ..pinned()
        };
        assert!(refused(none.clone(), |_| {}).is_some_and(|why| why.contains("body")));
        assert!(
            refused(none, |r| {
                r.headers.clear();
                r.body = Some(Bytes::new());
            })
            .is_some()
        );
    }

    #[test]
    fn a_plugin_has_no_operation_and_passes() {
        let call = call(grant_of("billing", "https://billing.example.com", |_| {}));
        assert!(operation(&call, &good()).is_ok());
    }
}
