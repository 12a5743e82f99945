//! Schemas of documents are what servers take: each of these is valid for the system, and some part
//! of the document, at its word, says otherwise.

use serde_json::{Value, json};

use super::{Direction, fits};

fn takes(schema: Value, value: &Value) -> bool {
    fits(
        &json!({ "schemas": { "S": schema } }),
        "S",
        Direction::Request,
        value,
    )
}

fn animals(discriminator: Value) -> Value {
    let of = |base: &str| json!({"$ref": format!("#/components/schemas/{base}")});
    let schemas = json!({
        "Pet": {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}, "additionalProperties": false,
                "discriminator": discriminator},
        "Cat": {"allOf": [of("Pet"), {"type": "object", "properties": {"meow": {"type": "boolean"}}}], "x-ms-discriminator-value": "#Cat"},
        "Lion": {"allOf": [of("Cat"), {"properties": {"roar": {"type": "integer"}}, "required": ["roar"]}]},
    });
    json!({"components": {"schemas": schemas}, "schemas": {"S": {"type": "array", "items": of("Pet")}}})
}

#[test]
fn a_base_has_the_kinds_that_are_all_of_it() {
    for discriminator in [
        json!("kind"),
        json!({"propertyName": "kind"}),
        json!({"propertyName": "kind", "mapping": {"big": "#/components/schemas/Lion"}}),
    ] {
        let root = animals(discriminator.clone());
        for direction in [Direction::Request, Direction::Response] {
            for (pet, expected) in [
                (json!({"kind": "#Cat", "meow": true}), true),
                (json!({"kind": "#Cat", "meow": 1}), false),
                (json!({"kind": "Lion", "meow": true, "roar": 1}), true),
                (json!({"kind": "Lion", "meow": true}), false),
                (json!({"kind": "Lion", "roar": 1, "meow": 1}), false),
                (json!({"kind": "of another kind", "x": 1}), true),
                (json!({"meow": true}), false),
            ] {
                let value = json!([pet]);
                assert_eq!(
                    fits(&root, "S", direction, &value),
                    expected,
                    "{discriminator} {value}"
                );
            }
        }
    }
    let big =
        animals(json!({"propertyName": "kind", "mapping": {"big": "#/components/schemas/Lion"}}));
    assert!(!fits(
        &big,
        "S",
        Direction::Request,
        &json!([{"kind": "big"}])
    ));
}

#[test]
fn kinds_without_end_and_kinds_of_one_another_end() {
    let mut root = animals(json!({"propertyName": "kind"}));
    let schemas = root["components"]["schemas"].as_object_mut().unwrap();
    for n in 0..200 {
        let base =
            json!([{"$ref": "#/components/schemas/Pet"}, {"$ref": "#/components/schemas/Lion"}]);
        schemas.insert(
            format!("K{n}"),
            json!({"allOf": base, "required": ["never"]}),
        );
    }
    assert!(
        fits(&root, "S", Direction::Request, &json!([{"kind": "K1"}])),
        "too many: any members"
    );
    let mut circle = animals(json!("kind"));
    circle["components"]["schemas"]["Pet"]["allOf"] =
        json!([{"$ref": "#/components/schemas/Lion"}]);
    let text = super::converted(&circle, "/schemas/S", false, Direction::Request);
    assert_eq!(text, Err("reference"), "each is nothing but the other");
}

#[test]
fn without_a_mapping_a_name_says_which_branch_a_value_is_not() {
    let root = json!({"schemas": {
        "Cat": {"type": "object", "properties": {"kind": {"type": "string"}, "meow": {"type": "boolean"}}},
        "Dog": {"type": "object", "properties": {"kind": {"type": "string"}, "bark": {"type": "boolean"}}},
        "S": {"oneOf": [{"$ref": "#/schemas/Cat"}, {"$ref": "#/schemas/Dog"}], "discriminator": {"propertyName": "kind"}},
    }});
    for (value, expected) in [
        (json!({"kind": "Cat", "meow": true}), true),
        (json!({"kind": "Cat", "meow": 1}), false),
        (json!({"kind": "Dog", "meow": 1}), true),
        (json!({"kind": "cat", "meow": true}), true),
        (json!({"meow": true}), true),
    ] {
        assert_eq!(
            fits(&root, "S", Direction::Request, &value),
            expected,
            "{value}"
        );
    }
}

