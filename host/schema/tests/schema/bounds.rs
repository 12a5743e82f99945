//! What hostile schemas and values may cost: each case counts steps, and is of a kind that takes a
//! validator without bounds seconds to years.

use serde_json::{Map, Value, json};
use toolhost_policy::{WorkBudget, WorkLimit};
use toolhost_schema::{CompiledSchema, Misfit, Patterns, SchemaError};

type Checked = Result<Result<(), Misfit>, WorkLimit>;

fn check(schema: &Value, value: &Value, steps: u64) -> Checked {
    let compiled = CompiledSchema::new(schema, Patterns::Demanded).unwrap();
    compiled.check(value, &mut WorkBudget::new(steps, 4_096))
}

fn misfit(schema: &Value, value: &Value, steps: u64) -> Misfit {
    check(schema, value, steps).unwrap().unwrap_err()
}

/// A tagged enum that contains itself, as schemars and pydantic write it.
fn tagged() -> Value {
    let of = |kind: &str, more: Value| {
        let mut properties = Map::from_iter([(
            "type".to_owned(),
            json!({ "type": "string", "const": kind }),
        )]);
        let required: Vec<String> = more
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .chain(["type".to_owned()])
            .collect();
        properties.extend(more.as_object().unwrap().clone());
        json!({ "type": "object", "properties": properties, "required": required })
    };
    let children = json!({ "children": { "type": "array", "items": { "$ref": "#/$defs/block" } } });
    json!({
        "type": "object",
        "properties": { "blocks": { "type": "array", "items": { "$ref": "#/$defs/block" } } },
        "$defs": { "block": { "oneOf": [
            of("text", json!({ "text": { "type": "string" } })), of("list", children.clone()), of("quote", children),
        ] } },
    })
}

fn nested(depth: usize, last: Value) -> Value {
    let wrap = |inner, _| json!({ "type": "list", "children": [inner] });
    json!({ "blocks": [(0..depth).fold(last, wrap)] })
}

#[test]
fn a_misspelt_node_thirty_deep_is_named_where_it_stands() {
    let found = misfit(
        &tagged(),
        &nested(30, json!({ "type": "txt", "text": "x" })),
        16_384,
    );
    assert_eq!(
        found.place,
        format!("/blocks/0{}", "/children/0".repeat(30))
    );
    assert_eq!(
        found.message,
        "value does not fit any of the 3 alternatives"
    );
    let found = misfit(
        &tagged(),
        &nested(30, json!({ "type": "text", "text": 1 })),
        16_384,
    );
    assert_eq!(
        found.place,
        format!("/blocks/0{}/text", "/children/0".repeat(30))
    );
    assert_eq!(found.message, "value is not of type \"string\"");
    assert_eq!(
        check(
            &tagged(),
            &nested(40, json!({ "type": "text", "text": "x" })),
            16_384
        ),
        Ok(Ok(()))
    );
}

#[test]
fn alternatives_that_each_lead_on_cost_what_the_value_has_and_not_two_to_its_depth() {
    for keyword in ["anyOf", "oneOf", "allOf"] {
        let branch = |name: &str| json!({ "properties": { "n": { "$ref": "#/$defs/a" } }, "required": [name] });
        let schema = json!({ "$ref": "#/$defs/a", "$defs": { "a": {
            keyword: [branch("x"), branch("y"), { "properties": { "n": { "$ref": "#/$defs/a" } } }],
            "unevaluatedProperties": false,
        } } });
        let value = (0..100).fold(json!({}), |inner, _| json!({ "n": inner }));
        check(&schema, &value, 16_384).unwrap().ok();
    }
}

#[test]
fn references_that_double_forty_times_are_followed_once_each() {
    let mut definitions = Map::new();
    for at in 0..40 {
        let next = json!({ "$ref": format!("#/$defs/a{}", at + 1) });
        definitions.insert(
            format!("a{at}"),
            json!({ "allOf": [next, next], "unevaluatedProperties": false }),
        );
    }
    definitions.insert(
        "a40".to_owned(),
        json!({ "properties": { "x": { "type": "integer" } } }),
    );
    let schema = json!({ "$ref": "#/$defs/a0", "$defs": definitions });
    assert_eq!(check(&schema, &json!({ "x": 1 }), 2_000), Ok(Ok(())));
    assert_eq!(misfit(&schema, &json!({ "x": "1" }), 40_000).place, "/x");
}

