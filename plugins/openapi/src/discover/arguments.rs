//! What becomes an argument, and under which name.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::descriptor::{Argument, ArgumentLocation, Style};
use crate::name::{sanitised, spelled_out};
use crate::schema::Fragment;
use crate::text::line;

/// What clients take as the name of a property.
const MAX_NAME: usize = 64;

/// How much of a parameter's own name a model is shown.
const MAX_NAME_SHOWN: usize = 200;

/// Something of a request that the model fills.
#[derive(Debug)]
pub(super) struct RequestPart {
    /// In the document.
    pub(super) name: String,
    /// On the wire.
    pub(super) key: String,
    pub(super) place: ArgumentLocation,
    pub(super) style: Style,
    pub(super) explode: bool,
    pub(super) required: bool,
    /// Its schema; the text says what it is for, too.
    pub(super) fragment: Fragment,
    /// The names in the query, or of cookies, that it may become.
    pub(super) wire_names: Vec<String>,
    /// Whether it may become `NAME[…]`.
    pub(super) is_object: bool,
}

impl RequestPart {
    pub(super) fn argument(&self, name: &str) -> Argument {
        Argument {
            name: name.to_owned(),
            key: if self.key == name {
                String::new()
            } else {
                self.key.clone()
            },
            place: self.place,
            style: self.style,
            explode: self.explode,
            required: self.required,
        }
    }
}

/// The names of the parts, in their order. Those that several would share spell their symbols out
/// (`StartTime<` is `StartTime_lt`), and where that does not tell them apart say where they go;
/// which does not depend on their order.
pub(super) fn names(parts: &[&RequestPart]) -> Vec<String> {
    let plain = each(parts, |part| part.name.clone());
    let spelled = each(parts, |part| spelled_out(&part.name));
    let (of_plain, of_spelled) = (counts(&plain), counts(&spelled));
    let is_shared =
        |counts: &HashMap<&str, usize>, name: &String| counts.get(name.as_str()) > Some(&1);
    let mut taken = HashSet::new();
    let mut names = Vec::with_capacity(parts.len());
    for ((part, plain), spelled) in parts.iter().zip(&plain).zip(&spelled) {
        let mut name = plain.clone();
        if is_shared(&of_plain, plain) {
            name = match is_shared(&of_spelled, spelled) {
                true => with_suffix(spelled, part.place.as_str()),
                false => spelled.clone(),
            };
        }
        let first = name.clone();
        let mut number = 1;
        while !taken.insert(name.clone()) {
            number += 1;
            name = with_suffix(&first, &number.to_string());
        }
        names.push(name);
    }
    names
}

fn each(parts: &[&RequestPart], text: impl Fn(&RequestPart) -> String) -> Vec<String> {
    let name = |part: &&RequestPart| {
        let name: String = sanitised(&text(part)).chars().take(MAX_NAME).collect();
        match name.is_empty() {
            true => part.place.as_str().to_owned(),
            false => name,
        }
    };
    parts.iter().map(name).collect()
}

fn counts(names: &[String]) -> HashMap<&str, usize> {
    let mut counts = HashMap::new();
    for name in names {
        *counts.entry(name.as_str()).or_default() += 1;
    }
    counts
}

/// What an argument is sent as, where its own name does not say so: several that differ in symbols
/// alone are told apart by it, and documentation of the system speaks of it.
pub(super) fn wire_name(part: &RequestPart, name: &str) -> Option<String> {
    let wire = line(&part.name, MAX_NAME_SHOWN);
    let is_said = match part.place {
        ArgumentLocation::Content => true,
        ArgumentLocation::Header => wire.eq_ignore_ascii_case(name),
        _ => wire == name,
    };
    (!is_said).then_some(wire)
}

/// Adds to an argument's description what it is sent as.
pub(super) fn with_wire_name(fragment: &Fragment, wire: &str) -> String {
    let Ok(Value::Object(mut schema)) = serde_json::from_str(&fragment.text) else {
        return fragment.text.clone();
    };
    let said = schema
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let text = match said {
        "" => format!("Sent as `{wire}`."),
        said => format!("{said}\n(sent as `{wire}`)"),
    };
    schema.insert("description".to_owned(), text.into());
    Value::Object(schema).to_string()
}

