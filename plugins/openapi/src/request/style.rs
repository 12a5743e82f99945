//! The styles of OpenAPI 3.1 (section 4.8.12.3, "Style Values"), with the separators as they are
//! read: the host encodes them together with the values. So a value that holds its own separator
//! could not be told from two, and is refused.

use serde_json::value::RawValue;

use super::Mistake;
use super::value::{ArgumentShape, items, members, scalar};
use crate::descriptor::{Argument, Style};

/// How deep `NAME[a][b]…` goes.
const MAX_DEPTH: usize = 8;

/// More pairs are no query; the host takes 128.
const MAX_PAIRS: usize = 1_000;

/// One text: for the path, a header, and what is not exploded. What `label` and `matrix` write in
/// front stands in the template.
pub(super) fn joined(argument: &Argument, value: &ArgumentShape) -> Result<String, Mistake> {
    let key = argument.key();
    let (separator, between) = match (argument.style, argument.explode) {
        (Style::Label, true) => (".", "="),
        (Style::Matrix, true) => (";", "="),
        (Style::Space, _) => (" ", " "),
        (Style::Pipe, _) => ("|", "|"),
        (_, true) => (",", "="),
        (_, false) => (",", ","),
    };
    let check = |text: &String| {
        if text.contains(separator) || (between != separator && text.contains(between)) {
            return Err(Mistake::cannot_hold(
                argument,
                "a part holds the character that separates the parts",
            ));
        }
        Ok(())
    };
    match value {
        ArgumentShape::Null => Ok(String::new()),
        ArgumentShape::Scalar(text) => Ok(text.clone()),
        ArgumentShape::List(items) => {
            items.iter().try_for_each(check)?;
            let again = if argument.style == Style::Matrix && argument.explode {
                format!("{separator}{key}{between}")
            } else {
                separator.to_owned()
            };
            Ok(items.join(&again))
        }
        ArgumentShape::Object(members) => {
            members
                .iter()
                .try_for_each(|(key, value)| check(key).and_then(|()| check(value)))?;
            let pairs: Vec<String> = members
                .iter()
                .map(|(key, value)| format!("{key}{between}{value}"))
                .collect();
            Ok(pairs.join(separator))
        }
    }
}

/// Pairs: for the query, cookies and forms.
pub(super) fn pairs(
    argument: &Argument,
    raw: &RawValue,
    value: &ArgumentShape,
    pairs: &mut Vec<(String, String)>,
) -> Result<(), Mistake> {
    let key = argument.key().to_owned();
    match (argument.style, value) {
        (Style::Deep, ArgumentShape::List(_) | ArgumentShape::Object(_)) => {
            return deep(argument, key, raw, MAX_DEPTH, pairs);
        }
        (_, ArgumentShape::Scalar(text)) => pairs.push((key, text.clone())),
        (_, ArgumentShape::List(items)) if argument.explode => {
            pairs.extend(items.iter().map(|item| (key.clone(), item.clone())));
        }
        (_, ArgumentShape::Object(members)) if argument.explode => {
            pairs.extend(members.iter().cloned())
        }
        (_, ArgumentShape::List(items)) if items.is_empty() => {}
        (_, ArgumentShape::Object(members)) if members.is_empty() => {}
        _ => pairs.push((key, joined(argument, value)?)),
    }
    Ok(())
}

/// `NAME[a]=1&NAME[b][0]=2`: the specification says nothing about what lies deeper; this is how
/// most servers read it.
fn deep(
    argument: &Argument,
    key: String,
    raw: &RawValue,
    left: usize,
    pairs: &mut Vec<(String, String)>,
) -> Result<(), Mistake> {
    if left == 0 || pairs.len() > MAX_PAIRS {
        return Err(Mistake::cannot_hold(
            argument,
            "too many parts, or parts that nest too deep",
        ));
    }
    match raw.get().trim_start().as_bytes().first() {
        Some(b'[') => {
            for (index, item) in items(raw).iter().enumerate() {
                deep(argument, format!("{key}[{index}]"), item, left - 1, pairs)?;
            }
        }
        Some(b'{') => {
            for (name, member) in members(raw) {
                if name.is_empty() || name.contains(['[', ']']) {
                    return Err(Mistake::cannot_hold(
                        argument,
                        "the name of a part is empty or holds a bracket",
                    ));
                }
                deep(argument, format!("{key}[{name}]"), &member, left - 1, pairs)?;
            }
        }
        _ => pairs.extend(scalar(raw).map(|text| (key, text))),
    }
    Ok(())
}
