use serde_json::{Map, Value};

use super::alternatives::{differs_as_part, is_alone, is_closing, is_kinds_of_base};
use super::keyword::{KeywordValue, holds};
use super::plain::{count, fitted, is_names, is_small, takes_null_by_type, types};
use super::write::MemberWriter;
use super::{Direction, Fragment, INLINE, MAX_LEVEL, MAX_WAITING, Schemas, UnitState, pattern};
use crate::problem::Problem;
use crate::reference::resolve;
use crate::text::clean;

/// What a model reads of one property. The tool's own description has room for more.
const MAX_DESCRIPTION: usize = 600;

/// And of a title.
const MAX_TITLE: usize = 120;

/// A format's name.
const MAX_WORD: usize = 100;

/// Where in a schema we are.
#[derive(Debug, Clone, Copy)]
pub(super) struct SchemaCursor {
    pub(super) direction: Direction,
    level: usize,
    waiting: usize,
    /// Whether it applies to the same value as the schema that we began with.
    same: bool,
    /// Whether it is one of several that describe one object together.
    pub(super) is_part: bool,
}

impl SchemaCursor {
    /// A keyword's schema, or one in its list or map.
    pub(super) const fn inner(self, levels: usize, same: bool) -> Self {
        Self {
            level: self.level + levels,
            same: self.same && same,
            is_part: self.is_part && same,
            ..self
        }
    }

    /// One of the list of `allOf`.
    pub(super) const fn part(self) -> Self {
        Self {
            is_part: true,
            ..self.inner(2, true)
        }
    }
}

impl<'d> Schemas<'d> {
    pub(super) fn convert(
        &mut self,
        schema: &'d Value,
        direction: Direction,
        is_part: bool,
        waiting: usize,
    ) -> Result<Fragment, Problem> {
        let mut out = Fragment::default();
        let at = SchemaCursor {
            direction,
            level: 1,
            waiting,
            same: true,
            is_part,
        };
        let outer = std::mem::take(&mut self.wholes);
        let converted = self.schema(schema, at, &mut out);
        self.wholes = outer;
        converted?;
        for list in [&mut out.needs, &mut out.same] {
            list.sort_unstable();
            list.dedup();
        }
        let left = self.text_left.checked_sub(out.text.len());
        self.text_left = left.unwrap_or(0);
        match left {
            Some(_) => Ok(out),
            None => Err(Problem::Schema("does not fit in beside the others")),
        }
    }

    pub(super) fn schema(
        &mut self,
        schema: &'d Value,
        at: SchemaCursor,
        out: &mut Fragment,
    ) -> Result<(), Problem> {
        if at.level > MAX_LEVEL {
            return Err(Problem::Schema("nests too deep"));
        }
        out.height = out.height.max(at.level);
        let Value::Object(members) = schema else {
            // A boolean is a schema; anything else says nothing that could be checked.
            let text = if schema == &Value::Bool(false) {
                "false"
            } else {
                "{}"
            };
            out.text.push_str(text);
            return Ok(());
        };
        if members.get("nullable") == Some(&Value::Bool(true)) && !takes_null_by_type(members) {
            out.text.push_str("{\"anyOf\":[");
            self.members(schema, members, at.inner(2, true), out)?;
            out.text.push_str(",{\"type\":\"null\"}]}");
            return Ok(());
        }
        self.members(schema, members, at, out)
    }

    fn members(
        &mut self,
        schema: &'d Value,
        members: &'d Map<String, Value>,
        at: SchemaCursor,
        out: &mut Fragment,
    ) -> Result<(), Problem> {
        let reference = members.get("$ref").and_then(Value::as_str);
        let beside = |key: &str| key != "$ref" && holds(key).is_some();
        let siblings =
            reference.is_none() || (self.modern && members.keys().any(|key| beside(key)));
        if let (Some(reference), false) = (reference, siblings) {
            return self.reference(reference, at, out);
        }
        let is_whole = members.contains_key("allOf");
        if is_whole {
            self.wholes.push(members);
        }
        let mut writer = MemberWriter::begin(out);
        if !at.is_part && self.is_base(schema) {
            self.kinds_of(schema, at.inner(2, true), writer.key("anyOf"))?;
        }
        // Beside the referred schema's own members ours would stand twice, and beside `anyOf` a
        // second one.
        let has = |key: &str| {
            !list_of(members.get(key)).is_empty() && !is_kinds_of_base(key, members, at)
        };
        let both = has("oneOf") && has("anyOf");
        let is_joined = reference.is_some() || both;
        if is_joined {
            let list = writer.key("allOf");
            list.text.push('[');
            if let Some(reference) = reference {
                self.reference(reference, at.part(), list)?;
                list.text.push(',');
            }
            for schema in list_of(members.get("allOf")) {
                self.schema(schema, at.part(), list)?;
                list.text.push(',');
            }
            if both {
                list.text.push_str("{\"anyOf\":");
                let one_of = list_of(members.get("oneOf"));
                self.alternatives(one_of, members, at.part().inner(2, true), list)?;
                list.text.push_str("},");
            }
            list.text.pop();
            list.text.push(']');
        }
        for (key, value) in members {
            let is_written = (is_joined && key == "allOf") || (both && key == "oneOf");
            if !is_written
                && !is_closing(key, value, members, at)
                && !is_kinds_of_base(key, members, at)
            {
                self.keyword(key, value, members, at, &mut writer)?;
            }
        }
        if members.get("format").and_then(Value::as_str) == Some("byte")
            && !members.contains_key("contentEncoding")
        {
            writer.value("contentEncoding", &Value::from("base64"));
        }
        writer.end();
        if is_whole {
            self.wholes.pop();
        }
        Ok(())
    }

