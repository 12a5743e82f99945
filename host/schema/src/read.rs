//! The keywords of one subschema, in the order in which they are checked.

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

use crate::compile::{Patterns, SchemaCompiler, quote};
use crate::equal::EnumValues;
use crate::error::SchemaError;
use crate::keyword::{Keyword, Node, NodeId, Properties, Types};
use crate::number::{self, ExactNumber};
use crate::pattern::{Pattern, PatternError};

pub(crate) struct KeywordReader<'c, 's> {
    compiler: &'c mut SchemaCompiler<'s>,
    members: &'s Map<String, Value>,
    keywords: Vec<Keyword>,
}

/// What a pattern that was too large counts towards the memory of all, in bytes. It has none, but
/// the time until that was known: so many of them in one schema as take a second are one too many.
const DROPPED_PATTERN: usize = 128 << 10;

/// What leads to other subschemas of the same value.
const IN_PLACE: [&str; 7] = [
    "$ref",
    "$dynamicRef",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "dependentSchemas",
];

/// A keyword's name, and what is made of its value.
type KeywordOf<T> = (&'static str, fn(T) -> Keyword);

impl<'c, 's> KeywordReader<'c, 's> {
    pub(crate) fn new(
        compiler: &'c mut SchemaCompiler<'s>,
        members: &'s Map<String, Value>,
    ) -> Self {
        Self {
            compiler,
            members,
            keywords: Vec::new(),
        }
    }

    pub(crate) fn never() -> Node {
        Node {
            keywords: vec![Keyword::Never],
            ..Node::default()
        }
    }

    pub(crate) fn read(mut self) -> Result<Node, SchemaError> {
        self.values()?;
        self.numbers()?;
        self.sizes()?;
        self.names()?;
        self.members()?;
        self.items()?;
        self.read_in_place()?;
        // Those that nothing leads to are read too: what is wrong in them is wrong.
        self.map("$defs")?;
        let collects = self.read_unevaluated()?;
        Ok(Node {
            keywords: self.keywords,
            collects,
            is_referenced: false,
        })
    }

    fn values(&mut self) -> Result<(), SchemaError> {
        if let Some(value) = self.members.get("type") {
            let mut types = Types::default();
            let is_type = match value {
                Value::String(name) => types.add(name),
                Value::Array(names) => {
                    !names.is_empty()
                        && names
                            .iter()
                            .all(|name| name.as_str().is_some_and(|name| types.add(name)))
                }
                _ => false,
            };
            if !is_type {
                return Err(keyword_error(
                    "type",
                    "a name of a JSON type, or a list of them",
                ));
            }
            self.keywords.push(Keyword::Type(types));
        }
        if let Some(value) = self.members.get("const") {
            self.keywords.push(Keyword::Const(value.clone()));
        }
        if let Some(value) = self.members.get("enum") {
            let values = value
                .as_array()
                .ok_or_else(|| keyword_error("enum", "a list"))?;
            self.keywords.push(Keyword::Enum(EnumValues::new(values)));
        }
        Ok(())
    }

    fn numbers(&mut self) -> Result<(), SchemaError> {
        let bounds: [KeywordOf<Number>; 4] = [
            ("minimum", Keyword::Minimum),
            ("maximum", Keyword::Maximum),
            ("exclusiveMinimum", Keyword::ExclusiveMinimum),
            ("exclusiveMaximum", Keyword::ExclusiveMaximum),
        ];
        for (key, keyword) in bounds {
            if let Some(number) = self.number(key)? {
                self.keywords.push(keyword(number));
            }
        }
        if let Some(unit) = self.number("multipleOf")? {
            if !number::compare(&unit, &Number::from(0)).is_gt() {
                return Err(keyword_error("multipleOf", "a number above 0"));
            }
            self.keywords.push(Keyword::MultipleOf(unit));
        }
        Ok(())
    }

    fn number(&self, key: &'static str) -> Result<Option<Number>, SchemaError> {
        match self.members.get(key) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number.clone())),
            Some(_) => Err(keyword_error(key, "a number")),
        }
    }

    fn sizes(&mut self) -> Result<(), SchemaError> {
        let bounds: [KeywordOf<u64>; 6] = [
            ("minLength", Keyword::MinLength),
            ("maxLength", Keyword::MaxLength),
            ("minItems", Keyword::MinItems),
            ("maxItems", Keyword::MaxItems),
            ("minProperties", Keyword::MinProperties),
            ("maxProperties", Keyword::MaxProperties),
        ];
        for (key, keyword) in bounds {
            if let Some(size) = self.size(key)? {
                self.keywords.push(keyword(size));
            }
        }
        if let Some(value) = self.members.get("pattern") {
            let text = value
                .as_str()
                .ok_or_else(|| keyword_error("pattern", "a text"))?;
            if let Some(pattern) = self.pattern(text)? {
                let cut = quote(text);
                self.keywords.push(Keyword::Pattern(Box::new(pattern), cut));
            }
        }
        match self.members.get("uniqueItems") {
            None | Some(Value::Bool(false)) => Ok(()),
            Some(Value::Bool(true)) => {
                self.keywords.push(Keyword::UniqueItems);
                Ok(())
            }
            Some(_) => Err(keyword_error("uniqueItems", "true or false")),
        }
    }

    fn size(&self, key: &'static str) -> Result<Option<u64>, SchemaError> {
        let wrong = || keyword_error(key, "a whole number from 0");
        let Some(value) = self.members.get(key) else {
            return Ok(None);
        };
        match number::exact(value.as_number().ok_or_else(wrong)?) {
            ExactNumber::Integer(size) if size >= 0 => {
                Ok(Some(u64::try_from(size).unwrap_or(u64::MAX)))
            }
            ExactNumber::Float(size) if size > 1e38 => Ok(Some(u64::MAX)),
            _ => Err(wrong()),
        }
    }

    fn pattern(&mut self, text: &str) -> Result<Option<Pattern>, SchemaError> {
        match Pattern::new(text) {
            Ok(pattern) => {
                self.compiler.count_pattern(pattern.memory())?;
                Ok(Some(pattern))
            }
            Err(error) if self.compiler.patterns == Patterns::Lenient => {
                if error == PatternError::TooLarge {
                    self.compiler.count_pattern(DROPPED_PATTERN)?;
                }
                Ok(None)
            }
            Err(error) => Err(SchemaError::Pattern {
                pattern: quote(text),
                error,
            }),
        }
    }

    fn names(&mut self) -> Result<(), SchemaError> {
        if let Some(value) = self.members.get("required") {
            let names = texts(value).ok_or_else(|| keyword_error("required", "a list of names"))?;
            self.keywords.push(Keyword::Required(names));
        }
        if let Some(value) = self.members.get("dependentRequired") {
            let wrong = || keyword_error("dependentRequired", "an object of lists of names");
            let members = value.as_object().ok_or_else(wrong)?;
            let each = members
                .iter()
                .map(|(name, names)| Some((name.clone(), texts(names)?)));
            let each = each.collect::<Option<_>>().ok_or_else(wrong)?;
            self.keywords.push(Keyword::DependentRequired(each));
        }
        Ok(())
    }

    fn members(&mut self) -> Result<(), SchemaError> {
        let mut properties = Properties {
            named: self
                .map("properties")?
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
            ..Properties::default()
        };
        for (text, node) in self.map("patternProperties")? {
            match self.pattern(&text)? {
                Some(pattern) => properties.patterns.push((pattern, node)),
                None => properties.is_open = true,
            }
        }
        properties.rest = self.read_subschema("additionalProperties")?;
        // Without in-place subschemas, what is not evaluated is what is not named here.
        let is_plain = !IN_PLACE.iter().any(|key| self.members.contains_key(*key));
        if properties.rest.is_none() && is_plain {
            properties.rest = self.read_subschema("unevaluatedProperties")?;
        }
        if properties.is_open {
            properties.rest = None;
        }
        let rest = self.members.get("additionalProperties");
        let rest = rest.or_else(|| self.members.get("unevaluatedProperties"));
        properties.is_closed = properties.rest.is_some() && rest == Some(&Value::Bool(false));
        let says_much = !properties.named.is_empty() || !properties.patterns.is_empty();
        if says_much || properties.rest.is_some() || properties.is_open {
            self.keywords.push(Keyword::Properties(properties));
        }
        if let Some(node) = self.read_subschema("propertyNames")? {
            self.keywords.push(Keyword::PropertyNames(node));
        }
        Ok(())
    }

    fn items(&mut self) -> Result<(), SchemaError> {
        let prefix = self.list("prefixItems")?.unwrap_or_default();
        let rest = self.read_subschema("items")?;
        if !prefix.is_empty() || rest.is_some() {
            self.keywords.push(Keyword::Items { prefix, rest });
        }
        let (min, max) = (self.size("minContains")?, self.size("maxContains")?);
        if let Some(node) = self.read_subschema("contains")? {
            let min = min.unwrap_or(1);
            self.keywords.push(Keyword::Contains { node, min, max });
        }
        Ok(())
    }

    fn read_in_place(&mut self) -> Result<(), SchemaError> {
        for key in ["$ref", "$dynamicRef"] {
            if let Some(value) = self.members.get(key) {
                let reference = value
                    .as_str()
                    .ok_or_else(|| keyword_error("$ref", "a text"))?;
                let target = self.compiler.target(reference)?;
                self.keywords.push(Keyword::Ref(target));
            }
        }
        let several: [KeywordOf<Vec<NodeId>>; 3] = [
            ("allOf", Keyword::AllOf),
            ("anyOf", Keyword::AnyOf),
            ("oneOf", Keyword::OneOf),
        ];
        for (key, keyword) in several {
            if let Some(nodes) = self.list(key)? {
                self.keywords.push(keyword(nodes));
            }
        }
        if let Some(node) = self.read_subschema("not")? {
            self.keywords.push(Keyword::Not(node));
        }
        let (then, otherwise) = (self.read_subschema("then")?, self.read_subschema("else")?);
        if let Some(condition) = self.read_subschema("if")? {
            self.keywords.push(Keyword::If {
                condition,
                then,
                otherwise,
            });
        }
        let dependent = self.map("dependentSchemas")?;
        if !dependent.is_empty() {
            self.keywords.push(Keyword::DependentSchemas(dependent));
        }
        Ok(())
    }

    /// Whether there is something that asks which children were evaluated.
    fn read_unevaluated(&mut self) -> Result<bool, SchemaError> {
        let items = self.read_subschema("unevaluatedItems")?;
        let properties = self.read_subschema("unevaluatedProperties")?;
        let is_plain = !IN_PLACE.iter().any(|key| self.members.contains_key(*key));
        let properties = properties.filter(|_| !is_plain);
        self.keywords.extend(items.map(Keyword::UnevaluatedItems));
        self.keywords
            .extend(properties.map(Keyword::UnevaluatedProperties));
        Ok(items.is_some() || properties.is_some())
    }

    fn read_subschema(&mut self, key: &'static str) -> Result<Option<NodeId>, SchemaError> {
        match self.members.get(key) {
            None => Ok(None),
            Some(schema @ (Value::Object(_) | Value::Bool(_))) => {
                self.compiler.node(schema).map(Some)
            }
            Some(_) => Err(keyword_error(key, "a schema")),
        }
    }

    fn list(&mut self, key: &'static str) -> Result<Option<Vec<NodeId>>, SchemaError> {
        match self.members.get(key) {
            None => Ok(None),
            Some(Value::Array(schemas)) if !schemas.is_empty() => {
                let nodes = schemas.iter().map(|schema| self.compiler.node(schema));
                nodes.collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(keyword_error(key, "a list of schemas")),
        }
    }

    fn map(&mut self, key: &'static str) -> Result<Vec<(String, NodeId)>, SchemaError> {
        match self.members.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Object(schemas)) => schemas
                .iter()
                .map(|(name, schema)| Ok((name.clone(), self.compiler.node(schema)?)))
                .collect(),
            Some(_) => Err(keyword_error(key, "an object of schemas")),
        }
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let names = value.as_array()?.iter();
    names
        .map(|name| name.as_str().map(ToOwned::to_owned))
        .collect()
}

fn keyword_error(keyword: &'static str, expected: &'static str) -> SchemaError {
    SchemaError::Keyword { keyword, expected }
}
