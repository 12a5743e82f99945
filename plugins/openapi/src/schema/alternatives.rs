//! `oneOf`, `discriminator` and closed parts of a whole, as the systems that documents describe
//! take them.
//!
//! A document says `oneOf` and means "either": its branches are `allOf` of a base and something of
//! their own, so a value of one is often one of another too, and no server refuses it for that. And
//! `additionalProperties: false` of a part would refuse the members of its sibling: nothing fits
//! the whole then. So `oneOf` becomes `anyOf`, a part of a whole is open, and where a discriminator
//! says which branch a value is, that branch has to hold. A base with a discriminator that lists no
//! kinds has those that are `allOf` of it. (What an author of a plugin writes, and what an MCP
//! server lists, is JSON Schema and stays as it is.)

use serde_json::{Map, Value, json};

use super::convert::SchemaCursor;
use super::{Direction, Fragment, Schemas, pattern};
use crate::problem::Problem;
use crate::reference::follow;

/// Tags of one discriminator; more are a table and no alternative that a person wrote.
const MAX_TAGS: usize = 256;

/// Branches that are told apart by the names of their schemas alone: each lists the names of the
/// others.
const MAX_NAMED: usize = 16;

/// The keyword of OpenAPI that says which member tells the kinds of an object apart.
pub(super) const DISCRIMINATOR: &str = "discriminator";

/// Keywords that bring members of an object in from elsewhere.
const WHOLE: [&str; 4] = ["$ref", "allOf", "anyOf", "oneOf"];

/// Whether a keyword would refuse members that another part of the same object names, or a pattern
/// that is left out.
pub(super) fn is_closing(
    key: &str,
    value: &Value,
    members: &Map<String, Value>,
    at: SchemaCursor,
) -> bool {
    if !matches!(key, "additionalProperties" | "unevaluatedProperties") {
        return false;
    }
    let patterns = members.get("patternProperties").and_then(Value::as_object);
    let is_left_out =
        patterns.is_some_and(|patterns| !patterns.keys().all(|text| pattern::is_plain(text)));
    let is_whole = key == "additionalProperties" && is_of_several(members);
    is_left_out || (is_closed(value) && (at.is_part || is_whole))
}

/// Whether `additionalProperties` refuses anything.
fn is_closed(value: &Value) -> bool {
    value != &Value::Bool(true) && value.as_object().is_none_or(|schema| !schema.is_empty())
}

/// Whether other schemas bring members in: those that it refers to, or its kinds.
fn is_of_several(members: &Map<String, Value>) -> bool {
    WHOLE.iter().any(|key| members.contains_key(*key)) || members.contains_key(DISCRIMINATOR)
}

/// Whether the one schema of an `allOf` is the whole of an object, and no part: documents write it
/// so to say more of a reference.
pub(super) fn is_alone(list: &[Value], members: &Map<String, Value>, root: &Value) -> bool {
    let [only] = list else { return false };
    let others = ["properties", "patternProperties", "$ref", "anyOf", "oneOf"];
    let is_base = follow(root, only).is_ok_and(|base| base.get(DISCRIMINATOR).is_some());
    !is_base && !others.iter().any(|key| members.contains_key(*key))
}

/// Whether a schema is another one as a part of a whole.
pub(super) fn differs_as_part(schema: &Value) -> bool {
    let closes = |key: &str| schema.get(key).is_some_and(is_closed);
    closes("additionalProperties")
        || closes("unevaluatedProperties")
        || schema.as_object().is_some_and(is_of_several)
}

/// Whether a keyword lists the kinds of a base that is meant itself here: each kind is `allOf` of
/// its base and its own, and the base lists its kinds.
pub(super) fn is_kinds_of_base(key: &str, members: &Map<String, Value>, at: SchemaCursor) -> bool {
    at.is_part
        && matches!(key, "oneOf" | "anyOf")
        && members.get(DISCRIMINATOR).is_some_and(Value::is_object)
}

