//! What a schema may cost the host. It comes from a plugin, a document or a system elsewhere, and is compiled and checked on the
//! host's own threads, where no budget of a call reaches.
//!
//! A validator follows each reference anew. Forty definitions that each refer twice to the next have three thousand bytes and
//! the cost of 2^40, so what counts is what a schema becomes, and not how long it is.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Values of a schema with all references followed. The largest of 1,222 in GitHub's description has between 50,000 and this many.
const MAX_VALUES: u64 = 200_000;

/// How deep values are, references followed: a validator goes as deep on its stack.
const MAX_DEPTH: u64 = 256;

/// Patterns of one schema, each a machine of its own in memory.
const MAX_PATTERNS: usize = 256;

/// The memory of one pattern's machine, in bytes.
pub(crate) const MAX_PATTERN_BYTES: usize = 1 << 20;

/// Refuses what would cost too much, before anything is made of it.
///
/// # Errors
/// One sentence.
pub(crate) fn check(schema: &Value) -> Result<(), String> {
    if patterns(schema) > MAX_PATTERNS {
        return Err(format!("a schema has at most {MAX_PATTERNS} patterns"));
    }
    let mut walk = Walk {
        root: schema,
        anchors: HashMap::new(),
        known: HashMap::new(),
    };
    walk.find_anchors(schema);
    walk.cost(schema, 0).map(drop)
}

fn patterns(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(patterns).sum(),
        Value::Object(members) => {
            let named = usize::from(members.get("pattern").is_some_and(Value::is_string));
            let keyed = members.get("patternProperties").and_then(Value::as_object);
            named + keyed.map_or(0, Map::len) + members.values().map(patterns).sum::<usize>()
        }
        _ => 0,
    }
}

#[derive(Clone, Copy)]
struct Cost {
    values: u64,
    depth: u64,
}

struct Walk<'a> {
    root: &'a Value,
    /// `$anchor` and `$dynamicAnchor`, by name.
    anchors: HashMap<&'a str, &'a Value>,
    /// By the place in memory; `None` while it is looked at: a circle is followed as far as the checked value goes.
    known: HashMap<*const Value, Option<Cost>>,
}

impl<'a> Walk<'a> {
    fn find_anchors(&mut self, value: &'a Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.find_anchors(item)),
            Value::Object(members) => {
                for key in ["$anchor", "$dynamicAnchor"] {
                    if let Some(name) = members.get(key).and_then(Value::as_str) {
                        self.anchors.insert(name, value);
                    }
                }
                members.values().for_each(|member| self.find_anchors(member));
            }
            _ => {}
        }
    }

    fn cost(&mut self, value: &'a Value, above: u64) -> Result<Cost, String> {
        let place = std::ptr::from_ref(value);
        let cost = match self.known.get(&place) {
            Some(Some(known)) => *known,
            Some(None) => Cost { values: 1, depth: 1 },
            None => {
                within(Cost { values: 0, depth: 1 }, above)?;
                self.known.insert(place, None);
                let cost = self.of_parts(value, above)?;
                self.known.insert(place, Some(cost));
                cost
            }
        };
        within(cost, above)
    }

    fn of_parts(&mut self, value: &'a Value, above: u64) -> Result<Cost, String> {
        let mut whole = Cost { values: 1, depth: 1 };
        let mut add = |part: Cost| {
            whole.values = whole.values.saturating_add(part.values);
            whole.depth = whole.depth.max(part.depth.saturating_add(1));
        };
        match value {
            Value::Array(items) => {
                for item in items {
                    add(self.cost(item, above + 1)?);
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    add(self.cost(member, above + 1)?);
                    if let ("$ref" | "$dynamicRef", Value::String(reference)) = (key.as_str(), member) {
                        let target = self.target(reference)?;
                        add(self.cost(target, above + 1)?);
                    }
                }
            }
            _ => {}
        }
        Ok(whole)
    }

    /// What a reference within the schema means.
    fn target(&self, reference: &str) -> Result<&'a Value, String> {
        let unknown = || {
            let shown: String = reference.chars().take(80).collect();
            format!("its $ref {shown:?} is of no place within the schema")
        };
        let fragment = reference.strip_prefix('#').ok_or_else(unknown)?;
        let decoded = percent_encoding::percent_decode_str(fragment).decode_utf8();
        let fragment = decoded.map_err(|_| unknown())?;
        let anchored = || self.anchors.get(&*fragment).copied();
        self.root.pointer(&fragment).or_else(anchored).ok_or_else(unknown)
    }
}

