//! What becomes an argument, and under which name.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::descriptor::{Argument, Place, Style};
use crate::name::sanitised;
use crate::schema::Fragment;

/// What clients take as the name of a property.
const MAX_NAME: usize = 64;

/// Something of a request that the model fills.
#[derive(Debug)]
pub(super) struct Part {
    /// In the document.
    pub(super) name: String,
    /// On the wire.
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) style: Style,
    pub(super) explode: bool,
    pub(super) required: bool,
    /// Its schema; the text says what it is for, too.
    pub(super) fragment: Fragment,
    /// The query names that it may become.
    pub(super) query: Vec<String>,
    /// Whether it may become `NAME[…]`.
    pub(super) is_object: bool,
}

impl Part {
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

/// The names of the parts, in their order. One that several share says where it goes; which does not depend on their order.
pub(super) fn names(parts: &[&Part]) -> Vec<String> {
    let plain: Vec<String> = parts
        .iter()
        .map(|part| {
            let name: String = sanitised(&part.name).chars().take(MAX_NAME).collect();
            if name.is_empty() {
                part.place.as_str().to_owned()
            } else {
                name
            }
        })
        .collect();
    let mut count: HashMap<&str, usize> = HashMap::new();
    for name in &plain {
        *count.entry(name).or_default() += 1;
    }
    let mut taken = HashSet::new();
    let mut names = Vec::with_capacity(parts.len());
    for (part, name) in parts.iter().zip(&plain) {
        let mut name = name.clone();
        if count.get(name.as_str()).is_some_and(|count| *count > 1) {
            name = with_suffix(&name, part.place.as_str());
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
    use super::{Part, names};
    use crate::descriptor::{Place, Style};
    use crate::schema::Fragment;

    fn part(name: &str, place: Place) -> Part {
        Part {
            name: name.into(),
            key: name.into(),
            place,
            style: Style::Form,
            explode: true,
            required: false,
            fragment: Fragment::default(),
            query: vec![],
            is_object: false,
        }
    }

    #[test]
    fn names_that_clash_say_where_they_go() {
        let parts = [
            part("id", Place::Path),
            part("id", Place::Query),
            part("expand[]", Place::Query),
            part("expand", Place::Member),
            part("日本", Place::Header),
            part("limit", Place::Query),
        ];
        let parts: Vec<&Part> = parts.iter().collect();
        assert_eq!(
            names(&parts),
            [
                "id_path",
                "id_query",
                "expand_query",
                "expand_body",
                "header",
                "limit"
            ]
        );
    }

    #[test]
    fn names_are_bounded_and_unique() {
        let long = "x".repeat(100);
        let parts = [
            part(&long, Place::Query),
            part(&long, Place::Query),
            part("a b", Place::Query),
            part("a_b", Place::Query),
        ];
        let parts: Vec<&Part> = parts.iter().collect();
        let names = names(&parts);
        let unique: std::collections::HashSet<_> = names.iter().collect();
        assert!(
            unique.len() == 4 && names.iter().all(|name| name.len() <= 64),
            "{names:?}"
        );
    }
}
