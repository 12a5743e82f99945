//! The cases of the JSON Schema Test Suite (draft 2020-12, in `suite`, under its own licence) and
//! what a validator that takes its time says of made-up schemas and values.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use toolhost_policy::WorkBudget;
use toolhost_schema::{CompiledSchema, Patterns};

fn budget() -> WorkBudget {
    WorkBudget::new(20_000_000, 1_000)
}

/// Cases of the suite that are of what a schema may not have here: resources within it, references
/// to others, and patterns that no linear engine takes.
const UNUSABLE: [&str; 3] = [
    "is of no place within the schema",
    "has an $id",
    "no regular expression",
];

#[test]
fn the_test_suite_passes_except_for_what_is_refused_when_it_is_loaded() {
    let (mut passed, mut refused, mut failed) = (0, BTreeSet::new(), Vec::new());
    let files = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema/suite"))
        .unwrap();
    for file in files.map(|file| file.unwrap().path()) {
        if file.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let groups: Vec<Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for group in groups {
            let name = format!(
                "{}: {}",
                file.file_stem().unwrap().display(),
                group["description"]
            );
            let compiled = match CompiledSchema::new(&group["schema"], Patterns::Demanded) {
                Ok(compiled) => compiled,
                Err(error) => {
                    assert!(
                        UNUSABLE
                            .iter()
                            .any(|known| error.to_string().contains(known)),
                        "{name}: {error}"
                    );
                    refused.insert(name);
                    continue;
                }
            };
            for case in group["tests"].as_array().unwrap() {
                let fits = compiled
                    .check(&case["data"], &mut budget())
                    .unwrap()
                    .is_ok();
                match fits == case["valid"].as_bool().unwrap() {
                    true => passed += 1,
                    false => failed.push(format!("{name}: {}", case["description"])),
                }
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(passed > 1_000, "{passed}");
    assert!(refused.len() < 60, "{}: {refused:#?}", refused.len());
}

fn leaf_schema() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        Just(json!(true)),
        Just(json!(false)),
        Just(json!({"type": "object"})),
        Just(json!({"type": ["integer", "string"]})),
        Just(json!({"const": 1})),
        Just(json!({"enum": ["a", [1.0], {"a": 0}]})),
        Just(json!({"minimum": 1, "multipleOf": 0.5})),
        Just(json!({"pattern": "^a", "minLength": 2})),
        Just(json!({"uniqueItems": true, "maxItems": 3})),
        Just(json!({"required": ["a"], "minProperties": 2})),
        Just(json!({"dependentRequired": {"a": ["b"]}})),
        Just(json!({"$ref": "#/$defs/d"})),
    ]
}

fn schema() -> impl Strategy<Value = Value> {
    let part = leaf_schema().prop_recursive(4, 24, 3, |inner| {
        let several = || prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            several().prop_map(|parts| json!({ "allOf": parts })),
            several().prop_map(|parts| json!({ "anyOf": parts })),
            several().prop_map(|parts| json!({ "oneOf": parts })),
            inner.clone().prop_map(|part| json!({ "not": part })),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| json!({ "if": a, "then": b, "else": c })),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({ "properties": { "a": a, "b": b } })),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(
                |(a, b, c)| json!({ "properties": { "a": a }, "patternProperties": { "^[ab]$": b }, "additionalProperties": c })
            ),
            (inner.clone(), several(), inner.clone())
                .prop_map(|(a, all, b)| json!({ "allOf": all, "properties": { "c": a }, "unevaluatedProperties": b })),
            (inner.clone(), several(), inner.clone())
                .prop_map(|(a, any, b)| json!({ "anyOf": any, "prefixItems": [a], "unevaluatedItems": b })),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({ "prefixItems": [a], "items": b })),
            (inner.clone(), 0..3_u8).prop_map(|(a, n)| json!({ "contains": a, "minContains": n, "maxContains": 2 })),
            inner.clone().prop_map(|part| json!({ "propertyNames": part })),
            inner.clone().prop_map(|part| json!({ "dependentSchemas": { "b": part } })),
        ]
    });
    (part.clone(), part).prop_map(|(root, definition)| {
        // In a circle without a way down two validators may differ: what is below is one level
        // deeper.
        json!({ "allOf": [root], "$defs": { "d": { "properties": { "a": definition } } } })
    })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(0)),
        Just(json!(1)),
        Just(json!(1.0)),
        Just(json!(2.5)),
        Just(json!("a")),
        Just(json!("ab")),
        Just(json!(true)),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[abcd]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]
    #[test]
    fn it_says_what_an_unbounded_validator_says(schema in schema(), values in prop::collection::vec(value(), 1..6)) {
        let theirs = jsonschema::draft202012::new(&schema).unwrap();
        let own = CompiledSchema::new(&schema, Patterns::Demanded).unwrap();
        for value in values {
            let found = own.check(&value, &mut budget()).unwrap();
            prop_assert_eq!(found.is_ok(), theirs.is_valid(&value), "{} {} {:?}", schema, value, found);
        }
    }

    #[test]
    fn whatever_the_schema_a_check_ends_within_its_bound(schema in schema(), value in value()) {
        let own = CompiledSchema::new(&schema, Patterns::Demanded).unwrap();
        if let Err(misfit) = own.check(&value, &mut WorkBudget::new(200_000, 1_000)).unwrap() {
            prop_assert!(misfit.message.len() < 600 && misfit.place.len() < 700);
        }
    }
}
