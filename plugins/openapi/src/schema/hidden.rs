use serde_json::{Map, Value};

use super::convert::SchemaCursor;
use super::{Direction, Schemas};
use crate::reference::follow;

/// How many parts of a whole are looked at.
const MAX_PARTS: usize = 64;

impl<'d> Schemas<'d> {
    /// Whether a property is not there in this direction.
    pub(crate) fn is_hidden(&self, property: &'d Value, direction: Direction) -> bool {
        let keyword = match direction {
            Direction::Request => "readOnly",
            Direction::Response => "writeOnly",
        };
        let says = |schema: &Value| schema.get(keyword) == Some(&Value::Bool(true));
        says(property) || follow(self.root, property).is_ok_and(says)
    }

    /// Whether a property is hidden that another part of the same object declares: one `allOf` has
    /// its properties, another its `required`.
    pub(super) fn is_hidden_elsewhere(
        &self,
        name: &str,
        members: &'d Map<String, Value>,
        at: SchemaCursor,
    ) -> bool {
        let whole = self.wholes.last().copied().filter(|_| at.is_part);
        let mut left = MAX_PARTS;
        [Some(members), whole]
            .into_iter()
            .flatten()
            .any(|whole| self.hides(name, whole, at.direction, &mut left))
    }

    fn hides(
        &self,
        name: &str,
        members: &'d Map<String, Value>,
        direction: Direction,
        left: &mut usize,
    ) -> bool {
        let parts = members.get("allOf").and_then(Value::as_array);
        parts.into_iter().flatten().any(|part| {
            let Some(rest) = left.checked_sub(1) else {
                return false;
            };
            *left = rest;
            let Some(part) = follow(self.root, part).ok().and_then(Value::as_object) else {
                return false;
            };
            let own = part
                .get("properties")
                .and_then(|properties| properties.get(name));
            own.is_some_and(|property| self.is_hidden(property, direction))
                || self.hides(name, part, direction, left)
        })
    }
}