#[test]
fn nested_all_of_with_unevaluated_properties_is_linear() {
    let wrap = |inner, _| json!({ "allOf": [inner], "unevaluatedProperties": false });
    let schema = (0..60).fold(json!({ "properties": { "a": true } }), wrap);
    assert_eq!(check(&schema, &json!({ "a": 1 }), 2_000), Ok(Ok(())));
    assert!(check(&schema, &json!({ "b": 1 }), 40_000).unwrap().is_err());
}

#[test]
fn circles_without_a_way_down_end() {
    for schema in [
        json!({ "$ref": "#" }),
        json!({ "not": { "$ref": "#" } }),
        json!({ "$dynamicRef": "#a", "$dynamicAnchor": "a" }),
        json!({ "allOf": [{ "$ref": "#/$defs/a" }], "$defs": { "a": { "anyOf": [{ "$ref": "#/$defs/b" }, { "$ref": "#" }] },
            "b": { "allOf": [{ "$ref": "#/$defs/a" }, false] } } }),
    ] {
        check(&schema, &json!({ "a": 1 }), 20_000).unwrap().ok();
    }
}

#[test]
fn what_was_found_inside_of_a_circle_is_not_remembered_where_the_circle_says_no() {
    let defs = json!({
        "a": { "allOf": [{ "$ref": "#/$defs/b" }, { "type": "string" }] },
        "b": { "allOf": [{ "$ref": "#/$defs/a" }] },
    });
    let any = |first: &str, second: &str| {
        let branch = |name: &str| json!({ "$ref": format!("#/$defs/{name}") });
        json!({ "$defs": defs, "anyOf": [branch(first), branch(second)] })
    };
    for schema in [any("a", "b"), any("b", "a")] {
        assert!(
            check(&schema, &json!(5), 1_000).unwrap().is_err(),
            "{schema}"
        );
        assert_eq!(check(&schema, &json!("5"), 1_000), Ok(Ok(())), "{schema}");
    }
}

#[test]
fn a_chain_of_references_is_as_deep_as_the_stack_allows_and_no_deeper() {
    let chain = |length: usize| {
        let next = |at: usize| {
            (
                format!("a{at}"),
                json!({ "$ref": format!("#/$defs/a{}", at + 1) }),
            )
        };
        let mut all: Map<String, Value> = (0..length).map(next).collect();
        all.insert(format!("a{length}"), json!({ "type": "object" }));
        json!({ "$ref": "#/$defs/a0", "$defs": all })
    };
    assert_eq!(check(&chain(1_000), &json!({}), 20_000), Ok(Ok(())));
    // The stack of a test's thread holds half of what a thread of the host's work holds.
    let deep = std::thread::Builder::new()
        .stack_size(32 << 20)
        .spawn(move || {
            (
                check(&chain(4_000), &json!({}), 20_000),
                check(&chain(9_000), &json!({}), 20_000),
            )
        });
    let (within, beyond) = deep.unwrap().join().unwrap();
    assert_eq!((within, beyond), (Ok(Ok(())), Err(WorkLimit::Depth)));
}

#[test]
fn a_hundred_and_sixty_levels_fit_the_stack_of_a_door() {
    // Two of these stand between the transport and the check: half of its 2 MiB.
    let wrap = |inner, _| json!({ "allOf": [{ "properties": { "a": inner } }] });
    let schema = (0..40).fold(json!({}), wrap);
    let value = (0..100).fold(json!({}), |inner, _| json!({ "a": inner }));
    let small = std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(move || {
            let compiled = CompiledSchema::new(&schema, Patterns::Demanded).unwrap();
            compiled.check(&value, &mut WorkBudget::new(16_384, 160))
        });
    assert_eq!(small.unwrap().join().unwrap(), Ok(Ok(())));
}