impl<'d> Schemas<'d> {
    /// Writes the branches of `oneOf` or `anyOf` as the list of an `anyOf`.
    pub(super) fn alternatives(
        &mut self,
        list: &'d [Value],
        members: &'d Map<String, Value>,
        at: SchemaCursor,
        out: &mut Fragment,
    ) -> Result<(), Problem> {
        let tags = Tags::new(members, list);
        out.text.push('[');
        for (index, branch) in list.iter().enumerate() {
            if index > 0 {
                out.text.push(',');
            }
            match tags.as_ref().and_then(|tags| tags.tag_of(index)) {
                None => self.schema(branch, at, out)?,
                Some(tag) => {
                    out.text.push_str("{\"allOf\":[");
                    self.schema(branch, at.inner(2, true), out)?;
                    out.text.push_str(&format!("],\"properties\":{tag}}}"));
                }
            }
        }
        if let (Direction::Response, Some(tags)) = (at.direction, &tags)
            && let Some(all) = tags.all()
        {
            // A system learns new kinds after its document was written.
            let other = json!({ "required": [tags.property], "properties": { tags.property: { "not": { "enum": all } } } });
            out.text.push_str(&format!(",{other}"));
        }
        out.text.push(']');
        Ok(())
    }
}

/// What a discriminator says of each branch.
struct Tags<'d> {
    property: &'d str,
    /// By the mapping: a value of the branch has one of these.
    mapped: Vec<Vec<&'d str>>,
    /// By the names of the branches, where the mapping says nothing of them. Documents often have
    /// other values than these names, so a name says alone of which other branch a value is.
    named: Vec<Option<&'d str>>,
}

impl<'d> Tags<'d> {
    fn new(members: &'d Map<String, Value>, list: &'d [Value]) -> Option<Self> {
        let discriminator = members.get(DISCRIMINATOR)?;
        let property = discriminator.get("propertyName")?.as_str()?;
        let nothing = Map::new();
        let mapping = discriminator.get("mapping").and_then(Value::as_object);
        if mapping.unwrap_or(&nothing).len() > MAX_TAGS {
            return None;
        }
        let name = |branch: &'d Value| branch.get("$ref").and_then(Value::as_str).map(last);
        let mapped = |branch| name(branch).map_or_else(Vec::new, |name| tags_of(name, mapping));
        let mapped: Vec<Vec<&str>> = list.iter().map(mapped).collect();
        let is_few = list.len() <= MAX_NAMED;
        let named = |(branch, mapped): (&'d Value, &Vec<&str>)| {
            name(branch).filter(|_| is_few && mapped.is_empty())
        };
        let named = list.iter().zip(&mapped).map(named).collect();
        Some(Self {
            property,
            mapped,
            named,
        })
    }

    /// What has to hold of the property that tells branches apart, as `properties`; `None` where
    /// nothing is known.
    fn tag_of(&self, branch: usize) -> Option<Value> {
        let mapped = self.mapped.get(branch)?;
        if !mapped.is_empty() {
            return Some(json!({ self.property: { "enum": mapped } }));
        }
        let others = self.mapped.iter().flatten().copied();
        let others = others.chain(
            self.named
                .iter()
                .enumerate()
                .filter_map(|(at, name)| name.filter(|_| at != branch)),
        );
        let others: Vec<&str> = others.collect();
        let is_named = self.named.get(branch).is_some_and(Option::is_some);
        (is_named && !others.is_empty())
            .then(|| json!({ self.property: { "not": { "enum": others } } }))
    }

    /// The tags of all branches, where the mapping has each.
    fn all(&self) -> Option<Vec<&'d str>> {
        let is_each = self.mapped.iter().all(|tags| !tags.is_empty());
        is_each.then(|| self.mapped.concat())
    }
}

/// The last part of a reference: the name of a schema.
fn last(reference: &str) -> &str {
    reference.rsplit('/').next().unwrap_or_default()
}

/// The tags that a mapping gives to the schema of a name. The name itself is one as well, where the
/// mapping gives it to none.
pub(super) fn tags_of<'d>(name: &'d str, mapping: Option<&'d Map<String, Value>>) -> Vec<&'d str> {
    let is_own = |target: &'d Value| target.as_str().map(last) == Some(name);
    let mapped = mapping
        .into_iter()
        .flatten()
        .filter(|(_, target)| is_own(target));
    let mut tags: Vec<&str> = mapped.map(|(tag, _)| tag.as_str()).collect();
    if !tags.is_empty() && mapping.is_some_and(|mapping| !mapping.contains_key(name)) {
        tags.push(name);
    }
    tags
}
