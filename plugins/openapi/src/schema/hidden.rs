use serde_json::Value;

use super::{Direction, Schemas};
use crate::reference::follow;

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
}
