use serde_json::{Value, json};
use toolhost_policy::ErrorCode;

use super::reference;

pub(super) fn schemas() -> Value {
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let block = |kind: &str, required: &[&str], properties: Value| {
        let mut all = json!({"type": {"const": kind}});
        if let (Some(all), Value::Object(properties)) = (all.as_object_mut(), properties) {
            all.extend(properties);
        }
        let required: Vec<&str> = std::iter::once("type")
            .chain(required.iter().copied())
            .collect();
        json!({"type": "object", "required": required, "properties": all})
    };
    let text = json!({"type": "string"});
    let nullable = json!({"type": ["string", "null"]});
    let arguments = json!({"type": ["object", "null"], "default": {}, "description": "As the tool's input_schema has them"});
    let accepts = json!({
        "type": ["array", "null"], "default": [], "items": {"enum": ["elicitation", "sampling"]},
        "description": "What the program can ask a person, or a model, on a tool's behalf",
    });
    let answers = json!({"type": ["array", "null"], "items": reference("Answer"), "description": "To what the tool asked"});
    let state = json!({"type": ["string", "null"], "description": "As input_required gave it"});
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
                "input_schema": {"type": "object", "description": "JSON Schema 2020-12 of the arguments, as the APIs of models take it"},
                "original_input_schema": {"type": "object", "description": "What the arguments are checked against, where that is more than the APIs of models take"},
                "output_schema": {"type": "object", "description": "JSON Schema 2020-12 of `structured`"},
                "effects": {
                    "type": "object", "required": ["read_only", "destructive", "idempotent", "open_world"],
                    "properties": {
                        "read_only": {"type": "boolean"}, "destructive": {"type": "boolean"},
                        "idempotent": {"type": "boolean"}, "open_world": {"type": "boolean"},
                    },
                },
                "requires": {"type": "array", "items": text, "description": "What a client must be able to do; a call names it in accepts"},
            },
        },
        "LoginLink": {
            "type": "object", "required": ["url", "expires_at", "connection", "tenant", "issuer", "subject"],
            "properties": {
                "url": {"type": "string", "description": "To be opened in the caller's own browser, and shown to nobody else"},
                "expires_at": {"type": "integer", "description": "Unix seconds"},
                "connection": text, "tenant": text, "issuer": text, "subject": text,
            },
        },
        "Call": {
            "type": "object", "additionalProperties": false,
            "properties": {"arguments": arguments, "accepts": accepts, "answers": answers, "state": state},
        },
        "SessionCall": {
            "type": "object", "additionalProperties": false, "required": ["tool"],
            "properties": {
                "tool": text, "arguments": arguments, "accepts": accepts, "answers": answers, "state": state,
                "call_id": {"type": "string", "pattern": "^[!-~]{1,64}$", "description": "The call's name among the events; the host gives one without it"},
            },
        },
        "Answer": {
            "type": "object", "additionalProperties": false, "required": ["id", "action"],
            "properties": {
                "id": text, "action": {"type": "string", "description": "accept, decline or cancel"},
                "content": {"description": "What was answered"},
            },
        },
        "Outcome": {"oneOf": [reference("Result"), reference("Asks")]},
        "Asks": {
            "type": "object", "required": ["input_required"], "additionalProperties": false,
            "description": "What the tool asks before it goes on: call again with the same arguments, the answers and the state",
            "properties": {"input_required": {
                "type": "object", "required": ["requests", "state"],
                "properties": {
                    "requests": {"type": "array", "items": {
                        "type": "object", "required": ["id", "kind", "parameters"],
                        "properties": {
                            "id": text, "kind": {"enum": ["elicitation", "sampling"]},
                            "parameters": {"type": "object", "description": "As the MCP request of that kind has them"},
                        },
                    }},
                    "state": text,
                },
            }},
        },
        "Session": {
            "type": "object",
            "required": ["id", "active_tenant_id", "home_tenant_id", "generation", "created_at", "last_used_at", "idle_seconds"],
            "properties": {
                "id": text, "active_tenant_id": nullable, "home_tenant_id": nullable,
                "generation": {"type": "integer", "minimum": 0, "description": "How many switches there were"},
                "created_at": {"type": "integer", "minimum": 0, "description": "Unix seconds"},
                "last_used_at": {"type": "integer", "minimum": 0, "description": "Unix seconds, to the minute"},
                "idle_seconds": {"type": "integer", "minimum": 0, "description": "How long it lasts without a use"},
            },
        },
        "SessionList": {
            "type": "object", "required": ["sessions"],
            "properties": {"sessions": {"type": "array", "items": reference("Session")}},
        },
        "Tenant": {
            "type": "object", "required": ["id", "display_name", "parent_id"],
            "properties": {
                "id": text, "display_name": text,
                "parent_id": {"type": ["string", "null"], "description": "Where the caller reaches it"},
            },
        },
        "TenantList": {
            "type": "object", "required": ["tenants", "home_tenant_id"],
            "properties": {
                "tenants": {"type": "array", "items": reference("Tenant")}, "home_tenant_id": nullable, "next_cursor": text,
            },
        },
        "Result": {
            "type": "object", "required": ["content"], "additionalProperties": false,
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
                "retry_after": {"type": "integer", "minimum": 1, "description": "Seconds, as in Retry-After, where they are known"},
            },
        },
    })
}