fn within(cost: Cost, above: u64) -> Result<Cost, String> {
    if cost.values > MAX_VALUES {
        return Err(format!(
            "a schema has at most {MAX_VALUES} values, with its references followed"
        ));
    }
    if above.saturating_add(cost.depth) > MAX_DEPTH {
        return Err(format!(
            "a schema is at most {MAX_DEPTH} deep, with its references followed"
        ));
    }
    Ok(cost)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::check;

    /// Definitions of which each refers to the next as often as said.
    fn chain(length: usize, times: usize) -> Value {
        let mut all = Map::new();
        for at in 0..length {
            let next = json!({ "$ref": format!("#/$defs/a{}", at + 1) });
            all.insert(format!("a{at}"), json!({ "allOf": vec![next; times] }));
        }
        all.insert(format!("a{length}"), json!({}));
        Value::Object(all)
    }

    #[test]
    fn references_that_double_forty_times_are_refused_wherever_they_begin() {
        let bomb = chain(40, 2);
        for schema in [
            json!({ "type": "object", "$ref": "#/$defs/a0", "$defs": bomb }),
            json!({ "type": "object", "properties": { "x": { "$ref": "#/$defs/a0" } }, "$defs": bomb }),
            json!({ "type": "object", "properties": { "x": { "unevaluatedProperties": false, "$ref": "#/$defs/a0" } }, "$defs": bomb }),
        ] {
            assert!(check(&schema).unwrap_err().contains("references followed"));
        }
    }

    #[test]
    fn a_long_chain_of_references_is_refused_in_either_order() {
        let schema = json!({ "$ref": "#/$defs/a0", "$defs": chain(2_000, 1) });
        assert!(check(&schema).unwrap_err().contains("deep"));
        let schema = json!({ "$defs": chain(100, 1), "$ref": "#/$defs/a0" });
        assert!(check(&schema).unwrap_err().contains("deep"));
    }

    #[test]
    fn what_people_write_passes_circles_too() {
        let tree = json!({
            "type": "object",
            "properties": { "tree": { "$ref": "#/$defs/node" } },
            "$defs": { "node": { "properties": {
                "left": { "$ref": "#/$defs/node" }, "right": { "$ref": "#/$defs/node" }, "a%b/c": { "$ref": "#" },
            } } },
        });
        assert_eq!(check(&tree), Ok(()));
        assert_eq!(
            check(&json!({ "$ref": "#/$defs/a0", "$defs": chain(10, 2) })),
            Ok(())
        );
        assert_eq!(
            check(&json!({ "$ref": "#here", "$defs": { "a": { "$anchor": "here" } } })),
            Ok(())
        );
    }

    #[test]
    fn a_reference_out_of_the_schema_is_refused() {
        for reference in [
            "https://example.com/schema",
            "other.json#/a",
            "#/$defs/none",
            "#%ff",
        ] {
            assert!(check(&json!({ "$ref": reference })).is_err(), "{reference}");
        }
    }

    #[test]
    fn patterns_are_counted() {
        let property = |n: usize| (format!("p{n}"), json!({ "pattern": "^a$" }));
        let with = |count: usize| json!({ "properties": (0..count).map(property).collect::<Map<_, _>>() });
        assert_eq!(check(&with(256)), Ok(()));
        assert!(check(&with(257)).unwrap_err().contains("patterns"));
    }
}
