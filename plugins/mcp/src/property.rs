//! Arguments whose names the APIs of models refuse (`uids[]`, `StartTime<`): each is offered under
//! another name, and sent under its own. What the schema says of them is kept, so that it still
//! counts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use toolhost_sdk::Failure;
use toolhost_sdk::adapter::name::{sanitised, spelled_out, with_digest};
use toolhost_sdk::adapter::text::line;

use crate::tool::ToolProblem;

/// What the APIs take, in bytes.
const MAX: usize = 64;

/// How much of a name a model is shown.
const MAX_SHOWN: usize = 200;

/// Names by the server's own.
pub(crate) type ArgumentNames = BTreeMap<String, String>;

/// Whether the APIs of models take a name.
fn is_fit(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=MAX).contains(&name.len()) && name.bytes().all(plain)
}

/// Gives the members of a schema's top names that fit, wherever the schema speaks of them. Which
/// got another one.
///
/// # Errors
/// A name has to change, and the schema speaks of it in a way that cannot be followed.
pub(crate) fn rename(schema: &mut Map<String, Value>) -> Result<ArgumentNames, ToolProblem> {
    let mut all = BTreeSet::new();
    keys(schema, &mut all);
    if all.iter().all(|key| is_fit(key)) {
        return Ok(ArgumentNames::new());
    }
    let names = assign(&all);
    change(schema, &names)?;
    Ok(names)
}

fn assign(all: &BTreeSet<String>) -> ArgumentNames {
    // Both spellings of each, and how many have them: one that fits stays, so it has all of its
    // own.
    let spellings = |key: &String| match is_fit(key) {
        true => [key.clone(), key.clone()],
        false => [sanitised(key), sanitised(&spelled_out(key))],
    };
    let mut counts: HashMap<String, usize> = HashMap::new();
    for [plain, spelled] in all.iter().map(spellings) {
        if plain != spelled {
            *counts.entry(spelled).or_default() += 1;
        }
        *counts.entry(plain).or_default() += 1;
    }
    let name = |key: &String| {
        let is_free = |name: &String| is_fit(name) && counts.get(name) == Some(&1);
        let free = spellings(key).into_iter().find(is_free);
        free.unwrap_or_else(|| with_digest(&sanitised(key), key, MAX))
    };
    all.iter()
        .filter(|key| !is_fit(key))
        .map(|key| (key.clone(), name(key)))
        .collect()
}

/// How the subschemas of the same value stand below a keyword.
enum Same {
    One,
    List,
    Map,
}

fn same(keyword: &str) -> Option<Same> {
    match keyword {
        "not" | "if" | "then" | "else" => Some(Same::One),
        "allOf" | "anyOf" | "oneOf" => Some(Same::List),
        "dependentSchemas" => Some(Same::Map),
        _ => None,
    }
}

fn keys(schema: &Map<String, Value>, all: &mut BTreeSet<String>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    all.extend(properties.into_iter().flat_map(Map::keys).cloned());
    for (keyword, value) in schema {
        let parts: Vec<&Value> = match same(keyword) {
            Some(Same::One) => vec![value],
            Some(Same::List) => value.as_array().into_iter().flatten().collect(),
            Some(Same::Map) => value
                .as_object()
                .into_iter()
                .flat_map(Map::values)
                .collect(),
            None => continue,
        };
        for part in parts.into_iter().filter_map(Value::as_object) {
            keys(part, all);
        }
    }
}

fn change(schema: &mut Map<String, Value>, names: &ArgumentNames) -> Result<(), ToolProblem> {
    // Each could speak of a member by a name that is not seen here.
    for key in ["$ref", "$dynamicRef", "patternProperties", "propertyNames"] {
        if schema.contains_key(key) {
            return Err(ToolProblem::Schema(
                "has arguments whose names the APIs of models refuse, and says more of them than can be changed",
            ));
        }
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        let old = std::mem::take(properties);
        for (key, mut property) in old {
            if let (Some(_), Some(members)) = (names.get(&key), property.as_object_mut()) {
                let wire = line(&key, MAX_SHOWN);
                let said = members
                    .get("description")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let text = format!("{said}\n(sent as `{wire}`)").trim().to_owned();
                members.insert("description".to_owned(), text.into());
            }
            properties.insert(names.get(&key).unwrap_or(&key).clone(), property);
        }
    }
    for key in ["dependentRequired", "dependentSchemas"] {
        if let Some(Value::Object(map)) = schema.get_mut(key) {
            let old = std::mem::take(map);
            map.extend(
                old.into_iter()
                    .map(|(key, value)| (names.get(&key).unwrap_or(&key).clone(), value)),
            );
        }
    }
    let dependent = schema
        .get_mut("dependentRequired")
        .and_then(Value::as_object_mut);
    dependent
        .into_iter()
        .flat_map(|map| map.values_mut())
        .for_each(|list| change_list(list, names));
    if let Some(required) = schema.get_mut("required") {
        change_list(required, names);
    }
    for (keyword, value) in schema {
        let parts: Vec<&mut Value> = match (same(keyword), value) {
            (Some(Same::One), value) => vec![value],
            (Some(Same::List), Value::Array(list)) => list.iter_mut().collect(),
            (Some(Same::Map), Value::Object(map)) => map.values_mut().collect(),
            _ => continue,
        };
        for part in parts.into_iter().filter_map(Value::as_object_mut) {
            change(part, names)?;
        }
    }
    Ok(())
}

fn change_list(list: &mut Value, names: &ArgumentNames) {
    for name in list.as_array_mut().into_iter().flatten() {
        if let Some(new) = name.as_str().and_then(|name| names.get(name)) {
            *name = new.as_str().into();
        }
    }
}

