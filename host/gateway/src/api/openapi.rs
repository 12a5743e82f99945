mod paths;
mod schemas;

use std::sync::LazyLock;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::{Value, json};

use super::tenant_headers::ACTIVE;

static DOCUMENT: LazyLock<Bytes> =
    LazyLock::new(|| serde_json::to_vec(&document()).unwrap_or_default().into());

/// `GET /api/v1/openapi.json`. The same for everybody: it describes the transport, not what is
/// behind it.
pub(crate) async fn openapi() -> Response {
    let mut response = Response::new(Body::from(DOCUMENT.clone()));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

fn document() -> Value {
    json!({
        "openapi": "3.1.1",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Toolhost",
            "version": "1",
            "description": "The same tools as the MCP endpoint, by the same call path. A call is for the tenant of its token, or for one that this caller switched to: by a session, or by the name that a switch gave. No request names a tenant itself.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": paths::paths(),
        "components": {
            "securitySchemes": {"bearer": {
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "A token of one of the issuers in /.well-known/oauth-protected-resource, in the Authorization header alone",
            }},
            "headers": {
                "WWW-Authenticate": {"description": "RFC 6750 section 3, with resource_metadata (RFC 9728)", "schema": {"type": "string"}},
                "Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 0}},
                "Location": {"description": "Where the session is", "schema": {"type": "string"}},
                ACTIVE: {"description": "The tenant that the answer is for", "schema": {"type": "string"}},
            },
            "parameters": paths::parameters(),
            "schemas": schemas::schemas(),
        },
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn parameter(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use toolhost_policy::ErrorCode;

    use super::document;

    fn walk(value: &Value, visit: &mut impl FnMut(&str)) {
        match value {
            Value::Object(map) => map
                .iter()
                .for_each(|(key, value)| match (key.as_str(), value) {
                    ("$ref", Value::String(target)) => visit(target),
                    _ => walk(value, visit),
                }),
            Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_has_its_target() {
        let document = document();
        let mut count = 0;
        walk(&document, &mut |target| {
            count += 1;
            assert!(
                document.pointer(target.trim_start_matches('#')).is_some(),
                "{target}"
            );
        });
        assert!(count > 15);
    }

    #[test]
    fn every_code_is_in_the_document_and_every_failure_of_a_call_has_a_response() {
        let document = document();
        let codes = document
            .pointer("/components/schemas/Problem/properties/code/enum")
            .unwrap()
            .as_array()
            .unwrap();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
        for path in ["tools~1{name}~1call", "sessions~1{id}~1calls"] {
            let responses = document
                .pointer(&format!("/paths/~1api~1v1~1{path}/post/responses"))
                .unwrap();
            // Nobody is left to read that.
            for code in ErrorCode::ALL
                .iter()
                .filter(|code| **code != ErrorCode::Cancelled)
            {
                assert!(
                    responses.get(code.http_status().to_string()).is_some(),
                    "{code}"
                );
            }
        }
    }

    #[test]
    fn no_request_can_name_a_tenant() {
        let document = document();
        let members = |schema: &str| -> Vec<String> {
            let pointer = format!("/components/schemas/{schema}/properties");
            let properties = document.pointer(&pointer).unwrap().as_object().unwrap();
            properties.keys().cloned().collect()
        };
        assert_eq!(
            members("Call"),
            ["accepts", "answers", "arguments", "state"]
        );
        let session = [
            "accepts",
            "answers",
            "arguments",
            "call_id",
            "state",
            "tool",
        ];
        assert_eq!(members("SessionCall"), session);
    }
}