fn with_suffix(name: &str, suffix: &str) -> String {
    let room = MAX_NAME.saturating_sub(suffix.len() + 1);
    let kept: String = name.chars().take(room).collect();
    format!("{kept}_{suffix}")
}

/// Adds what a parameter says of itself to its schema, where that says nothing.
pub(super) fn described(mut fragment: Fragment, description: &str) -> Fragment {
    if description.is_empty() {
        return fragment;
    }
    edit(&mut fragment, |schema| {
        schema.insert("description".to_owned(), description.into());
    });
    fragment
}

/// Changes the members of a schema's own object.
pub(super) fn edit(fragment: &mut Fragment, change: impl FnOnce(&mut Map<String, Value>)) {
    if let Ok(Value::Object(mut schema)) = serde_json::from_str(&fragment.text) {
        change(&mut schema);
        fragment.text = Value::Object(schema).to_string();
    }
}

#[cfg(test)]
mod tests {
    use super::{RequestPart, names, wire_name, with_wire_name};
    use crate::descriptor::{ArgumentLocation, Style};
    use crate::schema::Fragment;

    fn part(name: &str, place: ArgumentLocation) -> RequestPart {
        RequestPart {
            name: name.into(),
            key: name.into(),
            place,
            style: Style::Form,
            explode: true,
            required: false,
            fragment: Fragment::default(),
            wire_names: vec![],
            is_object: false,
        }
    }

    #[test]
    fn names_that_clash_say_where_they_go() {
        let parts = [
            part("id", ArgumentLocation::Path),
            part("id", ArgumentLocation::Query),
            part("expand[]", ArgumentLocation::Query),
            part("expand", ArgumentLocation::Member),
            part("日本", ArgumentLocation::Header),
            part("limit", ArgumentLocation::Query),
        ];
        let parts: Vec<&RequestPart> = parts.iter().collect();
        assert_eq!(
            names(&parts),
            [
                "id_path",
                "id_query",
                "expand_list",
                "expand",
                "header",
                "limit"
            ]
        );
    }

    #[test]
    fn names_that_differ_in_symbols_alone_spell_them_out_and_say_what_is_sent() {
        let of = |names_of: &[&str]| {
            let parts: Vec<RequestPart> = names_of
                .iter()
                .map(|name| part(name, ArgumentLocation::Query))
                .collect();
            names(&parts.iter().collect::<Vec<_>>())
        };
        assert_eq!(
            of(&["StartTime", "StartTime<", "StartTime>", "StartTime>="]),
            [
                "StartTime",
                "StartTime_lt",
                "StartTime_gt",
                "StartTime_gt_eq"
            ]
        );
        assert_eq!(of(&["filter", "$filter"]), ["filter", "dollar_filter"]);
        assert_eq!(of(&["$filter", "filter"]), ["dollar_filter", "filter"]);
        assert_eq!(of(&["$top"]), ["top"], "alone it needs no word");
        let top = part("$top", ArgumentLocation::Query);
        assert_eq!(wire_name(&top, "top").as_deref(), Some("$top"));
        assert_eq!(
            wire_name(&part("top", ArgumentLocation::Query), "top"),
            None
        );
        assert_eq!(
            wire_name(&part("X-Org", ArgumentLocation::Header), "x-org"),
            None
        );
        let text = with_wire_name(
            &Fragment::from_text(r#"{"type":"string","description":"first"}"#),
            "$top",
        );
        assert!(text.contains("first\\n(sent as `$top`)"), "{text}");
    }

    #[test]
    fn names_are_bounded_and_unique() {
        let long = "x".repeat(100);
        let parts = [
            part(&long, ArgumentLocation::Query),
            part(&long, ArgumentLocation::Query),
            part("a b", ArgumentLocation::Query),
            part("a_b", ArgumentLocation::Query),
        ];
        let parts: Vec<&RequestPart> = parts.iter().collect();
        let names = names(&parts);
        let unique: std::collections::HashSet<_> = names.iter().collect();
        assert!(
            unique.len() == 4 && names.iter().all(|name| name.len() <= 64),
            "{names:?}"
        );
    }
}