    fn keyword(
        &mut self,
        key: &str,
        value: &'d Value,
        members: &'d Map<String, Value>,
        at: SchemaCursor,
        writer: &mut MemberWriter<'_>,
    ) -> Result<(), Problem> {
        let Some(kind) = holds(key) else {
            return Ok(());
        };
        let is_left_out = match key {
            "not" | "if" => !self.is_exact(value),
            "then" | "else" => !members.get("if").is_some_and(|asked| self.is_exact(asked)),
            _ => false,
        };
        match (kind, value) {
            _ if is_left_out => {}
            (KeywordValue::Same | KeywordValue::Part, Value::Object(_) | Value::Bool(_)) => {
                // What must not hold, or decides, is taken at its word.
                let is_part = at.is_part && matches!(key, "then" | "else");
                let at = SchemaCursor { is_part, ..at };
                self.schema(
                    value,
                    at.inner(1, kind == KeywordValue::Same),
                    writer.key(key),
                )?;
            }
            (KeywordValue::Parts, Value::Array(list)) if !list.is_empty() => {
                let at = match is_alone(list, members, self.root) {
                    true => at.inner(2, true),
                    false => at.part(),
                };
                self.list(list, at, writer.key(key))?;
            }
            (KeywordValue::Alternatives, Value::Array(list)) if !list.is_empty() => {
                self.alternatives(list, members, at.inner(2, true), writer.key("anyOf"))?;
            }
            (KeywordValue::PartList, Value::Array(list)) if !list.is_empty() => {
                self.list(list, at.inner(2, false), writer.key(key))?;
            }
            (KeywordValue::PartMap | KeywordValue::SameMap, Value::Object(map)) => {
                let patterns = key == "patternProperties";
                let kept = map
                    .iter()
                    .filter(|(name, _)| !patterns || pattern::is_plain(name));
                self.map(
                    kept,
                    at.inner(2, kind == KeywordValue::SameMap),
                    writer.key(key),
                )?;
            }
            (KeywordValue::Number, Value::Number(_)) => writer.bound(key, value, members),
            (KeywordValue::Positive, Value::Number(number))
                if number.as_f64().is_some_and(|number| number > 0.0) =>
            {
                writer.value(key, value);
            }
            (KeywordValue::Count, Value::Number(number)) => {
                if let Some(count) = count(number) {
                    writer.value(key, &count.into());
                }
            }
            (KeywordValue::Word, Value::String(word))
                if word.len() <= MAX_WORD && word.bytes().all(|b| b.is_ascii_graphic()) =>
            {
                writer.value(key, value);
            }
            (KeywordValue::Text, Value::String(text)) => {
                let most = if key == "title" {
                    MAX_TITLE
                } else {
                    MAX_DESCRIPTION
                };
                let text = clean(text, most);
                if !text.is_empty() {
                    writer.value(key, &text.into());
                }
            }
            (KeywordValue::Flag, Value::Bool(_)) => writer.value(key, value),
            (KeywordValue::Any, _) if is_small(value) => writer.value(key, value),
            (KeywordValue::Names, Value::Object(names)) if names.values().all(is_names) => {
                writer.value(key, value)
            }
            (KeywordValue::Special, _) => self.special(key, value, members, at, writer)?,
            // Not what the keyword holds: it constrains nothing then.
            _ => {}
        }
        Ok(())
    }

