use serde_json::{Map, Value, json};
use toolhost_policy::ErrorCode;

use super::{parameter, reference};
use crate::api::tenant_headers::{ACTIVE, CONTEXT, EXPECT};
use crate::problem::PROBLEM_JSON;

/// What a request is answered with when it went well.
#[derive(Clone, Copy)]
enum SuccessResponse {
    /// JSON of this schema.
    Json(&'static str),
    /// A result, with the tenant that it was for.
    OfTenant(&'static str),
    /// A session was made.
    Made,
    /// There is nothing to say.
    Nothing,
    /// Events, until the stream ends.
    Events,
    /// What a plugin kept.
    Bytes,
}

impl SuccessResponse {
    fn response(self) -> (String, Value) {
        let json = |schema| json!({"application/json": {"schema": reference(schema)}});
        let header =
            |name: &str| json!({ name: { "$ref": format!("#/components/headers/{name}") } });
        let (status, response) = match self {
            Self::Json(schema) => (
                "200",
                json!({"description": "Done", "content": json(schema)}),
            ),
            Self::OfTenant(schema) => (
                "200",
                json!({"description": "Done", "content": json(schema), "headers": header(ACTIVE)}),
            ),
            Self::Made => (
                "201",
                json!({"description": "Made", "content": json("Session"), "headers": header("Location")}),
            ),
            Self::Nothing => ("204", json!({"description": "Done"})),
            Self::Bytes => (
                "200",
                json!({
                    "description": "The bytes, with the type that the plugin gave them",
                    "content": {"*/*": {"schema": {}}},
                }),
            ),
            Self::Events => (
                "200",
                json!({
                    "description": "Server-sent events: session, call_started, call_progress, call_finished, active_tenant_changed, events_lost, session_ended",
                    "content": {"text/event-stream": {"schema": {"type": "string"}}},
                }),
            ),
        };
        (status.to_owned(), response)
    }
}

pub(super) fn paths() -> Value {
    let of_tenant = || vec![parameter("Context"), parameter("Expect")];
    let with = |mut parameters: Vec<Value>, more: Value| {
        parameters.push(more);
        parameters
    };
    let cursor = json!({
        "name": "cursor", "in": "query", "required": false, "schema": {"type": "string"},
        "description": "`next_cursor` of the page before",
    });
    let tool = json!({
        "name": "name", "in": "path", "required": true,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$"},
    });
    let session = || {
        json!({
            "name": "id", "in": "path", "required": true,
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"},
        })
    };
    let connection = json!({
        "name": "name", "in": "path", "required": true,
        "schema": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,62}$"},
    });
    let artifact = json!({
        "name": "id", "in": "path", "required": true,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    });
    let tenant = json!({
        "name": "id", "in": "path", "required": true,
        "schema": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"},
    });
    let last = json!({
        "name": "Last-Event-ID", "in": "header", "required": false, "schema": {"type": "string"},
        "description": "The id of the event that was seen last",
    });
    let body = |schema, required| json!({"required": required, "content": {"application/json": {"schema": schema}}});
    let calling: &[u16] = &[
        400, 401, 403, 404, 408, 409, 413, 415, 422, 424, 429, 500, 502, 503, 504,
    ];
    let operation = |id: &str, summary: &str, parameters: Vec<Value>, success, failures: &[u16]| {
        json!({
            "operationId": id, "summary": summary, "parameters": parameters,
            "responses": responses(success, failures),
        })
    };
    let asks = |mut operation: Value, body: Value| {
        if let Some(members) = operation.as_object_mut() {
            members.insert("requestBody".to_owned(), body);
        }
        operation
    };
    json!({
        "/api/v1/tools": {"get": operation(
            "listTools", "The tools of the active tenant, a page at a time", with(of_tenant(), cursor.clone()),
            SuccessResponse::OfTenant("ToolList"), &[400, 401, 403, 404, 409, 500, 503],
        )},
        "/api/v1/tools/{name}/call": {"post": asks(
            operation(
                "callTool", "Calls one tool and waits for its result", with(of_tenant(), tool),
                SuccessResponse::OfTenant("Outcome"), calling,
            ),
            body(reference("Call"), true),
        )},
        "/api/v1/connections/{name}/login": {"post": operation(
            "connectAccount", "A link where the caller connects an account of their own; it is good once and for five minutes",
            with(of_tenant(), connection), SuccessResponse::Json("LoginLink"), &[400, 401, 403, 404, 409, 500, 503],
        )},
        "/api/v1/sessions": {
            "post": asks(
                operation(
                    "beginSession", "Begins a session of the caller, at the tenant of its token", vec![],
                    SuccessResponse::Made, &[400, 401, 403, 408, 413, 500, 503],
                ),
                body(json!({"type": "object", "additionalProperties": false, "maxProperties": 0}), false),
            ),
            "get": operation(
                "listSessions", "The caller's own sessions, over every transport", vec![],
                SuccessResponse::Json("SessionList"), &[400, 401, 403, 500, 503],
            ),
        },
        "/api/v1/sessions/{id}": {
            "get": operation(
                "showSession", "A session of the caller; a use of it", vec![session()],
                SuccessResponse::Json("Session"), &[400, 401, 403, 404, 500, 503],
            ),
            "delete": operation(
                "endSession", "Ends a session: its calls are cancelled, its streams end, its events go", vec![session()],
                SuccessResponse::Nothing, &[400, 401, 403, 404, 500, 503],
            ),
        },
        "/api/v1/sessions/{id}/calls": {"post": asks(
            operation(
                "callInSession", "Calls one tool for the session's active tenant", vec![session(), parameter("Expect")],
                SuccessResponse::OfTenant("Outcome"), calling,
            ),
            body(reference("SessionCall"), true),
        )},
        "/api/v1/sessions/{id}/events": {"get": operation(
            "sessionEvents", "What happened in a session, and then what happens", vec![session(), last],
            SuccessResponse::Events, &[400, 401, 403, 404, 500, 503],
        )},
        "/api/v1/tenants": {"get": operation(
            "listTenants", "The tenants that the caller's login reaches, a page at a time", vec![cursor],
            SuccessResponse::Json("TenantList"), &[400, 401, 403, 500, 503],
        )},
        "/api/v1/tenants/{id}": {"get": operation(
            "showTenant", "One of them", vec![tenant],
            SuccessResponse::Json("Tenant"), &[400, 401, 403, 404, 500, 503],
        )},
        "/api/v1/artifacts/{id}": {"get": operation(
            "fetchArtifact", "The bytes that a tool's result points to with `artifact:ID`", with(of_tenant(), artifact),
            SuccessResponse::Bytes, &[400, 401, 403, 404, 409, 500, 503],
        )},
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
    })
}

/// The headers by which a request without a session says what it chose.
pub(super) fn parameters() -> Value {
    let header = |name: &str, text: &str| json!({"name": name, "in": "header", "required": false, "schema": {"type": "string"}, "description": text});
    json!({
        "Context": header(CONTEXT, "What switch_tenant returned as tenant_context, to act for that tenant"),
        "Expect": header(EXPECT, "The tenant that the caller takes to be active; the call is refused where it is not"),
    })
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
fn responses(success: SuccessResponse, failures: &[u16]) -> Value {
    let mut responses = Map::from_iter([success.response()]);
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
        let mut response = json!({"description": description, "content": {PROBLEM_JSON: {"schema": reference("Problem")}}});
        let header = match status {
            401 | 403 => Some("WWW-Authenticate"),
            429 | 503 => Some("Retry-After"),
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
