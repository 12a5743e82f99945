//! `oneOf`, `discriminator` and closed parts of a whole, as the systems that documents describe take them.
//!
//! A document says `oneOf` and means "either": its branches are `allOf` of a base and something of their own, so a value of one is
//! often one of another too, and no server refuses it for that. And `additionalProperties: false` of a part would refuse
//! the members of its sibling: nothing fits the whole then. So `oneOf` becomes `anyOf`, a part of a whole is open, and where a
//! discriminator with a mapping says which branch a value is, that branch has to hold. (What an author of a plugin writes, and what
//! an MCP server lists, is JSON Schema and stays as it is.)

use serde_json::{Map, Value, json};

use super::convert::At;
use super::{Direction, Fragment, Schemas, pattern};
use crate::problem::Problem;

/// Tags of one discriminator; more are a table and no alternative that a person wrote.
const MAX_TAGS: usize = 256;

/// Keywords that bring members of an object in from elsewhere.
const WHOLE: [&str; 4] = ["$ref", "allOf", "anyOf", "oneOf"];

/// Whether a keyword would refuse members that another part of the same object names, or a pattern that is left out.
pub(super) fn is_closing(key: &str, value: &Value, members: &Map<String, Value>, at: At) -> bool {
    if !matches!(key, "additionalProperties" | "unevaluatedProperties") {
        return false;
    }
    let patterns = members.get("patternProperties").and_then(Value::as_object);
    let is_left_out = patterns.is_some_and(|patterns| !patterns.keys().all(|text| pattern::is_plain(text)));
    let is_whole = key == "additionalProperties" && WHOLE.iter().any(|key| members.contains_key(*key));
    is_left_out || (value == &Value::Bool(false) && (at.is_part || is_whole))
}

/// Whether a schema is another one as a part of a whole.
pub(super) fn differs_as_part(schema: &Value) -> bool {
    let is_closed = |key: &str| schema.get(key) == Some(&Value::Bool(false));
    is_closed("additionalProperties")
        || is_closed("unevaluatedProperties")
        || WHOLE.iter().any(|key| schema.get(key).is_some())
}

/// Whether a keyword lists the kinds of a base that is meant itself here: each kind is `allOf` of its base and its own, and the
/// base lists its kinds.
pub(super) fn is_kinds_of_base(key: &str, members: &Map<String, Value>, at: At) -> bool {
    at.is_part
        && matches!(key, "oneOf" | "anyOf")
        && members.get("discriminator").is_some_and(Value::is_object)
}

impl<'d> Schemas<'d> {
    /// Writes the branches of `oneOf` or `anyOf` as the list of an `anyOf`.
    pub(super) fn alternatives(
        &mut self,
        list: &'d [Value],
        members: &'d Map<String, Value>,
        at: At,
        out: &mut Fragment,
    ) -> Result<(), Problem> {
        let tags = Tags::new(members, list);
        out.text.push('[');
        for (index, branch) in list.iter().enumerate() {
            if index > 0 {
                out.text.push(',');
            }
            match tags.as_ref().and_then(|tags| Some((tags, tags.of(index)?))) {
                None => self.schema(branch, at, out)?,
                Some((tags, own)) => {
                    out.text.push_str("{\"allOf\":[");
                    self.schema(branch, at.inner(2, true), out)?;
                    let tag = json!({ tags.property: { "enum": own } });
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

/// What the mapping of a discriminator says of each branch.
struct Tags<'d> {
    property: &'d str,
    by_branch: Vec<Vec<&'d str>>,
}

impl<'d> Tags<'d> {
    fn new(members: &'d Map<String, Value>, list: &'d [Value]) -> Option<Self> {
        let discriminator = members.get("discriminator")?;
        let property = discriminator.get("propertyName")?.as_str()?;
        let mapping = discriminator.get("mapping")?.as_object()?;
        if mapping.is_empty() || mapping.len() > MAX_TAGS {
            return None;
        }
        let last = |reference: &'d str| reference.rsplit('/').next().unwrap_or_default();
        let of_branch = |branch: &'d Value| -> Vec<&'d str> {
            let Some(name) = branch.get("$ref").and_then(Value::as_str).map(last) else {
                return Vec::new();
            };
            let is_own = |target: &'d Value| target.as_str().map(last) == Some(name);
            let mapped = mapping.iter().filter(|(_, target)| is_own(target));
            let mut tags: Vec<&str> = mapped.map(|(tag, _)| tag.as_str()).collect();
            // The schema's own name is a tag as well, where the mapping gives it to none.
            if !tags.is_empty() && !mapping.contains_key(name) {
                tags.push(name);
            }
            tags
        };
        let by_branch = list.iter().map(of_branch).collect();
        Some(Self { property, by_branch })
    }

    fn of(&self, branch: usize) -> Option<&[&'d str]> {
        let tags = self.by_branch.get(branch)?;
        (!tags.is_empty()).then_some(tags)
    }

    /// The tags of all branches, where each has some.
    fn all(&self) -> Option<Vec<&'d str>> {
        let is_each = self.by_branch.iter().all(|tags| !tags.is_empty());
        is_each.then(|| self.by_branch.concat())
    }
}