    fn special(
        &mut self,
        key: &str,
        value: &'d Value,
        members: &'d Map<String, Value>,
        at: SchemaCursor,
        writer: &mut MemberWriter<'_>,
    ) -> Result<(), Problem> {
        let nullable = members.get("nullable") == Some(&Value::Bool(true));
        match (key, value) {
            ("type", _) => {
                if let Some(kind) = types(value, nullable) {
                    writer.value(key, &kind);
                }
            }
            ("enum", Value::Array(values)) => {
                let kinds = members.get("type").unwrap_or(&Value::Null);
                let small = values.iter().filter(|value| is_small(value));
                let mut values: Vec<Value> = small.map(|value| fitted(value, kinds)).collect();
                if nullable && takes_null_by_type(members) && !values.contains(&Value::Null) {
                    values.push(Value::Null);
                }
                if !values.is_empty() {
                    writer.value(key, &Value::Array(values));
                }
            }
            ("pattern", Value::String(text)) if pattern::is_plain(text) => writer.value(key, value),
            // Before 3.1 a flag of the bound beside it, since then a bound.
            ("exclusiveMaximum" | "exclusiveMinimum", Value::Number(_)) => writer.value(key, value),
            ("items", Value::Object(_) | Value::Bool(_)) => {
                self.schema(value, at.inner(1, false), writer.key(key))?;
            }
            // Older drafts: one schema for each place.
            ("items", Value::Array(list))
                if !list.is_empty() && !members.contains_key("prefixItems") =>
            {
                self.list(list, at.inner(2, false), writer.key("prefixItems"))?;
            }
            ("properties", Value::Object(map)) => {
                let shown: Vec<_> = map
                    .iter()
                    .filter(|(_, property)| !self.is_hidden(property, at.direction))
                    .collect();
                self.map(shown, at.inner(2, false), writer.key(key))?;
            }
            ("required", Value::Array(names)) => {
                let properties = members.get("properties").and_then(Value::as_object);
                let mut shown: Vec<&str> = Vec::new();
                for name in names.iter().filter_map(Value::as_str) {
                    let is_hidden = match properties.and_then(|properties| properties.get(name)) {
                        Some(property) => self.is_hidden(property, at.direction),
                        None => self.is_hidden_elsewhere(name, members, at),
                    };
                    if !shown.contains(&name) && !is_hidden {
                        shown.push(name);
                    }
                }
                if !shown.is_empty() {
                    writer.value(key, &shown.into());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn list(
        &mut self,
        list: &'d [Value],
        at: SchemaCursor,
        out: &mut Fragment,
    ) -> Result<(), Problem> {
        out.text.push('[');
        for (index, schema) in list.iter().enumerate() {
            if index > 0 {
                out.text.push(',');
            }
            self.schema(schema, at, out)?;
        }
        out.text.push(']');
        Ok(())
    }

    fn map(
        &mut self,
        map: impl IntoIterator<Item = (&'d String, &'d Value)>,
        at: SchemaCursor,
        out: &mut Fragment,
    ) -> Result<(), Problem> {
        let mut writer = MemberWriter::begin(out);
        for (name, schema) in map {
            self.schema(schema, at, writer.key(name))?;
        }
        writer.end();
        Ok(())
    }

    /// Writes what a reference names: itself where it is small and there already, else a reference
    /// into `$defs`.
    pub(super) fn reference(
        &mut self,
        reference: &str,
        at: SchemaCursor,
        out: &mut Fragment,
    ) -> Result<(), Problem> {
        let schema = resolve(self.root, reference)?;
        let is_part = at.is_part && differs_as_part(schema);
        let unit = self.unit(schema, at.direction, is_part, reference);
        if at.waiting < MAX_WAITING {
            self.finish(unit, at.waiting + 1);
        }
        let Some(found) = self.units.get_mut(unit) else {
            return Err(Problem::Schema("cannot be found"));
        };
        match &found.state {
            UnitState::Failed(problem) => return Err(problem.clone()),
            UnitState::Done if !found.kept && found.fragment.text.len() <= INLINE => {
                let Fragment {
                    text,
                    needs,
                    same,
                    height,
                } = &found.fragment;
                if at.level + height < MAX_LEVEL {
                    out.text.push_str(text);
                    out.needs.extend_from_slice(needs);
                    if at.same {
                        out.same.extend_from_slice(same);
                    }
                    out.height = out.height.max(at.level + height);
                    return Ok(());
                }
            }
            UnitState::Done => {}
            UnitState::Waiting => {
                found.kept = true;
                self.waiting.push_back(unit);
            }
            UnitState::Busy => found.kept = true,
        }
        out.text.push_str("{\"$ref\":\"#/$defs/");
        out.text.push_str(&found.name);
        out.text.push_str("\"}");
        out.needs.push(unit);
        if at.same {
            out.same.push(unit);
        }
        Ok(())
    }
}

fn list_of(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
