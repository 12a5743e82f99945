use std::collections::BTreeMap;

use serde_json::{Number, Value};

use crate::equal::EnumValues;
use crate::pattern::Pattern;

/// The place of a subschema among those of its schema.
pub(crate) type NodeId = usize;

/// One subschema.
#[derive(Debug, Default)]
pub(crate) struct Node {
    /// In the order in which they are checked: what is cheap first, and what asks which children
    /// were evaluated last.
    pub(crate) keywords: Vec<Keyword>,
    /// A reference leads here, so that one value can come here on several ways: its verdict is
    /// remembered.
    pub(crate) is_referenced: bool,
    /// It asks which children were evaluated.
    pub(crate) collects: bool,
}

/// What a subschema demands.
#[derive(Debug)]
pub(crate) enum Keyword {
    /// The schema `false`.
    Never,
    Type(Types),
    Const(Value),
    Enum(EnumValues),
    Minimum(Number),
    Maximum(Number),
    ExclusiveMinimum(Number),
    ExclusiveMaximum(Number),
    MultipleOf(Number),
    MinLength(u64),
    MaxLength(u64),
    Pattern(Box<Pattern>, String),
    MinItems(u64),
    MaxItems(u64),
    UniqueItems,
    MinProperties(u64),
    MaxProperties(u64),
    Required(Vec<String>),
    DependentRequired(Vec<(String, Vec<String>)>),
    Properties(Properties),
    PropertyNames(NodeId),
    Items {
        prefix: Vec<NodeId>,
        rest: Option<NodeId>,
    },
    Contains {
        node: NodeId,
        min: u64,
        max: Option<u64>,
    },
    Ref(NodeId),
    AllOf(Vec<NodeId>),
    AnyOf(Vec<NodeId>),
    OneOf(Vec<NodeId>),
    Not(NodeId),
    If {
        condition: NodeId,
        then: Option<NodeId>,
        otherwise: Option<NodeId>,
    },
    DependentSchemas(Vec<(String, NodeId)>),
    UnevaluatedItems(NodeId),
    UnevaluatedProperties(NodeId),
}

/// `properties`, `patternProperties` and `additionalProperties`, which are one walk over the
/// members.
#[derive(Debug, Default)]
pub(crate) struct Properties {
    pub(crate) named: BTreeMap<String, NodeId>,
    pub(crate) patterns: Vec<(Pattern, NodeId)>,
    pub(crate) rest: Option<NodeId>,
    /// A pattern was left out, so any member may be one that it meant.
    pub(crate) is_open: bool,
    /// `rest` is the schema `false`.
    pub(crate) is_closed: bool,
}

/// A set of JSON types, a bit each.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Types(u8);

/// The types in the order of their bits.
const NAMES: [&str; 7] = [
    "null", "boolean", "string", "array", "object", "number", "integer",
];

impl Types {
    pub(crate) const NULL: u8 = 1;
    pub(crate) const BOOLEAN: u8 = 1 << 1;
    pub(crate) const STRING: u8 = 1 << 2;
    pub(crate) const ARRAY: u8 = 1 << 3;
    pub(crate) const OBJECT: u8 = 1 << 4;
    pub(crate) const NUMBER: u8 = 1 << 5;
    pub(crate) const INTEGER: u8 = 1 << 6;

    /// Whether there is such a type.
    pub(crate) fn add(&mut self, name: &str) -> bool {
        let bit = NAMES.iter().position(|known| *known == name);
        if let Some(bit) = bit {
            self.0 |= 1 << bit;
        }
        bit.is_some()
    }

    pub(crate) fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        let each = NAMES.into_iter().enumerate();
        each.filter(move |(bit, _)| self.has(1 << bit))
            .map(|(_, name)| name)
    }
}
