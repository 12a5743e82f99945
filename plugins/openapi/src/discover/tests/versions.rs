//! Swagger 2.0, OpenAPI 3.2, and references by name.

use serde_json::{Map, Value, json};
use toolhost_sdk::adapter::Discovery;

use super::found;
use crate::descriptor::OperationDescriptor;

fn descriptor(found: &Discovery, at: usize) -> OperationDescriptor {
    OperationDescriptor::read(&found.tools[at].descriptor).unwrap()
}

fn input(found: &Discovery, at: usize) -> Value {
    serde_json::from_str(&found.tools[at].tool.input_schema).unwrap()
}

#[test]
fn swagger_2_0_is_read() {
    let document = json!({
        "swagger": "2.0", "info": {"title": "Pets", "version": "1"}, "host": "pets.example:8443", "basePath": "/v1/",
        "schemes": ["http", "https"], "consumes": ["application/json"], "produces": ["application/xml", "application/json"],
        "securityDefinitions": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
        "parameters": {"limit": {"name": "limit", "in": "query", "type": "integer", "maximum": 9, "description": "How many."},
            "pet": {"name": "pet", "in": "body", "required": true, "schema": {"$ref": "#/definitions/Pet"}}},
        "responses": {"pet": {"description": "one", "schema": {"$ref": "#/definitions/Pet"}}},
        "definitions": {"Pet": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "tag": {"type": "string", "x-nullable": true}}}},
        "paths": {"/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": true, "type": "string"}, {"name": "X-Key", "in": "header", "type": "string"}],
            "get": {"operationId": "getPet", "parameters": [{"$ref": "#/parameters/limit"},
                {"name": "ids", "in": "query", "type": "array", "items": {"type": "string"}, "collectionFormat": "pipes"},
                {"name": "csv", "in": "query", "type": "array", "items": {"type": "string"}},
                {"name": "multi", "in": "query", "type": "array", "items": {"type": "string"}, "collectionFormat": "multi"}],
                "responses": {"200": {"$ref": "#/responses/pet"}}},
            "put": {"operationId": "putPet", "parameters": [{"$ref": "#/parameters/pet"}], "responses": {"200": {"description": "x", "schema": {"type": "array", "items": {}}}}},
            "post": {"operationId": "upload", "consumes": ["multipart/form-data"], "parameters": [
                {"name": "file", "in": "formData", "type": "file", "required": true}, {"name": "note", "in": "formData", "type": "string"}],
                "responses": {"204": {"description": "x"}}},
            "patch": {"operationId": "form", "consumes": ["application/x-www-form-urlencoded"], "parameters": [
                {"name": "tags", "in": "formData", "type": "array", "items": {"type": "string"}, "required": true}], "responses": {}},
            "delete": {"operationId": "tabs", "parameters": [{"name": "t", "in": "query", "type": "array", "items": {}, "collectionFormat": "tsv"}], "responses": {}}
        }}
    });
    let found = found(&document);
    assert_eq!(found.base.as_deref(), Some("https://pets.example:8443/v1"));
    assert_eq!(
        found.meta[0],
        ("format".to_owned(), "Swagger 2.0".to_owned())
    );
    let names: Vec<_> = found
        .tools
        .iter()
        .map(|tool| tool.tool.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["getPet", "putPet", "upload", "form"],
        "{:?}",
        found.skipped
    );
    assert!(
        found.skipped[0].message.contains("tsv"),
        "{:?}",
        found.skipped
    );
    let get = input(&found, 0);
    let properties: Vec<_> = get["properties"].as_object().unwrap().keys().collect();
    assert_eq!(properties, ["id", "limit", "ids", "csv", "multi"]);
    assert_eq!(
        (&get["properties"]["limit"]["maximum"], &get["required"]),
        (&json!(9), &json!(["id"]))
    );
    assert_eq!(get["properties"]["limit"]["description"], "How many.");
    let sent = |at: usize, arguments: Value| {
        crate::request::build(&descriptor(&found, at), &arguments.to_string()).unwrap()
    };
    let list = json!(["a", "b"]);
    let request = sent(
        0,
        json!({"id": "7", "ids": list, "csv": list, "multi": list}),
    );
    let pairs: Vec<_> = request
        .query
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(pairs, ["ids=a|b", "csv=a,b", "multi=a", "multi=b"]);
    let output: Value =
        serde_json::from_str(found.tools[0].tool.output_schema.as_ref().unwrap()).unwrap();
    assert_eq!(
        output["properties"]["tag"]["type"],
        json!(["string", "null"])
    );
    let put = sent(1, json!({"id": "7", "name": "Rex"}));
    assert_eq!(put.body.unwrap(), br#"{"name":"Rex"}"#);
    let upload = sent(2, json!({"id": "7", "file": "eA==", "note": "n"}));
    let upload = String::from_utf8(upload.body.unwrap()).unwrap();
    assert!(
        upload.contains("name=\"file\"; filename=\"file\""),
        "{upload}"
    );
    let form = sent(3, json!({"id": "7", "tags": list}));
    assert_eq!(form.body.unwrap(), b"tags=a%2Cb");
}

