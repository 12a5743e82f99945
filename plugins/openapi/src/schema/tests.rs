use serde_json::{Value, json};

use super::{Direction, Schemas};

fn converted(
    root: &Value,
    at: &str,
    modern: bool,
    direction: Direction,
) -> Result<Value, &'static str> {
    let mut schemas = Schemas::new(root, modern);
    let fragment = schemas
        .fragment(root.pointer(at).unwrap(), direction)
        .map_err(|problem| problem.code())?;
    let definitions = schemas
        .definitions(&[&fragment], 100_000)
        .map_err(|problem| problem.code())?;
    let mut schema: Value = serde_json::from_str(&fragment.text).unwrap();
    if !definitions.text.is_empty() {
        let definitions: Value =
            serde_json::from_str(&format!("{{{}}}", definitions.text)).unwrap();
        schema["$defs"] = definitions;
    }
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    Ok(schema)
}

mod taken;

fn request(schema: Value, modern: bool) -> Value {
    converted(&json!({ "s": schema }), "/s", modern, Direction::Request).unwrap()
}

#[test]
fn what_3_0_says_otherwise_is_said_as_2020_12() {
    for (old, new) in [
        (
            json!({"type": "string", "nullable": true}),
            json!({"type": ["string", "null"]}),
        ),
        (
            json!({"type": "string", "nullable": true, "enum": ["a"]}),
            json!({"type": ["string", "null"], "enum": ["a", null]}),
        ),
        (
            json!({"type": "integer", "minimum": 0, "exclusiveMinimum": true, "maximum": 5, "exclusiveMaximum": false}),
            json!({"type": "integer", "exclusiveMinimum": 0, "maximum": 5}),
        ),
        (
            json!({"nullable": true, "allOf": [{"type": "object"}]}),
            json!({"anyOf": [{"allOf": [{"type": "object"}]}, {"type": "null"}]}),
        ),
        (
            json!({"type": "string", "format": "byte"}),
            json!({"type": "string", "format": "byte", "contentEncoding": "base64"}),
        ),
        (json!({"type": "file"}), json!({"type": "string"})),
        (
            json!({"nullable": true}),
            json!({"anyOf": [{}, {"type": "null"}]}),
        ),
    ] {
        assert_eq!(request(old.clone(), false), new, "{old}");
    }
}

#[test]
fn what_is_not_json_schema_is_left_out() {
    let schema = json!({
        "type": "any", "x-note": 1, "example": {}, "xml": {}, "discriminator": {"propertyName": "k"}, "externalDocs": {},
        "maxLength": "10", "minimum": "1", "minItems": -1, "multipleOf": 0, "required": true, "enum": {}, "items": 5,
        "properties": [], "pattern": "(?=x)", "format": 7, "$id": "https://evil.example/", "$dynamicRef": "#x",
        "default": 5, "title": "t\u{202e}", "maxItems": 3.0, "uniqueItems": "yes", "allOf": [], "const": "c",
    });
    assert_eq!(
        request(schema, true),
        json!({"default": 5, "title": "t", "maxItems": 3, "const": "c"})
    );
}

#[test]
fn members_that_only_come_back_are_not_sent() {
    let root = json!({
        "components": {"schemas": {"Id": {"type": "string", "readOnly": true}}},
        "s": {
            "type": "object", "required": ["id", "name", "name", "secret"],
            "properties": {
                "id": {"$ref": "#/components/schemas/Id"},
                "name": {"type": "string"},
                "secret": {"type": "string", "writeOnly": true},
            }
        }
    });
    let sent = converted(&root, "/s", false, Direction::Request).unwrap();
    assert_eq!(sent["required"], json!(["name", "secret"]));
    assert!(sent["properties"].get("id").is_none() && sent["properties"].get("secret").is_some());
    let back = converted(&root, "/s", false, Direction::Response).unwrap();
    assert_eq!(back["required"], json!(["id", "name"]));
    assert!(back["properties"].get("secret").is_none() && back["properties"].get("id").is_some());
}

#[test]
fn a_schema_that_contains_itself_becomes_a_definition() {
    let root = json!({"schemas": {"Node": {"type": "object", "properties": {
        "next": {"$ref": "#/schemas/Node"}, "list": {"type": "array", "items": {"$ref": "#/schemas/Node"}}
    }}}, "s": {"$ref": "#/schemas/Node"}});
    let schema = converted(&root, "/s", false, Direction::Request).unwrap();
    assert_eq!(schema["$ref"], "#/$defs/Node");
    assert_eq!(
        schema["$defs"]["Node"]["properties"]["next"]["$ref"],
        "#/$defs/Node"
    );
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    assert!(validator.is_valid(&json!({"next": {"next": {"list": []}}})));
    assert!(!validator.is_valid(&json!({"next": {"next": {"list": 1}}})));
}