#[test]
fn values_of_an_enumeration_are_of_its_type() {
    for (schema, value) in [
        (
            json!({"type": "string", "enum": [2024, true]}),
            json!("2024"),
        ),
        (
            json!({"type": "string", "enum": [2024, true]}),
            json!("true"),
        ),
        (json!({"type": "integer", "enum": ["1", "2"]}), json!(2)),
        (
            json!({"type": ["boolean", "null"], "enum": ["false"]}),
            json!(false),
        ),
        (
            json!({"type": ["string", "integer"], "enum": [1, "2"]}),
            json!("2"),
        ),
    ] {
        assert!(takes(schema.clone(), &value), "{schema} {value}");
    }
    assert!(!takes(json!({"type": "string", "enum": [1]}), &json!("2")));
}

#[test]
fn a_literal_of_javascript_is_no_pattern() {
    for pattern in ["/^[a-z]+$/", "/^[a-z]+$/i", "/[a-z]+$/"] {
        assert!(
            takes(json!({"type": "string", "pattern": pattern}), &json!("abc")),
            "{pattern}"
        );
    }
    assert!(
        !takes(
            json!({"type": "string", "pattern": "/api/.*"}),
            &json!("abc")
        ),
        "a path"
    );
}

#[test]
fn what_is_left_out_below_not_lets_more_through_and_never_less() {
    for not in [
        json!({"pattern": "(?=x)"}),
        json!({"type": "any"}),
        json!({"enum": []}),
        json!({"$dynamicRef": "#x"}),
        json!({"properties": {"a": {"pattern": "(?!y)"}}}),
        json!({"allOf": [{"oneOf": [{"type": "object"}, {"required": ["a"]}]}]}),
        json!({"$ref": "#/schemas/None"}),
    ] {
        let root =
            json!({"schemas": {"None": {"pattern": "(?=x)"}, "S": {"not": not, "type": "object"}}});
        assert!(
            fits(&root, "S", Direction::Request, &json!({"a": "x"})),
            "{not}"
        );
        let asked = json!({"if": not, "then": false, "type": "object"});
        assert!(
            takes(asked, &json!({"a": "x"})) || not.get("$ref").is_some(),
            "{not}"
        );
    }
    let kept = json!({"not": {"required": ["a", "b"]}, "if": {"required": ["c"]}, "then": {"required": ["d"]}});
    assert!(
        !takes(kept.clone(), &json!({"a": 1, "b": 1})) && !takes(kept.clone(), &json!({"c": 1}))
    );
    assert!(takes(kept, &json!({"a": 1})));
}

#[test]
fn members_of_a_sibling_are_no_additional_ones() {
    let schema = json!({"allOf": [{"properties": {"a": {"type": "integer"}}}, {"additionalProperties": {"type": "string"}}]});
    assert!(takes(schema, &json!({"a": 1, "b": "x"})));
    let alone = json!({"allOf": [{"type": "object", "additionalProperties": {"type": "string"}}], "nullable": true});
    assert!(!takes(alone.clone(), &json!({"b": 1})) && takes(alone, &Value::Null));
}

#[test]
fn a_member_that_only_comes_back_is_not_demanded_by_a_sibling() {
    let base = json!({"properties": {"id": {"type": "string", "readOnly": true}}});
    let root = json!({"schemas": {"Base": base,
        "S": {"allOf": [{"$ref": "#/schemas/Base"}, {"required": ["id", "n"], "properties": {"n": {}}}]},
        "T": {"allOf": [{"$ref": "#/schemas/Base"}], "required": ["id"]}}});
    assert!(fits(&root, "S", Direction::Request, &json!({"n": 1})));
    assert!(!fits(&root, "S", Direction::Request, &json!({})));
    assert!(!fits(&root, "S", Direction::Response, &json!({"n": 1})));
    assert!(fits(&root, "T", Direction::Request, &json!({})));
}
