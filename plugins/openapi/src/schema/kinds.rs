//! The kinds of a base that does not list them: schemas that are `allOf` of it (OpenAPI 3.0.3,
//! "Discriminator Object"; the one way that Swagger 2.0 has).

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::alternatives::DISCRIMINATOR;
use super::convert::SchemaCursor;
use super::{Fragment, Schemas};
use crate::problem::Problem;
use crate::reference::resolve;

/// Kinds of a base that are written out; a base with more takes any members.
const MAX_KINDS: usize = 32;

/// What documents of large vendors say in place of a mapping.
const OWN_TAG: [&str; 2] = ["x-ms-discriminator-value", "x-discriminator-value"];

/// A schema by its reference.
#[derive(Debug, Clone)]
struct DerivedSchema<'d> {
    name: &'d str,
    reference: String,
    schema: &'d Value,
}

/// The schemas that are `allOf` of a base, by the base's place in memory.
#[derive(Debug, Default)]
pub(super) struct Kinds<'d> {
    of: HashMap<*const Value, Vec<DerivedSchema<'d>>>,
}

impl<'d> Kinds<'d> {
    pub(super) fn new(root: &'d Value) -> Self {
        let mut of: HashMap<*const Value, Vec<DerivedSchema<'d>>> = HashMap::new();
        for place in ["/components/schemas", "/definitions"] {
            let schemas = root.pointer(place).and_then(Value::as_object);
            for (name, schema) in schemas.into_iter().flatten() {
                let parts = schema.get("allOf").and_then(Value::as_array);
                let bases = parts
                    .into_iter()
                    .flatten()
                    .filter_map(|part| part.get("$ref")?.as_str());
                for base in bases.filter_map(|base| resolve(root, base).ok()) {
                    let kinds = of.entry(std::ptr::from_ref(base)).or_default();
                    kinds.push(DerivedSchema {
                        name,
                        reference: format!("#{place}/{}", crate::reference::escaped(name)),
                        schema,
                    });
                }
            }
        }
        Self { of }
    }

    /// Kinds, and kinds of these, each once.
    fn below(&self, base: &'d Value) -> Vec<DerivedSchema<'d>> {
        let mut found: Vec<DerivedSchema<'d>> = Vec::new();
        let mut seen = HashSet::from([std::ptr::from_ref(base)]);
        let mut next = vec![base];
        while let Some(base) = next.pop() {
            for kind in self.of.get(&std::ptr::from_ref(base)).into_iter().flatten() {
                if seen.insert(std::ptr::from_ref(kind.schema)) {
                    found.push(kind.clone());
                    next.push(kind.schema);
                }
                if found.len() > MAX_KINDS {
                    return found;
                }
            }
        }
        found
    }
}

impl<'d> Schemas<'d> {
    /// Whether a schema is a base whose kinds are told by a member, and which does not list them
    /// itself.
    pub(crate) fn is_base(&self, schema: &Value) -> bool {
        let says = |key: &str| schema.get(key).is_some();
        says(DISCRIMINATOR)
            && !says("oneOf")
            && !says("anyOf")
            && self.kinds.of.contains_key(&std::ptr::from_ref(schema))
    }

    /// Writes the kinds of a base as the list of an `anyOf`, the last of which is for what is of
    /// none of them. A value whose tag names a kind has to be one of that kind.
    pub(super) fn kinds_of(
        &mut self,
        base: &'d Value,
        at: SchemaCursor,
        out: &mut Fragment,
    ) -> Result<(), Problem> {
        let kinds = self.kinds.below(base);
        let discriminator = base.get(DISCRIMINATOR);
        // In Swagger 2.0 it is the member's name alone.
        let property =
            discriminator.and_then(|of| of.as_str().or_else(|| of.get("propertyName")?.as_str()));
        let (Some(property), true) = (property, kinds.len() <= MAX_KINDS) else {
            out.text.push_str("[{}]");
            return Ok(());
        };
        let mapping = discriminator.and_then(|of| of.get("mapping")?.as_object());
        let mut all: Vec<&str> = Vec::new();
        out.text.push('[');
        for kind in &kinds {
            let tags = tags(kind, mapping);
            out.text.push_str("{\"allOf\":[");
            self.reference(&kind.reference, at.part(), out)?;
            out.text.push_str(&format!(
                "],\"properties\":{}}},",
                json!({ property: { "enum": tags } })
            ));
            all.extend(tags);
        }
        let other = json!({ "properties": { property: { "not": { "enum": all } } } });
        out.text.push_str(&format!("{other}]"));
        Ok(())
    }
}

fn tags<'d>(kind: &DerivedSchema<'d>, mapping: Option<&'d Map<String, Value>>) -> Vec<&'d str> {
    let mut tags = super::alternatives::tags_of(kind.name, mapping);
    let own = OWN_TAG
        .iter()
        .find_map(|key| kind.schema.get(*key)?.as_str());
    tags.extend(own);
    if tags.is_empty() {
        tags.push(kind.name);
    }
    tags
}