fn posts(count: usize, operation: &Value) -> Map<String, Value> {
    (0..count)
        .map(|n| (format!("/p{n}"), json!({ "post": operation })))
        .collect()
}

#[test]
fn of_a_document_that_nobody_could_list_what_is_chosen_is_read() {
    let paths: Map<String, Value> = (0..5_001)
        .map(|n| {
            (
                format!("/p{n}"),
                json!({"get": {"operationId": format!("op.{n}")}}),
            )
        })
        .collect();
    let document = json!({"openapi": "3.0.0", "paths": paths}).to_string();
    let names = |chosen: &[&str]| -> Vec<String> {
        let found = crate::discover::discover_chosen(document.as_bytes(), chosen).unwrap();
        found
            .tools
            .into_iter()
            .map(|found| found.tool.name)
            .collect()
    };
    assert_eq!(names(&["op.7", "op_9", "op.no"]), ["op_7", "op_9"]);
    assert_eq!(names(&[]).len(), 5_001);
    let small =
        json!({"openapi": "3.0.0", "paths": {"/a": {"get": {"operationId": "a"}}}}).to_string();
    let all = crate::discover::discover_chosen(small.as_bytes(), &["b"]).unwrap();
    assert_eq!(all.tools.len(), 1, "the whole is approved where it can be");
}

#[test]
fn swagger_that_repeats_itself_does_not_grow() {
    let big = json!({"type": "object", "properties": {"a": {"type": "string", "enum": ["x".repeat(1_000)]}}});
    let operation = json!({"parameters": [{"$ref": "#/parameters/big"}], "responses": {"200": {"$ref": "#/responses/big"}}});
    let document = json!({"swagger": "2.0", "paths": posts(500, &operation), "parameters": {"big": {"in": "body", "name": "b", "schema": big}},
        "responses": {"big": {"description": "d", "schema": big}}});
    assert_eq!(found(&document).tools.len(), 500);
    let consumes: Vec<String> = (0..1_000).map(|n| format!("application/x-{n}")).collect();
    let document = json!({"swagger": "2.0", "consumes": consumes, "paths": posts(500, &operation),
        "parameters": {"big": {"in": "body", "name": "b"}}});
    assert!(super::discover(document.to_string().as_bytes()).is_err());
}

