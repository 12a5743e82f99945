use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

use super::budget::{Budget, check_depth};
use crate::problem::DocumentError;

/// Reads the first document of a YAML stream, by the core schema of YAML 1.2, and `<<` of 1.1,
/// which many documents use.
///
/// It works on the parser's events with a stack of its own: an alias costs what it stands for, so a
/// few lines that stand for a billion values end at the bound.
pub(super) fn read(text: &str) -> Result<Value, DocumentError> {
    let mut builder = Builder {
        budget: Budget::new(),
        anchors: HashMap::new(),
        open: Vec::new(),
        done: None,
    };
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| DocumentError::Yaml(error.to_string()))?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        builder.take(event)?;
    }
    builder
        .done
        .map(|(value, _)| value)
        .ok_or(DocumentError::Empty)
}

/// A collection that is not closed yet.
struct OpenCollection {
    anchor: usize,
    /// Of what it holds so far, and itself.
    count: usize,
    kind: CollectionKind,
}

enum CollectionKind {
    List(Vec<Value>),
    Mapping {
        members: Map<String, Value>,
        key: Option<String>,
        /// What `<<` brings in; the mapping's own members stand before it.
        merged: Vec<Value>,
    },
}

struct Builder {
    budget: Budget,
    anchors: HashMap<usize, (Value, usize)>,
    open: Vec<OpenCollection>,
    done: Option<(Value, usize)>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), DocumentError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.budget.take(1)?;
                if self.awaits_key() {
                    return self.key(text.into_owned());
                }
                let value = scalar(&text, style, tag.as_deref());
                self.keep(anchor, &value, 1)?;
                self.add(value, 1)
            }
            Event::Alias(anchor) => {
                let Some((value, count)) = self.anchors.get(&anchor) else {
                    return Err(DocumentError::Yaml("an alias without its anchor".into()));
                };
                self.budget.take(*count)?;
                // It brings its own depth with it.
                check_depth(self.open.len() + depth(value))?;
                if let (true, Value::String(text)) = (self.awaits_key(), value) {
                    let text = text.clone();
                    return self.key(text);
                }
                let (value, count) = (value.clone(), *count);
                self.add(value, count)
            }
            Event::SequenceStart(anchor, _) => self.begin(anchor, CollectionKind::List(Vec::new())),
            Event::MappingStart(anchor, _) => self.begin(
                anchor,
                CollectionKind::Mapping {
                    members: Map::new(),
                    key: None,
                    merged: Vec::new(),
                },
            ),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            _ => Ok(()),
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(OpenCollection {
                kind: CollectionKind::Mapping { key: None, .. },
                ..
            })
        )
    }

    fn key(&mut self, text: String) -> Result<(), DocumentError> {
        if let Some(OpenCollection {
            kind: CollectionKind::Mapping { members, key, .. },
            ..
        }) = self.open.last_mut()
        {
            if members.contains_key(&text) {
                return Err(DocumentError::twice(&text));
            }
            *key = Some(text);
        }
        Ok(())
    }

    fn begin(&mut self, anchor: usize, kind: CollectionKind) -> Result<(), DocumentError> {
        if self.awaits_key() {
            return Err(DocumentError::Yaml("a key that is not a scalar".into()));
        }
        self.budget.take(1)?;
        check_depth(self.open.len())?;
        self.open.push(OpenCollection {
            anchor,
            count: 1,
            kind,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), DocumentError> {
        let Some(OpenCollection {
            anchor,
            count,
            kind,
        }) = self.open.pop()
        else {
            return Ok(());
        };
        let value = match kind {
            CollectionKind::List(items) => Value::Array(items),
            CollectionKind::Mapping {
                members, merged, ..
            } => Value::Object(merge(members, merged)),
        };
        self.keep(anchor, &value, count)?;
        self.add(value, count)
    }

    /// Keeps what an alias may name; 0 is no anchor. The copy costs as much as the value.
    fn keep(&mut self, anchor: usize, value: &Value, count: usize) -> Result<(), DocumentError> {
        if anchor != 0 {
            self.budget.take(count)?;
            self.anchors.insert(anchor, (value.clone(), count));
        }
        Ok(())
    }

    fn add(&mut self, value: Value, count: usize) -> Result<(), DocumentError> {
        let Some(open) = self.open.last_mut() else {
            self.done.get_or_insert((value, count));
            return Ok(());
        };
        open.count += count;
        match &mut open.kind {
            CollectionKind::List(items) => items.push(value),
            CollectionKind::Mapping {
                members,
                key,
                merged,
            } => match key.take() {
                Some(key) if key == "<<" => merged.push(value),
                Some(key) => {
                    members.insert(key, value);
                }
                None => return Err(DocumentError::Yaml("a key that is not a scalar".into())),
            },
        }
        Ok(())
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn merge(mut members: Map<String, Value>, merged: Vec<Value>) -> Map<String, Value> {
    let sources = merged.into_iter().flat_map(|value| match value {
        Value::Array(items) => items,
        other => vec![other],
    });
    for source in sources {
        if let Value::Object(source) = source {
            for (key, value) in source {
                members.entry(key).or_insert(value);
            }
        }
    }
    members
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let string = || Value::String(text.to_owned());
    if style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.suffix == "str") {
        return string();
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(string, Value::Number),
    }
}

/// The numbers of the core schema. What fits none is text, as are `.inf` and `.nan`, which JSON
/// does not have.
fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let radix = |prefix: &str, radix| {
        let rest = text.strip_prefix(prefix)?;
        u64::from_str_radix(rest, radix).ok().map(Number::from)
    };
    if let Some(number) = radix("0o", 8).or_else(|| radix("0x", 16)) {
        return Some(number);
    }
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        || !digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte))
        || !digits.bytes().any(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let plain = text.strip_prefix('+').unwrap_or(text);
    if let Ok(number) = plain.parse::<u64>() {
        return Some(number.into());
    }
    if let Ok(number) = plain.parse::<i64>() {
        return Some(number.into());
    }
    plain.parse::<f64>().ok().and_then(Number::from_f64)
}