#[test]
fn a_schema_that_is_nothing_but_itself_is_refused() {
    for schemas in [
        json!({"A": {"$ref": "#/schemas/A"}}),
        json!({"A": {"$ref": "#/schemas/B"}, "B": {"$ref": "#/schemas/A"}}),
        json!({"A": {"allOf": [{"$ref": "#/schemas/B"}]}, "B": {"anyOf": [{"type": "string"}, {"$ref": "#/schemas/A"}]}}),
        json!({"A": {"properties": {"x": {"$ref": "#/schemas/B"}}}, "B": {"anyOf": [{"$ref": "#/schemas/B"}]}}),
        json!({"A": {"properties": {"x": {"$ref": "#/schemas/B"}}, "allOf": [{"$ref": "#/schemas/C"}]},
               "B": {"oneOf": [{"$ref": "#/schemas/A"}]}, "C": {"oneOf": [{"$ref": "#/schemas/B"}]}}),
    ] {
        let root = json!({"schemas": schemas, "s": {"$ref": "#/schemas/A"}});
        assert_eq!(
            converted(&root, "/s", true, Direction::Request),
            Err("reference"),
            "{root}"
        );
    }
}

#[test]
fn a_document_that_doubles_itself_stays_small() {
    let mut schemas = serde_json::Map::new();
    for n in 0..60 {
        let next = json!({"$ref": format!("#/schemas/S{}", n + 1)});
        let text = "x".repeat(200);
        schemas.insert(
            format!("S{n}"),
            json!({"type": "object", "description": text, "properties": {"a": next, "b": next, "c": next}}),
        );
    }
    schemas.insert("S60".into(), json!({"type": "string"}));
    let root = json!({"schemas": schemas, "s": {"$ref": "#/schemas/S0"}});
    let schema = converted(&root, "/s", false, Direction::Request).unwrap();
    assert!(schema.to_string().len() < 100_000);
    assert!(schema["$defs"].as_object().unwrap().len() >= 30);
}

#[test]
fn a_long_chain_of_references_costs_no_stack() {
    let mut schemas = serde_json::Map::new();
    for n in 0..20_000 {
        let next = json!({"$ref": format!("#/schemas/S{}", n + 1)});
        schemas.insert(
            format!("S{n}"),
            if n % 2 == 0 {
                json!({"allOf": [next]})
            } else {
                next
            },
        );
    }
    schemas.insert("S20000".into(), json!({"type": "string"}));
    let root = json!({"schemas": schemas, "s": {"$ref": "#/schemas/S0"}});
    // Whether it is converted or refused does not matter; that it ends does.
    let _ = converted(&root, "/s", true, Direction::Request);
}

#[test]
fn what_does_not_fit_accepts_anything() {
    let property = json!({"type": "string", "description": "x".repeat(590)});
    let mut root = json!({"schemas": {}, "s": {"type": "object", "properties": {}}});
    for n in 0..50 {
        let name = format!("S{n}");
        root["schemas"][&name] =
            json!({"type": "object", "properties": {"p": property, "q": property}});
        root["s"]["properties"][&name] = json!({"$ref": format!("#/schemas/{name}")});
    }
    let mut schemas = Schemas::new(&root, true);
    let fragment = schemas.fragment(&root["s"], Direction::Request).unwrap();
    let definitions = schemas.definitions(&[&fragment], 10_000).unwrap();
    assert!(
        definitions.open > 30 && definitions.text.len() < 11_500,
        "{}",
        definitions.open
    );
    assert_eq!(definitions.text.matches(":{}").count(), definitions.open);
}

#[test]
fn a_schema_beside_its_reference_counts_in_3_1_alone() {
    let root = json!({"schemas": {"A": {"type": "string", "maxLength": 5}}, "s": {"$ref": "#/schemas/A", "minLength": 2}});
    assert_eq!(
        converted(&root, "/s", false, Direction::Request).unwrap(),
        json!({"type": "string", "maxLength": 5})
    );
    assert_eq!(
        converted(&root, "/s", true, Direction::Request).unwrap(),
        json!({"allOf": [{"type": "string", "maxLength": 5}], "minLength": 2})
    );
}

#[test]
fn references_out_of_the_document_are_refused() {
    for reference in [
        "other.json#/A",
        "https://evil.example/a.json",
        "#/nowhere",
        "#anchor",
        "",
        "file:///etc/passwd",
    ] {
        let root = json!({"s": {"type": "object", "properties": {"a": {"$ref": reference}}}});
        assert_eq!(
            converted(&root, "/s", true, Direction::Request),
            Err("reference"),
            "{reference}"
        );
    }
}