#[test]
fn references_of_swagger_into_operations_and_to_references_lead_to_what_they_name() {
    let first = json!({"operationId": "first", "parameters": [
            {"name": "b", "in": "body", "schema": {"type": "object", "properties": {"n": {"type": "integer"}}}},
            {"name": "secret", "in": "query", "type": "boolean"}, {"name": "q", "in": "query", "type": "string", "maxLength": 7}],
        "responses": {"200": {"description": "", "schema": {"type": "object", "properties": {"out": {"type": "string"}}}}}});
    let second = json!({"operationId": "second", "parameters": [{"$ref": "#/paths/~1a/post/parameters/2"},
            {"$ref": "#/parameters/chain"}, {"$ref": "#/paths/~1a/parameters/0"},
            {"name": "b", "in": "body", "schema": {"type": "object", "properties": {
                "same": {"$ref": "#/paths/~1a/post/parameters/0/schema"}, "text": {"$ref": "#/paths/~1a/post/parameters/2"}}}}],
        "responses": {"200": {"$ref": "#/paths/~1a/post/responses/200"}}});
    let third = json!({"operationId": "third", "parameters": [], "responses": {"200": {"$ref": "#/responses/chain"}}});
    let found = found(&json!({"swagger": "2.0",
        "paths": {"/a": {"parameters": [{"name": "page", "in": "query", "type": "integer"}], "post": first},
            "/b": {"post": second}, "/c": {"get": third}},
        "parameters": {"chain": {"$ref": "#/parameters/last"}, "last": {"name": "limit", "in": "query", "type": "integer", "maximum": 9}},
        "responses": {"chain": {"$ref": "#/responses/last"},
            "last": {"description": "", "schema": {"$ref": "#/paths/~1a/post/responses/200/schema"}}}}));
    assert!(found.skipped.is_empty(), "{:?}", found.skipped);
    let properties = &input(&found, 1)["properties"];
    assert_eq!(
        properties["same"]["properties"]["n"]["type"], "integer",
        "{properties}"
    );
    for (name, key, expected) in [
        ("text", "maxLength", json!(7)),
        ("q", "maxLength", json!(7)),
        ("limit", "maximum", json!(9)),
        ("page", "type", json!("integer")),
    ] {
        assert_eq!(properties[name][key], expected, "{name}: {properties}");
    }
    for tool in &found.tools {
        let output = tool.tool.output_schema.as_deref().unwrap_or_default();
        assert!(output.contains("\"out\""), "{}: {output}", tool.tool.name);
    }
}

#[test]
fn openapi_3_2_is_read_and_what_is_not_offered_is_told_by_name() {
    let document = json!({
        "openapi": "3.2.0", "$self": "https://a.example/openapi.json",
        "components": {"schemas": {"A": {"$anchor": "a", "type": "object", "properties": {"n": {"type": "integer"}}}},
            "mediaTypes": {"J": {"schema": {"$ref": "https://a.example/openapi.json#/components/schemas/A"}}}},
        "paths": {"/a/{p}": {
            "get": {"operationId": "get", "parameters": [
                {"name": "p", "in": "path", "required": true, "allowReserved": true, "schema": {"type": "string"}},
                {"name": "q", "in": "querystring", "content": {"application/json": {}}}],
                "responses": {"200": {"content": {"application/json": {"$ref": "#/components/mediaTypes/J"}}}}},
            "post": {"operationId": "post", "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#a"}}}}},
            "put": {"operationId": "put", "parameters": [{"name": "q", "in": "querystring", "required": true, "content": {"application/json": {}}}]},
            "query": {"operationId": "query"}, "additionalOperations": {"COPY": {"operationId": "copy"}}
        }}
    });
    let found = found(&document);
    let names: Vec<_> = found
        .tools
        .iter()
        .map(|tool| tool.tool.name.as_str())
        .collect();
    assert_eq!(names, ["get", "post"], "{:?}", found.skipped);
    assert_eq!(descriptor(&found, 0).path, "/a/{+p}");
    assert!(found.tools[0].tool.output_schema.is_some());
    let skipped: Vec<_> = found
        .skipped
        .iter()
        .map(|skipped| (skipped.id.as_deref().unwrap(), skipped.reason.as_str()))
        .collect();
    assert_eq!(
        skipped,
        [
            ("put", "parameter"),
            ("query", "method"),
            ("copy", "method")
        ]
    );
}

#[test]
fn a_reference_by_name_is_followed_and_one_that_two_have_is_refused() {
    let document = |second: &str| {
        json!({"openapi": "3.1.0", "components": {"schemas": {
            "A": {"$anchor": "x", "type": "string"}, "B": {"$anchor": second, "type": "integer"},
            "C": {"$id": "https://s.example/c", "type": "boolean", "$defs": {"d": {"type": "null"}}}}},
            "paths": {"/a": {"get": {"parameters": [{"name": "a", "in": "query", "schema": {"$ref": "#x"}},
                {"name": "c", "in": "query", "schema": {"$ref": "https://s.example/c"}},
                {"name": "d", "in": "query", "schema": {"$ref": "https://s.example/c#/$defs/d"}}]}}}})
    };
    let one = found(&document("y"));
    assert_eq!(
        input(&one, 0)["properties"]["a"],
        json!({"type": "string"}),
        "{:?}",
        one.skipped
    );
    assert_eq!(input(&one, 0)["properties"]["c"]["type"], "boolean");
    assert_eq!(input(&one, 0)["properties"]["d"]["type"], "null");
    assert_eq!(found(&document("x")).skipped[0].reason, "reference");
}