#[test]
fn a_hundred_thousand_items_are_compared_by_hash() {
    let items: Vec<Value> = (0..100_000)
        .map(|n| json!({ "n": n, "t": "x".repeat(2) }))
        .collect();
    let schema = json!({ "uniqueItems": true });
    assert_eq!(
        check(&schema, &Value::Array(items.clone()), 3_000_000),
        Ok(Ok(()))
    );
    let twice: Vec<Value> = items.iter().cloned().chain([items[0].clone()]).collect();
    assert_eq!(
        misfit(&schema, &Value::Array(twice), 6_000_000).message,
        "value has non-unique elements"
    );
    let schema = json!({ "items": { "enum": (0..20_000).map(|n| json!(format!("v{n}"))).collect::<Vec<_>>() } });
    let items: Vec<Value> = (0..100_000)
        .map(|n| json!(format!("v{}", n % 20_000)))
        .collect();
    assert_eq!(check(&schema, &Value::Array(items), 1_000_000), Ok(Ok(())));
}

#[test]
fn half_a_million_numbers_are_a_tenth_of_what_a_check_may_take() {
    let items = Value::Array(vec![json!(0); 500_000]);
    let schema = json!({ "type": "array", "items": { "type": "integer", "minimum": 0 } });
    assert_eq!(check(&schema, &items, 2_000_000), Ok(Ok(())));
}

#[test]
fn schema_times_value_is_cut() {
    let branch = |n: usize| json!({ "items": { "not": { "const": n } } });
    let schema = json!({ "allOf": (1..2_000).map(branch).collect::<Vec<_>>() });
    let items = Value::Array(vec![json!(0); 100_000]);
    assert_eq!(check(&schema, &items, 20_000_000), Err(WorkLimit::Steps));
}

#[test]
fn a_message_is_short_whatever_it_is_about() {
    let long = "n\u{1b}".repeat(100_000);
    let huge = json!({ long.clone(): 1 });
    for (schema, value) in [
        (json!({ "additionalProperties": false }), huge.clone()),
        (
            json!({ "allOf": [true], "unevaluatedProperties": false }),
            huge.clone(),
        ),
        (
            json!({ "additionalProperties": { "type": "string" } }),
            huge.clone(),
        ),
        (json!({ "propertyNames": { "maxLength": 3 } }), huge.clone()),
        (json!({ "required": [long.clone()] }), json!({})),
        (json!({ "const": long.clone() }), huge.clone()),
        (
            json!({ "enum": [long.clone(), long.clone()] }),
            huge.clone(),
        ),
        (json!({ "pattern": "^x$" }), json!(long.clone())),
        (
            json!({ "dependentRequired": { long.clone(): [format!("{long}x")] } }),
            huge.clone(),
        ),
    ] {
        let found = misfit(&schema, &value, 20_000_000);
        assert!(
            found.message.len() < 500 && found.place.len() < 500,
            "{found:?}"
        );
        assert!(!found.message.contains('\u{1b}') && !found.place.contains('\u{1b}'));
    }
}

#[test]
fn a_pattern_is_demanded_of_an_author_and_left_out_of_a_document() {
    let schema = json!({ "properties": { "a": { "pattern": "^(?=x)" } }, "patternProperties": { "(?!y)": false }, "additionalProperties": false });
    let demanded = CompiledSchema::new(&schema, Patterns::Demanded).unwrap_err();
    assert!(
        matches!(demanded, SchemaError::Pattern { .. }),
        "{demanded}"
    );
    let lenient = CompiledSchema::new(&schema, Patterns::Lenient).unwrap();
    let mut budget = WorkBudget::new(1_000, 100);
    assert_eq!(
        lenient.check(&json!({ "a": "q", "b": 1 }), &mut budget),
        Ok(Ok(()))
    );
}

#[test]
fn patterns_share_one_bound_of_memory() {
    let property = |n: usize| {
        (
            format!("p{n}"),
            json!({ "pattern": format!("^(\\w{{1,200}}){{1,20}}{n}$") }),
        )
    };
    let schema = json!({ "properties": (0..100).map(property).collect::<Map<_, _>>() });
    let refused = CompiledSchema::new(&schema, Patterns::Demanded).unwrap_err();
    assert!(matches!(refused, SchemaError::Patterns(_)), "{refused}");
}