#[test]
fn a_property_may_have_the_name_of_a_keyword() {
    let schema = json!({"type": "object", "properties": {"$ref": {"type": "string"}, "type": {"type": "integer"}, "enum": {}}});
    assert_eq!(request(schema.clone(), true), schema);
}

fn pets() -> Value {
    json!({"schemas": {
        "Base": {"type": "object", "required": ["petType"], "properties": {"petType": {"type": "string"}}, "additionalProperties": false},
        "Cat": {"allOf": [{"$ref": "#/schemas/Base"}, {"type": "object", "properties": {"meow": {"type": "boolean"}}}]},
        "Dog": {"allOf": [{"$ref": "#/schemas/Base"}, {"type": "object", "properties": {"bark": {"type": "boolean"}}}]},
        "Pet": {"oneOf": [{"$ref": "#/schemas/Cat"}, {"$ref": "#/schemas/Dog"}],
                "discriminator": {"propertyName": "petType", "mapping": {"cat": "#/schemas/Cat", "dog": "Dog"}}},
    }})
}

fn fits(root: &Value, name: &str, direction: Direction, value: &Value) -> bool {
    let schema = converted(root, &format!("/schemas/{name}"), false, direction).unwrap();
    jsonschema::draft202012::new(&schema)
        .unwrap()
        .is_valid(value)
}

#[test]
fn the_discriminator_picks_the_branch_and_overlapping_branches_are_either() {
    let root = pets();
    for direction in [Direction::Request, Direction::Response] {
        for (value, expected) in [
            (json!({"petType": "cat", "meow": true}), true),
            (json!({"petType": "dog", "bark": true}), true),
            (json!({"petType": "Cat", "meow": true}), true),
            (json!({"petType": "cat"}), true),
            (json!({"petType": "cat", "meow": 1, "bark": true}), false),
            (json!({"meow": true}), false),
            (json!({"petType": "fish"}), direction == Direction::Response),
        ] {
            assert_eq!(
                fits(&root, "Pet", direction, &value),
                expected,
                "{direction:?} {value}"
            );
        }
    }
    let mut without = root;
    without["schemas"]["Pet"]
        .as_object_mut()
        .unwrap()
        .remove("discriminator");
    assert!(fits(
        &without,
        "Pet",
        Direction::Request,
        &json!({"petType": "cat", "meow": true})
    ));
    assert!(fits(
        &without,
        "Base",
        Direction::Request,
        &json!({"petType": "cat"})
    ));
    assert!(
        !fits(
            &without,
            "Base",
            Direction::Request,
            &json!({"petType": "cat", "x": 1})
        ),
        "alone it is closed"
    );
}

#[test]
fn a_base_that_lists_its_kinds_is_no_circle() {
    let root = json!({"schemas": {
        "Pet": {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}},
                "oneOf": [{"$ref": "#/schemas/Cat"}, {"$ref": "#/schemas/Dog"}], "discriminator": {"propertyName": "kind"}},
        "Cat": {"allOf": [{"$ref": "#/schemas/Pet"}], "properties": {"meow": {"type": "boolean"}}, "additionalProperties": false},
        "Dog": {"allOf": [{"$ref": "#/schemas/Pet"}, {"required": ["bark"]}]},
    }});
    for (value, expected) in [
        (json!({"kind": "cat", "meow": true}), true),
        (json!({"kind": "dog", "bark": 1, "x": 1}), true),
        (json!({"kind": "cat", "meow": 1}), false),
        (json!({"meow": true}), false),
    ] {
        assert_eq!(
            fits(&root, "Pet", Direction::Request, &value),
            expected,
            "{value}"
        );
    }
}

#[test]
fn one_of_beside_any_of_are_both_demanded() {
    let schema = json!({"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "anyOf": [{"required": ["c"]}, {"required": ["d"]}],
        "allOf": [{"type": "object"}]});
    let root = json!({"schemas": {"S": schema}});
    for (value, expected) in [
        (json!({"a": 1, "b": 1, "c": 1}), true),
        (json!({"a": 1}), false),
        (json!({"d": 1}), false),
    ] {
        assert_eq!(
            fits(&root, "S", Direction::Request, &value),
            expected,
            "{value}"
        );
    }
}

#[test]
fn a_member_that_a_left_out_pattern_means_is_not_refused() {
    let schema = json!({"type": "object", "patternProperties": {"^(?!x)": {"type": "string"}}, "additionalProperties": false});
    let root = json!({"schemas": {"S": schema}});
    assert!(fits(&root, "S", Direction::Request, &json!({"a": "1"})));
}