#[test]
fn what_is_relative_to_the_documents_own_address_is_found_in_it() {
    let with = |reference: &str| {
        found(&json!({
            "openapi": "3.2.0", "$self": "https://a.example/v1/openapi.json",
            "components": {"schemas": {"A": {"$id": "https://a.example/s/a.json", "type": "object", "properties": {"n": {"type": "integer"}}}}},
            "paths": {"/a": {"post": {"responses": {}, "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": reference}}}}}}}
        }))
    };
    for reference in [
        "openapi.json#/components/schemas/A",
        "./openapi.json#/components/schemas/A",
        "https://a.example/v1/openapi.json#/components/schemas/A",
        "a.json",
        "./a.json#",
        "https://a.example/s/a.json",
    ] {
        let found = with(reference);
        assert_eq!(found.skipped.len(), 0, "{reference}: {:?}", found.skipped);
        assert!(
            input(&found, 0)["properties"].get("n").is_some(),
            "{reference}"
        );
    }
    for reference in [
        "other.json#/components/schemas/A",
        "../openapi.json#/a",
        "b.json",
        "json",
    ] {
        assert_eq!(
            with(reference).skipped[0].reason,
            "reference",
            "{reference}"
        );
    }
}

#[test]
fn what_is_left_out_of_a_document_is_named() {
    let found = found(&json!({
        "openapi": "3.2.0",
        "paths": {"/a": {
            "GET": {"operationId": "upper", "responses": {}}, "query": {"operationId": "asks"},
            "additionalOperations": {"COPY": {"operationId": "copies"}},
            "post": {"operationId": "posts", "responses": {}, "requestBody": {"content": {"multipart/mixed": {"itemSchema": {}}}},
                "parameters": [{"name": "qs", "in": "querystring", "content": {}},
                    {"name": "open", "in": "cookie", "schema": {"type": "object"}}]}
        }}
    }));
    let skipped: Vec<_> = found
        .skipped
        .iter()
        .map(|one| one.id.as_deref().unwrap())
        .collect();
    assert_eq!(skipped, ["upper", "asks", "copies"]);
    let notes = super::notes(&found.tools[0]).join("\n");
    for said in ["\"qs\"", "\"open\"", "the body"] {
        assert!(notes.contains(said), "{said}: {notes}");
    }
}

#[test]
fn a_form_of_swagger_is_sent_as_it_is_consumed_and_a_file_is_no_json() {
    let of = |consumes: Value, operation: Value| {
        let mut operation = operation;
        operation["consumes"] = consumes;
        found(
            &json!({"swagger": "2.0", "produces": ["application/json", "application/pdf"], "paths": {"/a": {"post": operation}}}),
        )
    };
    let form =
        json!({"parameters": [{"name": "a", "in": "formData", "type": "string"}], "responses": {}});
    for (consumes, expected) in [
        (
            json!(["application/json", "multipart/form-data"]),
            "multipart/form-data",
        ),
        (
            json!(["application/json"]),
            "application/x-www-form-urlencoded",
        ),
        (
            json!(["application/x-www-form-urlencoded", "multipart/form-data"]),
            "application/x-www-form-urlencoded",
        ),
    ] {
        let body = descriptor(&of(consumes.clone(), form.clone()), 0)
            .body
            .unwrap();
        assert_eq!(body.content_type, expected, "{consumes}");
    }
    let tabs = json!({"parameters": [{"name": "a", "in": "formData", "type": "array", "items": {}, "collectionFormat": "tsv"}], "responses": {}});
    assert!(of(json!([]), tabs).skipped[0].message.contains("tsv"));
    let file = of(
        json!([]),
        json!({"responses": {"200": {"description": "", "schema": {"type": "file"}}}}),
    );
    assert_eq!(file.tools[0].tool.output_schema, None);
    assert_eq!(descriptor(&file, 0).accept, "application/pdf");
}