#[test]
fn patterns_that_are_too_large_are_read_to_their_bound_a_limited_number_of_times() {
    let property = |n: usize| {
        (
            format!("p{n}"),
            json!({ "pattern": format!("\\p{{L}}{{1,1999}}{n}") }),
        )
    };
    let of =
        |count: usize| json!({ "properties": (0..count).map(property).collect::<Map<_, _>>() });
    CompiledSchema::new(&of(10), Patterns::Lenient).unwrap();
    let refused = CompiledSchema::new(&of(9_000), Patterns::Lenient).unwrap_err();
    assert!(matches!(refused, SchemaError::Patterns(_)), "{refused}");
}

#[test]
fn what_json_schema_does_not_allow_is_refused_wherever_it_stands() {
    for schema in [
        json!({ "properties": 3 }),
        json!({ "type": "text" }),
        json!({ "required": "a" }),
        json!({ "items": [true] }),
        json!({ "anyOf": [] }),
        json!({ "minLength": -1 }),
        json!({ "multipleOf": 0 }),
        json!({ "$ref": "https://example.com/x" }),
        json!({ "$ref": "#/$defs/none" }),
        json!({ "$ref": "#%ff" }),
        json!({ "$defs": { "a": { "not": 1 } } }),
        json!({ "$defs": { "a": { "$id": "x" } } }),
    ] {
        assert!(
            CompiledSchema::new(&schema, Patterns::Demanded).is_err(),
            "{schema}"
        );
    }
}

/// What takes longer than a step is charged for: all of a budget is about a second, whichever
/// keyword spends it.
#[test]
fn a_division_and_a_place_among_unique_items_cost_what_they_take() {
    let numbers: Vec<Value> = (0..10_000).map(|at| json!(f64::from(at) + 0.5)).collect();
    let divided = json!({ "items": { "multipleOf": 0.1 } });
    let unique = json!({ "uniqueItems": true });
    for (schema, least) in [(divided, 300_000), (unique, 150_000)] {
        assert_eq!(
            check(&schema, &json!(numbers), least),
            Err(WorkLimit::Steps),
            "{schema}"
        );
        assert_eq!(
            check(&schema, &json!(numbers), 2 * least),
            Ok(Ok(())),
            "{schema}"
        );
    }
}

#[test]
fn ten_thousand_honest_texts_of_a_long_pattern_cost_what_their_first_does_and_little_more() {
    let ascii = |at: usize| json!(format!("{at:05}{}", "a".repeat(90)));
    let greek = |at: usize| json!(format!("{at:05}{}", "\u{3b1}\u{3c9}\u{1f76}".repeat(13)));
    for pattern in [
        "^[^\\s]{1,255}$",
        "^[^<>]{1,1000}$",
        "^\\S{1,100}(/\\S{1,100}){0,5}$",
    ] {
        let schema = json!({ "items": { "pattern": pattern } });
        for items in [
            (0..10_000).map(ascii).collect(),
            (0..10_000).map(greek).collect(),
        ] {
            assert_eq!(
                check(&schema, &Value::Array(items), 1_000_000),
                Ok(Ok(())),
                "{pattern}"
            );
        }
    }
}

#[test]
fn texts_that_each_need_other_states_end_at_the_budget() {
    let text = |at: usize| {
        let letter = |n: usize| {
            char::from_u32(0x4e00 + ((at * 7_919 + n * n * 31) % 0x5000) as u32).unwrap()
        };
        json!((0..250).map(letter).collect::<String>())
    };
    let items = Value::Array((0..100).map(text).collect());
    let schema = json!({ "items": { "not": { "pattern": ".{0,200}x" } } });
    assert_eq!(check(&schema, &items, 2_000_000), Err(WorkLimit::Steps));
}

#[test]
fn what_a_search_prepares_and_the_states_it_makes_are_charged() {
    let pattern = |n: usize| json!({ "pattern": format!("^[^\\s]{{1,255}}(?:{n})?$") });
    let all = json!({ "allOf": (0..20).map(pattern).collect::<Vec<_>>() });
    let long = json!("a".repeat(255));
    assert_eq!(check(&all, &long, 200_000), Err(WorkLimit::Steps));
    assert_eq!(check(&all, &long, 1_000_000), Ok(Ok(())));
    assert_eq!(
        check(&pattern(0), &json!("a"), 3_000),
        Err(WorkLimit::Steps)
    );
    assert_eq!(check(&pattern(0), &json!("a"), 10_000), Ok(Ok(())));
}
