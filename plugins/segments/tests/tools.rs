//! The four tools against a pretended host.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use serde_json::{Value, json};
use toolhost_sdk::testing::Host;
use toolhost_sdk::{Code, Failure};

fn call(host: &Host, tool: &str, arguments: Value) -> Result<Value, Failure> {
    host.invoke(&segments::plugin(), tool, arguments)
        .map(|returned| returned.structured().unwrap())
}

fn rule() -> Value {
    json!({ "field": "country", "operator": "equals", "value": "ES" })
}

fn make(host: &Host, name: &str) -> Value {
    call(
        host,
        "create_segment",
        json!({ "name": name, "rules": [rule()] }),
    )
    .unwrap()
}

#[test]
fn what_was_made_is_found_as_it_was_made() {
    let host = Host::new();
    let made = make(&host, "Spain");
    assert_eq!(
        made,
        json!({ "id": "seg_000000000001", "name": "Spain", "holds": "all", "rules": [rule()], "revision": 1 })
    );
    assert_eq!(
        call(&host, "get_segment", json!({ "id": made["id"] })).unwrap(),
        made
    );
}

#[test]
fn pages_give_every_segment_once_and_in_order_of_age() {
    let host = Host::new();
    for number in 1..=5 {
        make(&host, &format!("segment {number}"));
    }
    let (mut names, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let mut arguments = json!({ "limit": 2 });
        if let Some(cursor) = cursor.as_str() {
            arguments["cursor"] = json!(cursor);
        }
        let page = call(&host, "list_segments", arguments).unwrap();
        for row in page["segments"].as_array().unwrap() {
            assert_eq!(row["rules"], 1);
            names.push(row["name"].as_str().unwrap().to_owned());
        }
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(
        names,
        (1..=5)
            .map(|number| format!("segment {number}"))
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_change_leaves_what_it_does_not_name() {
    let host = Host::new();
    let made = make(&host, "Spain");
    let arguments = json!({ "id": made["id"], "revision": 1, "name": "Iberia", "holds": "any" });
    let changed = call(&host, "update_segment", arguments).unwrap();
    assert_eq!(
        (
            &changed["name"],
            &changed["holds"],
            &changed["rules"],
            &changed["revision"]
        ),
        (&json!("Iberia"), &json!("any"), &made["rules"], &json!(2))
    );
}

#[test]
fn a_change_of_what_somebody_else_has_changed_is_refused() {
    let host = Host::new();
    let made = make(&host, "Spain");
    let change = |revision: u32, name: &str| {
        let arguments = json!({ "id": made["id"], "revision": revision, "name": name });
        call(&host, "update_segment", arguments)
    };
    change(1, "first").unwrap();
    assert_eq!(change(1, "late").unwrap_err().code, Code::Conflict);
    let kept = call(&host, "get_segment", json!({ "id": made["id"] })).unwrap();
    assert_eq!(
        (&kept["name"], &kept["revision"]),
        (&json!("first"), &json!(2))
    );
}

#[test]
fn a_segment_that_is_not_there_is_named() {
    let host = Host::new();
    for tool in ["get_segment", "update_segment"] {
        let arguments = match tool {
            "get_segment" => json!({ "id": "seg_000000000009" }),
            _ => json!({ "id": "seg_000000000009", "revision": 1, "name": "x" }),
        };
        let failure = call(&host, tool, arguments).unwrap_err();
        assert_eq!(failure.message, "there is no segment seg_000000000009");
    }
}

#[test]
fn an_id_outside_its_grammar_reaches_no_key() {
    let host = Host::new();
    for id in [
        "",
        "next",
        "seg_1",
        "seg_00000000000x",
        "seg_0000000000001",
        "../next",
        "SEG_000000000001",
    ] {
        let failure = call(&host, "get_segment", json!({ "id": id })).unwrap_err();
        assert_eq!(failure.code, Code::InvalidArguments, "{id:?}");
    }
}

#[test]
fn a_rule_that_asks_nothing_is_refused_and_takes_no_number() {
    let host = Host::new();
    for rule in [
        json!({ "field": "country", "operator": "equals" }),
        json!({ "field": "country", "operator": "is_set", "value": "ES" }),
        json!({ "field": "country", "operator": "like", "value": "ES" }),
    ] {
        let failure = call(
            &host,
            "create_segment",
            json!({ "name": "x", "rules": [rule] }),
        )
        .unwrap_err();
        assert_eq!(failure.code, Code::InvalidArguments);
    }
    assert_eq!(make(&host, "Spain")["id"], "seg_000000000001");
}

#[test]
fn the_schemas_that_were_built_bound_every_argument_and_name_no_customer() {
    let built: &[toolhost_sdk::BuiltSchemas] = include!(concat!(env!("OUT_DIR"), "/schemas.rs"));
    assert_eq!(segments::plugin().describe_built(built).unwrap().len(), 4);
    for schemas in built {
        let input: Value = serde_json::from_str(schemas.1).unwrap();
        assert_eq!(input["additionalProperties"], json!(false), "{}", schemas.0);
        assert!(
            !schemas.1.to_lowercase().contains("tenant"),
            "{}",
            schemas.0
        );
    }
}
