use std::sync::LazyLock;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};
use toolhost_policy::ErrorCode;

use crate::problem::PROBLEM_JSON;

static DOCUMENT: LazyLock<Bytes> =
    LazyLock::new(|| serde_json::to_vec(&document()).unwrap_or_default().into());

/// `GET /api/v1/openapi.json`. The same for everybody: it describes the door, not what is behind it.
pub(crate) async fn openapi() -> Response {
    let mut response = Response::new(Body::from(DOCUMENT.clone()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn document() -> Value {
    let list = json!({
        "operationId": "listTools",
        "summary": "The tools of the caller's tenant, a page at a time",
        "parameters": [{
            "name": "cursor", "in": "query", "required": false, "schema": {"type": "string"},
            "description": "`next_cursor` of the page before",
        }],
        "responses": responses("ToolList", &[400, 401, 403, 500]),
    });
    let call = json!({
        "operationId": "callTool",
        "summary": "Calls one tool and waits for its result",
        "parameters": [{
            "name": "name", "in": "path", "required": true,
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"},
        }],
        "requestBody": {"required": true, "content": {"application/json": {"schema": reference("Call")}}},
        "responses": responses(
            "Result",
            &[400, 401, 403, 404, 408, 409, 413, 415, 422, 424, 500, 502, 503, 504],
        ),
    });
    json!({
        "openapi": "3.1.1",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Toolhost",
            "version": "1",
            "description": "The same tools as the MCP endpoint, by the same call path. The tenant is the one that the token names; no request can name another.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": {
            "/api/v1/tools": {"get": list},
            "/api/v1/tools/{name}/call": {"post": call},
            "/api/v1/openapi.json": {"get": {
                "operationId": "describe", "summary": "This document", "security": [],
                "responses": {"200": {"description": "An OpenAPI 3.1 document", "content": {"application/json": {"schema": {"type": "object"}}}}},
            }},
            "/health": {"get": probe("health", "The process answers", &[])},
            "/ready": {"get": probe("ready", "Whether calls would be served", &[503])},
            "/.well-known/oauth-protected-resource": {"get": {
                "operationId": "protectedResource", "summary": "Who issues tokens (RFC 9728)", "security": [],
                "responses": {"200": {"description": "The metadata", "content": {"application/json": {"schema": {"type": "object"}}}}},
            }},
        },
        "components": {
            "securitySchemes": {"bearer": {
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "A token of one of the issuers in /.well-known/oauth-protected-resource, in the Authorization header alone",
            }},
            "headers": {
                "WWW-Authenticate": {"description": "RFC 6750 section 3, with resource_metadata (RFC 9728)", "schema": {"type": "string"}},
                "Retry-After": {"description": "Seconds", "schema": {"type": "integer", "minimum": 0}},
            },
            "schemas": schemas(),
        },
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn probe(id: &str, summary: &str, failures: &[u16]) -> Value {
    let answer = |description: &str| json!({"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}});
    let mut responses = Map::from_iter([("200".to_owned(), answer("Yes"))]);
    responses.extend(
        failures
            .iter()
            .map(|status| (status.to_string(), answer("Not now"))),
    );
    json!({"operationId": id, "summary": summary, "security": [], "responses": responses})
}

/// The success, and a problem document for each status, with the codes that have it.
fn responses(success: &str, failures: &[u16]) -> Value {
    let ok = json!({"description": "Done", "content": {"application/json": {"schema": reference(success)}}});
    let mut responses = Map::from_iter([("200".to_owned(), ok)]);
    for &status in failures {
        let codes: Vec<&str> = ErrorCode::ALL
            .iter()
            .filter(|code| code.http_status() == status)
            .map(|code| code.as_str())
            .collect();
        let description = match status {
            408 => "The body did not arrive in time: `timeout`".to_owned(),
            415 => "The body is not application/json: `invalid_request`".to_owned(),
            _ => format!("`{}`", codes.join("`, `")),
        };
        let mut response =
            json!({"description": description, "content": {PROBLEM_JSON: {"schema": reference("Problem")}}});
        let header = match status {
            401 | 403 => Some("WWW-Authenticate"),
            503 => Some("Retry-After"),
            _ => None,
        };
        if let (Some(header), Some(response)) = (header, response.as_object_mut()) {
            let target = json!({ "$ref": format!("#/components/headers/{header}") });
            response.insert("headers".into(), json!({ header: target }));
        }
        responses.insert(status.to_string(), response);
    }
    Value::Object(responses)
}

fn schemas() -> Value {
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let block = |kind: &str, required: &[&str], properties: Value| {
        let mut all = json!({"type": {"const": kind}});
        if let (Some(all), Value::Object(properties)) = (all.as_object_mut(), properties) {
            all.extend(properties);
        }
        let required: Vec<&str> = std::iter::once("type").chain(required.iter().copied()).collect();
        json!({"type": "object", "required": required, "properties": all})
    };
    let text = json!({"type": "string"});
    let base64 = json!({"type": "string", "contentEncoding": "base64"});
    json!({
        "ToolList": {
            "type": "object", "required": ["tools"],
            "properties": {"tools": {"type": "array", "items": reference("Tool")}, "next_cursor": text},
        },
        "Tool": {
            "type": "object", "required": ["name", "description", "input_schema", "effects", "requires"],
            "properties": {
                "name": text, "title": text, "description": text,
                "input_schema": {"type": "object", "description": "JSON Schema 2020-12 of the arguments"},
                "output_schema": {"type": "object", "description": "JSON Schema 2020-12 of `structured`"},
                "effects": {
                    "type": "object", "required": ["read_only", "destructive", "idempotent", "open_world"],
                    "properties": {
                        "read_only": {"type": "boolean"}, "destructive": {"type": "boolean"},
                        "idempotent": {"type": "boolean"}, "open_world": {"type": "boolean"},
                    },
                },
                "requires": {"type": "array", "items": text, "description": "What a client must be able to do; a tool with any cannot be called here"},
            },
        },
        "Call": {
            "type": "object", "additionalProperties": false,
            "properties": {"arguments": {"type": "object", "default": {}, "description": "As the tool's input_schema has them"}},
        },
        "Result": {
            "type": "object", "required": ["content"],
            "properties": {
                "content": {"type": "array", "items": reference("Content")},
                "structured": {"description": "As the tool's output_schema has it"},
            },
        },
        "Content": {"oneOf": [
            block("text", &["text"], json!({"text": text})),
            block("image", &["data", "mimeType"], json!({"data": base64, "mimeType": text})),
            block("audio", &["data", "mimeType"], json!({"data": base64, "mimeType": text})),
            block("resource_link", &["uri", "name"], json!({"uri": text, "name": text, "mimeType": text})),
            block("resource", &["resource"], json!({"resource": {
                "type": "object", "required": ["uri"],
                "properties": {"uri": text, "mimeType": text, "text": text, "blob": base64},
            }})),
        ]},
        "Problem": {
            "type": "object", "required": ["type", "title", "status", "detail", "code"],
            "description": "RFC 9457",
            "properties": {
                "type": {"const": "about:blank"}, "title": text,
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "detail": {"type": "string", "description": "One sentence for a person"},
                "code": {"enum": codes},
                "param": {"type": "string", "description": "The argument, key or header it is about"},
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use toolhost_policy::ErrorCode;

    use super::document;

    fn walk(value: &Value, visit: &mut impl FnMut(&str)) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| match (key.as_str(), value) {
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
        let responses = document
            .pointer("/paths/~1api~1v1~1tools~1{name}~1call/post/responses")
            .unwrap();
        // Nobody is left to read the first; the others come from switching, which this API does not have.
        let never = [
            ErrorCode::Cancelled,
            ErrorCode::HomeTenantUnavailable,
            ErrorCode::TenantMismatch,
        ];
        for code in ErrorCode::ALL.iter().filter(|code| !never.contains(code)) {
            assert!(responses.get(code.http_status().to_string()).is_some(), "{code}");
        }
    }

    #[test]
    fn no_request_can_name_a_tenant() {
        let call = document()
            .pointer("/components/schemas/Call/properties")
            .unwrap()
            .clone();
        assert_eq!(
            call.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["arguments"]
        );
    }
}
