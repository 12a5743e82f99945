//! Schemas of OpenAPI 3.0 and 3.1 as JSON Schema 2020-12.
//!
//! Each schema that is referred to is converted once (a *unit*), whatever number of operations use
//! it. A small one stands where it is used, since several clients of MCP do not follow `$ref`; a
//! large one, or one that leads back to itself, goes into `$defs`. So a document that refers to
//! itself in circles, or doubles itself thirty times, costs what it has in bytes.
//!
//! - `convert`: keyword by keyword. `pattern`: which regular expressions are kept.
//! - `alternatives`: `oneOf` and discriminators, as servers take them. `kinds`: those that a base
//!   does not list. `exact`: what stands below `not` and `if`.
//! - `circle`: schemas that mean nothing but themselves. `compose`: a whole schema of a tool.

mod alternatives;
mod circle;
mod compose;
mod convert;
mod exact;
mod hidden;
mod keyword;
mod kinds;
mod pattern;
mod plain;
mod write;

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value};

use crate::name::sanitised;
use crate::problem::Problem;

pub(crate) use compose::MAX_SCHEMA;
pub(crate) use pattern::has_slash;
pub(crate) use write::quoted;

/// A unit up to this size stands where it is used.
const INLINE: usize = 512;

/// How deep a schema nests in JSON, so that every reader's bound (serde_json: 128) holds for it and
/// what is around it.
const MAX_LEVEL: usize = 90;

/// How many conversions may wait for one another; deeper ones are done later. Keeps the stack
/// small.
const MAX_WAITING: usize = 16;

/// How much text all conversions of a document may come to. GitHub's come to 14 MB.
const MAX_TEXT: usize = 192 << 20;

/// Which way a value goes: `readOnly` members are never sent, `writeOnly` ones never come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    Request,
    Response,
}

#[derive(Debug, Clone)]
enum UnitState {
    Waiting,
    Busy,
    Done,
    Failed(Problem),
}

#[derive(Debug)]
struct Unit<'d> {
    schema: &'d Value,
    direction: Direction,
    is_part: bool,
    /// Its key in `$defs`.
    name: String,
    state: UnitState,
    fragment: Fragment,
    /// Something refers to it before it is there, so it cannot stand in its place.
    kept: bool,
}

/// A converted schema.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fragment {
    pub(crate) text: String,
    /// The units that it refers to.
    needs: Vec<usize>,
    /// Those of them that apply to the very value that it applies to, not to a part of it.
    same: Vec<usize>,
    /// How many levels of JSON it has.
    height: usize,
}

/// All schemas of one document.
#[derive(Debug)]
pub(crate) struct Schemas<'d> {
    root: &'d Value,
    /// OpenAPI 3.1: a schema is one of 2020-12 already, and has members beside `$ref`.
    modern: bool,
    units: Vec<Unit<'d>>,
    /// By the place of the schema in memory: two spellings of one reference are one unit.
    by_place: HashMap<(*const Value, Direction, bool), usize>,
    kinds: kinds::Kinds<'d>,
    /// The schemas with `allOf` around the one that is being converted.
    wholes: Vec<&'d Map<String, Value>>,
    names: HashMap<(Direction, String), usize>,
    waiting: VecDeque<usize>,
    /// Units that were found to lead into no circle.
    settled: Vec<bool>,
    text_left: usize,
}

impl<'d> Schemas<'d> {
    pub(crate) fn new(root: &'d Value, modern: bool) -> Self {
        Self {
            root,
            modern,
            units: Vec::new(),
            by_place: HashMap::new(),
            kinds: kinds::Kinds::new(root),
            wholes: Vec::new(),
            names: HashMap::new(),
            waiting: VecDeque::new(),
            settled: Vec::new(),
            text_left: MAX_TEXT,
        }
    }

    /// Whether the bound on all text was reached: the rest of the document would fail for want of
    /// room.
    pub(crate) const fn is_exhausted(&self) -> bool {
        self.text_left == 0
    }

    pub(crate) const fn root(&self) -> &'d Value {
        self.root
    }

    /// Converts a schema that stands in an operation.
    pub(crate) fn fragment(
        &mut self,
        schema: &'d Value,
        direction: Direction,
    ) -> Result<Fragment, Problem> {
        let fragment = self.convert(schema, direction, false, 0)?;
        while let Some(unit) = self.waiting.pop_front() {
            self.finish(unit, 0);
        }
        Ok(fragment)
    }

    /// The unit of a schema that a reference names.
    fn unit(
        &mut self,
        schema: &'d Value,
        direction: Direction,
        is_part: bool,
        reference: &str,
    ) -> usize {
        let key = (std::ptr::from_ref(schema), direction, is_part);
        if let Some(unit) = self.by_place.get(&key) {
            return *unit;
        }
        let unit = self.units.len();
        let name = self.free_name(reference, direction);
        self.units.push(Unit {
            schema,
            direction,
            is_part,
            name,
            state: UnitState::Waiting,
            fragment: Fragment::default(),
            kept: false,
        });
        self.by_place.insert(key, unit);
        unit
    }

    /// The reference's last part, with a number where another unit has it already.
    fn free_name(&mut self, reference: &str, direction: Direction) -> String {
        let last = reference.rsplit('/').next().unwrap_or_default();
        let mut name: String = sanitised(last).chars().take(64).collect();
        if name.is_empty() {
            name.push_str("schema");
        }
        loop {
            let count = self.names.entry((direction, name.clone())).or_default();
            *count += 1;
            if *count == 1 {
                return name;
            }
            name = format!("{name}_{count}");
        }
    }

    /// Converts a unit unless that was done, or is being done.
    fn finish(&mut self, unit: usize, waiting: usize) {
        let Some(Unit {
            schema,
            direction,
            is_part,
            state,
            ..
        }) = self.units.get_mut(unit)
        else {
            return;
        };
        if !matches!(state, UnitState::Waiting) {
            return;
        }
        *state = UnitState::Busy;
        let (schema, direction, is_part) = (*schema, *direction, *is_part);
        let converted = self.convert(schema, direction, is_part, waiting);
        if let Some(unit) = self.units.get_mut(unit) {
            match converted {
                Ok(fragment) => {
                    unit.fragment = fragment;
                    unit.state = UnitState::Done;
                }
                Err(problem) => unit.state = UnitState::Failed(problem),
            }
        }
    }
}

#[cfg(test)]
mod tests;