/// The arguments under the server's own names, digit for digit. `renamed` holds pairs of our name
/// and the server's.
///
/// # Errors
/// They are not an object, or one has the server's own name: nothing was said of it, so neither the
/// schema nor what the operator provides would count for it, and it would stand where the offered
/// one goes.
pub(crate) fn restore(
    arguments: &RawValue,
    renamed: &[(String, String)],
) -> Result<Box<RawValue>, Failure> {
    let no_object = |_| Failure::invalid_arguments("the arguments are not an object");
    if renamed.is_empty() {
        return Ok(arguments.to_owned());
    }
    let given: BTreeMap<String, &RawValue> =
        serde_json::from_str(arguments.get()).map_err(no_object)?;
    if let Some((ours, theirs)) = renamed
        .iter()
        .find(|(_, theirs)| given.contains_key(theirs))
    {
        let theirs = line(theirs, MAX_SHOWN);
        return Err(Failure::invalid_arguments(format!(
            "there is no argument {theirs:?}: it is given as {ours:?}"
        )));
    }
    let own: HashMap<&str, &str> = renamed
        .iter()
        .map(|(ours, theirs)| (ours.as_str(), theirs.as_str()))
        .collect();
    let sent: BTreeMap<&str, &RawValue> = given
        .iter()
        .map(|(name, value)| (own.get(name.as_str()).copied().unwrap_or(name), *value))
        .collect();
    if sent.len() != given.len() {
        return Err(Failure::invalid_arguments(
            "two arguments are one to the server",
        ));
    }
    serde_json::value::to_raw_value(&sent).map_err(no_object)
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;
    use serde_json::{Value, json};
    use toolhost_sdk::Code;

    use super::{is_fit, rename, restore};

    fn renamed(mut schema: Value) -> (Value, Vec<(String, String)>) {
        let names = rename(schema.as_object_mut().unwrap()).unwrap();
        (schema, names.into_iter().collect())
    }

    #[test]
    fn a_name_that_fits_stays_and_another_is_offered_under_one_that_does() {
        let fit = json!({"properties": {"a.b": {}}});
        assert_eq!(renamed(fit.clone()), (fit, vec![]));
        let (schema, names) = renamed(
            json!({"properties": {"uids[]": {"type": "array"}, "q": {}}, "required": ["uids[]"]}),
        );
        assert_eq!(names, [("uids[]".to_owned(), "uids".to_owned())]);
        assert_eq!(schema["required"], json!(["uids"]));
        assert_eq!(
            schema["properties"]["uids"]["description"],
            "(sent as `uids[]`)"
        );
    }

    #[test]
    fn names_that_differ_in_symbols_are_told_apart() {
        let long = "x".repeat(70);
        let (schema, names) = renamed(
            json!({"properties": {"StartTime": {}, "StartTime<": {}, "StartTime>": {}, "日": {}, "本": {},
            long.clone(): {}, format!("{long}y"): {}}}),
        );
        let new: std::collections::HashSet<_> = schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        assert_eq!(new.len(), 7);
        assert!(new.iter().all(|name| is_fit(name)), "{new:?}");
        assert!(
            names.contains(&("StartTime<".to_owned(), "StartTime_lt".to_owned())),
            "{names:?}"
        );
    }

    #[test]
    fn every_part_that_speaks_of_a_member_speaks_of_its_new_name() {
        let (schema, _) = renamed(
            json!({"properties": {"a[]": {}}, "dependentRequired": {"a[]": ["b<"]},
            "anyOf": [{"required": ["a[]"]}, {"properties": {"b<": {"const": "a[]"}}, "not": {"required": ["b<"]}}]}),
        );
        let mut text = schema;
        text["properties"]["a"]["description"] = Value::Null;
        text["anyOf"][1]["properties"]["b"]["description"] = Value::Null;
        assert_eq!(text["dependentRequired"], json!({"a": ["b"]}));
        assert_eq!(text["anyOf"][0]["required"], json!(["a"]));
        assert_eq!(text["anyOf"][1]["not"]["required"], json!(["b"]));
        assert_eq!(
            text["anyOf"][1]["properties"]["b"]["const"], "a[]",
            "a value is not a name"
        );
        let mut hidden = json!({"properties": {"a[]": {}}, "patternProperties": {"^a": {}}});
        assert!(rename(hidden.as_object_mut().unwrap()).is_err());
    }

    #[test]
    fn arguments_are_sent_under_the_servers_names_digit_for_digit() {
        let given = RawValue::from_string(r#"{"uids":[1.10],"q":1e400}"#.to_owned()).unwrap();
        let pairs = [("uids".to_owned(), "uids[]".to_owned())];
        assert_eq!(
            restore(&given, &pairs).unwrap().get(),
            r#"{"q":1e400,"uids[]":[1.10]}"#
        );
    }

    #[test]
    fn an_argument_by_the_servers_own_name_is_refused() {
        let of = |given: &str, pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(ours, theirs)| ((*ours).to_owned(), (*theirs).to_owned()))
                .collect();
            let given = RawValue::from_string(given.to_owned()).unwrap();
            restore(&given, &pairs).map(|sent| sent.get().to_owned())
        };
        for given in [r#"{"uids":[1],"uids[]":[2]}"#, r#"{"uids[]":[2]}"#] {
            let failure = of(given, &[("uids", "uids[]")]).unwrap_err();
            assert_eq!(failure.code, Code::InvalidArguments);
            assert!(
                failure.message.contains(r#"it is given as "uids""#),
                "{failure:?}"
            );
        }
        // Descriptors that no discovery makes: nothing is lost without a word.
        assert!(of(r#"{"a":1,"b":2}"#, &[("a", "c<"), ("b", "c<")]).is_err());
    }
}
