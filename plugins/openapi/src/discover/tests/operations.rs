use serde_json::json;

use super::{found, input, notes, reason, tool};

#[test]
fn an_operation_becomes_a_tool() {
    let tool = tool(json!({
        "operationId": "pets/update one", "summary": "Update a pet", "description": "Changes\u{200b} it.", "tags": ["pets"],
        "parameters": [
            {"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}},
            {"name": "dry", "in": "query", "description": "Only try", "schema": {"type": "boolean", "default": false}},
            {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
            {"name": "session", "in": "cookie", "schema": {"type": "string"}},
        ],
        "requestBody": {"required": true, "content": {"application/json": {"schema":
            {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "account_id": {"type": "string"}}}}}},
        "responses": {"200": {"description": "ok", "content": {"application/json": {"schema": {"type": "array", "items": {"type": "string"}}}}}}
    }));
    assert_eq!(tool.tool.name, "pets_update_one");
    assert_eq!(tool.tool.title.as_deref(), Some("Update a pet"));
    assert_eq!(tool.tool.description, "Update a pet\n\nChanges it.");
    assert_eq!(
        input(&tool),
        json!({
            "type": "object",
            "properties": {
                "id": {"type": "integer"},
                "dry": {"type": "boolean", "default": false, "description": "Only try"},
                "X-Trace": {"type": "string"}, "session": {"type": "string"},
                "name": {"type": "string"}, "account_id": {"type": "string"},
            },
            "required": ["id", "name"],
            "additionalProperties": false,
        })
    );
    let output: serde_json::Value =
        serde_json::from_str(tool.tool.output_schema.as_deref().unwrap()).unwrap();
    assert_eq!(
        output["properties"]["result"],
        json!({"type": "array", "items": {"type": "string"}})
    );
    let operation = &tool.operation;
    assert_eq!(
        (operation.method.as_str(), operation.path.as_str()),
        ("POST", "/a/{id}")
    );
    assert_eq!(operation.query, ["dry"]);
    assert_eq!(operation.headers, ["x-trace"]);
    assert_eq!(operation.cookies, ["session"]);
    assert_eq!(operation.content_types, ["application/json"]);
    let arguments: Vec<_> = tool
        .arguments
        .iter()
        .map(|a| {
            (
                a.name.as_str(),
                a.location.as_str(),
                a.key.as_str(),
                a.required,
            )
        })
        .collect();
    assert_eq!(
        arguments,
        [
            ("id", "path", "id", true),
            ("dry", "query", "dry", false),
            ("X-Trace", "header", "x-trace", false),
            ("session", "cookie", "session", false),
            ("name", "body", "name", true),
            ("account_id", "body", "account_id", false),
        ]
    );
    assert!(
        tool.meta.contains(&("id".into(), "pets/update one".into()))
            && tool.meta.contains(&("tag".into(), "pets".into()))
    );
    assert!(tool.descriptor.len() < 600);
}

#[test]
fn effects_follow_from_the_method() {
    let operation = json!({});
    let found = found(&json!({"openapi": "3.1.0", "paths": {"/a": {
        "get": operation, "head": operation, "options": operation, "put": operation, "post": operation, "patch": operation, "delete": operation
    }}}));
    let effects: Vec<_> = found
        .tools
        .iter()
        .map(|tool| {
            let effects = &tool.tool.effects;
            (
                tool.operation.method.as_str(),
                effects.read_only,
                effects.destructive,
                effects.idempotent,
            )
        })
        .collect();
    for expected in [
        ("GET", true, false, true),
        ("HEAD", true, false, true),
        ("OPTIONS", true, false, true),
        ("PUT", false, true, true),
        ("POST", false, true, false),
        ("PATCH", false, true, false),
        ("DELETE", false, true, true),
    ] {
        assert!(effects.contains(&expected), "{expected:?}");
    }
}

#[test]
fn what_carries_rights_is_never_an_argument() {
    let header = |name: &str| json!({"name": name, "in": "header", "required": true, "schema": {"type": "string"}});
    let found = found(&json!({
        "openapi": "3.0.0",
        "components": {"securitySchemes": {
            "a": {"type": "apiKey", "in": "header", "name": "X-Api-Key"}, "b": {"type": "apiKey", "in": "query", "name": "api_key"},
            "c": {"$ref": "#/components/securitySchemes/d"}, "d": {"type": "apiKey", "in": "cookie", "name": "sid"},
            "e": {"type": "http", "scheme": "bearer"},
        }},
        "paths": {"/a": {"get": {"security": [{"a": []}], "parameters": [
            header("AUTHORIZATION"), header("Accept"), header("Content-Type"), header("Host"), header("cookie"), header("x-api-KEY"),
            header("X-Forwarded-For"), header("Proxy-Authorization"), header("Transfer-Encoding"), header("Sec-Fetch-Site"),
            header("X-HTTP-Method-Override"), header("X-Real-IP"), header("X_Forwarded_Host"), header("X-Original-URL"),
            {"name": "api_key", "in": "query"}, {"name": "sid", "in": "cookie"}, {"name": "API_KEY", "in": "query"}, header("X-Own"),
        ]}}}
    }));
    let names: Vec<_> = found.tools[0]
        .arguments
        .iter()
        .map(|a| a.name.as_str())
        .collect();
    assert_eq!(names, ["API_KEY", "X-Own"]);
    assert_eq!(found.tools[0].operation.headers, ["x-own"]);
    assert_eq!(found.tools[0].operation.query, ["API_KEY"]);
}

#[test]
fn parameters_of_the_path_and_references_count() {
    let found = found(&json!({
        "openapi": "3.1.0",
        "components": {"parameters": {"Limit": {"name": "limit", "in": "query", "schema": {"type": "integer"}}},
                       "pathItems": {"P": {"parameters": [{"$ref": "#/components/parameters/Limit"}, {"name": "x", "in": "query"}],
                                     "get": {"parameters": [{"name": "x", "in": "query", "required": true, "schema": {"enum": [1]}}]}}}},
        "paths": {"/a": {"$ref": "#/components/pathItems/P"}}
    }));
    let schema = input(&found.tools[0]);
    assert_eq!(schema["required"], json!(["x"]));
    assert_eq!(
        schema["properties"],
        json!({"x": {"enum": [1]}, "limit": {"type": "integer"}})
    );
}

#[test]
fn a_path_parameter_that_is_not_declared_is_text() {
    let tool = tool(json!({}));
    assert_eq!(input(&tool)["required"], json!(["id"]));
    assert_eq!(notes(&tool).len(), 1);
}

#[test]
fn members_of_an_exploded_object_are_pinned_by_name() {
    let parameter = |style: &str, schema: serde_json::Value, required: bool| json!({"parameters": [{"name": "f", "in": "query", "style": style, "explode": true, "required": required, "schema": schema}]});
    let named = tool(parameter(
        "form",
        json!({"type": "object", "properties": {"a": {}, "b": {}}, "additionalProperties": {}}),
        true,
    ));
    assert_eq!(named.operation.query, ["f", "a", "b"]);
    assert_eq!(
        input(&named)["properties"]["f"]["unevaluatedProperties"],
        json!(false)
    );
    let deep = tool(parameter(
        "deepObject",
        json!({"type": "object", "additionalProperties": {}}),
        true,
    ));
    assert_eq!(
        (deep.operation.query, deep.operation.query_objects),
        (vec!["f".to_owned()], vec!["f".to_owned()])
    );
    assert_eq!(
        reason(parameter("form", json!({"type": "object"}), true)),
        "parameter"
    );
    let left_out = tool(parameter("form", json!({"type": "object"}), false));
    assert!(
        left_out.operation.query.is_empty()
            && notes(&left_out).iter().any(|note| note.contains("\"f\""))
    );
}

#[test]
fn one_bad_operation_does_not_fail_its_document() {
    let schema = |schema: serde_json::Value| json!({"requestBody": {"required": true, "content": {"application/json": {"schema": schema}}}});
    for (operation, expected) in [
        (json!(5), "malformed"),
        (json!({"parameters": [{"in": "query"}]}), "parameter"),
        (
            json!({"parameters": [{"name": "b", "in": "body"}]}),
            "parameter",
        ),
        (
            json!({"parameters": [{"name": "a b", "in": "header"}]}),
            "parameter",
        ),
        (json!({"parameters": [{"$ref": "#/nowhere"}]}), "reference"),
        (
            schema(json!({"$ref": "https://evil.example/x.json"})),
            "reference",
        ),
        (
            json!({"requestBody": {"required": true, "content": {"multipart/mixed": {}}}}),
            "body",
        ),
        (
            json!({"servers": [{"url": "https://uploads.example.com"}]}),
            "server",
        ),
    ] {
        let document = json!({"openapi": "3.0.0", "servers": [{"url": "https://api.example.com"}], "paths": {
            "/good": {"get": {"operationId": "good"}},
            "/bad/{x}": {"post": operation, "trace": {"operationId": "t"}},
            "no/slash": {"get": {}},
            "/item": {"$ref": "other.yaml"},
        }});
        let found = found(&document);
        assert_eq!(found.tools.len(), 1);
        let reasons: Vec<_> = found
            .skipped
            .iter()
            .map(|skipped| skipped.reason.as_str())
            .collect();
        assert_eq!(
            reasons,
            [expected, "method", "path", "reference"],
            "{operation}"
        );
    }
}

#[test]
fn a_broken_response_costs_the_output_schema_alone() {
    let tool = tool(
        json!({"responses": {"200": {"content": {"application/json": {"schema": {"$ref": "x.json"}}}}}}),
    );
    assert!(
        tool.tool.output_schema.is_none()
            && notes(&tool)
                .iter()
                .any(|note| note.starts_with("no output schema"))
    );
}

#[test]
fn servers_are_proposed_and_variables_filled() {
    let base = |servers: serde_json::Value| {
        let found = found(&json!({"openapi": "3.1.0", "servers": servers, "paths": {}}));
        (found.base, found.alternatives)
    };
    let variables = json!({"site": {"default": "eu"}, "v": {"default": 2}});
    assert_eq!(
        base(
            json!([{"url": "https://{site}.example.com/v{v}", "variables": variables}, {"url": "/v1"}, {"url": "https://x.example"}])
        ),
        (
            Some("https://eu.example.com/v2".into()),
            vec!["/v1".into(), "https://x.example".into()]
        )
    );
    for url in [
        "https://{site}.example.com",
        "https://a b/",
        "",
        "https://x/?a=1",
        "https://x/{a",
    ] {
        assert_eq!(base(json!([{ "url": url }])), (None, vec![]), "{url}");
    }
    let below = found(
        &json!({"openapi": "3.1.0", "servers": [{"url": "https://x.example/api/"}], "paths": {
            "/a": {"servers": [{"url": "https://x.example/api/v2"}], "get": {}},
            "/b": {"get": {"servers": [{"url": "https://x.example/apiv2"}]}},
        }}),
    );
    assert_eq!(below.tools[0].operation.path, "/v2/a");
    assert_eq!(below.skipped[0].reason, "server");
}

#[test]
fn a_pattern_that_forbids_a_slash_makes_no_value_of_several_segments() {
    let path = |pattern: &str| {
        let parameter = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string", "pattern": pattern}});
        tool(json!({"parameters": [parameter], "responses": {}}))
            .operation
            .path
    };
    for pattern in ["/^[a-z]+$/", "^(?!.*/).+$", "^[^/]+$", "^(?:[a-z](?!/))+$"] {
        assert_eq!(path(pattern), "/a/{id}", "{pattern}");
    }
    for pattern in ["^[a-z]+/[a-z]+$", "^projects\\/[^/]+$", "/^a\\/b$/"] {
        assert_eq!(path(pattern), "/a/{+id}", "{pattern}");
    }
}
