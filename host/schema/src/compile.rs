//! From the text of a schema to its nodes. Each subschema becomes one node, however often it is
//! referred to, so a schema takes as much memory as it has bytes; and a list of what is still to be
//! read stands in for the stack.

use std::collections::{HashMap, VecDeque};

use serde_json::{Map, Value};

use crate::error::SchemaError;
use crate::keyword::{Node, NodeId};
use crate::read::KeywordReader;

/// Subschemas of one schema. The largest of 1,222 in GitHub's description has 4,000.
const MAX_NODES: usize = 100_000;

/// Memory of all patterns of a schema, in bytes.
const MAX_PATTERNS: usize = 8 << 20;

/// What becomes of a pattern that no linear engine takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patterns {
    /// The schema is refused: its author reads the message.
    Demanded,
    /// It is left out: the schema is of a system whose own check goes on to hold.
    Lenient,
}

/// What is read of a schema so far.
pub(crate) struct SchemaCompiler<'s> {
    root: &'s Value,
    pub(crate) patterns: Patterns,
    anchors: HashMap<&'s str, &'s Value>,
    ids: HashMap<*const Value, NodeId>,
    waiting: VecDeque<(NodeId, &'s Value)>,
    nodes: Vec<Node>,
    memory: usize,
}

pub(crate) fn compile(root: &Value, patterns: Patterns) -> Result<Vec<Node>, SchemaError> {
    let mut compiler = SchemaCompiler {
        root,
        patterns,
        anchors: HashMap::new(),
        ids: HashMap::new(),
        waiting: VecDeque::new(),
        nodes: Vec::new(),
        memory: 0,
    };
    compiler.find_anchors(root);
    compiler.node(root)?;
    while let Some((id, schema)) = compiler.waiting.pop_front() {
        let node = match schema {
            Value::Bool(true) => Node::default(),
            Value::Bool(false) => KeywordReader::never(),
            Value::Object(members) => {
                if members.get("$id").is_some_and(Value::is_string) && !std::ptr::eq(schema, root) {
                    return Err(SchemaError::Identifier);
                }
                KeywordReader::new(&mut compiler, members).read()?
            }
            _ => {
                return Err(SchemaError::Keyword {
                    keyword: "subschema",
                    expected: "an object or a boolean",
                });
            }
        };
        if let Some(place) = compiler.nodes.get_mut(id) {
            place.keywords = node.keywords;
            place.collects = node.collects;
        }
    }
    Ok(compiler.nodes)
}

impl<'s> SchemaCompiler<'s> {
    /// The node of a subschema, which is read later where it is new.
    pub(crate) fn node(&mut self, schema: &'s Value) -> Result<NodeId, SchemaError> {
        if let Some(known) = self.ids.get(&std::ptr::from_ref(schema)) {
            return Ok(*known);
        }
        let id = self.nodes.len();
        if id >= MAX_NODES {
            return Err(SchemaError::Subschemas(MAX_NODES));
        }
        self.nodes.push(Node::default());
        self.ids.insert(std::ptr::from_ref(schema), id);
        self.waiting.push_back((id, schema));
        Ok(id)
    }

    /// The node that a reference means.
    pub(crate) fn target(&mut self, reference: &str) -> Result<NodeId, SchemaError> {
        let unknown = || SchemaError::Reference(quote(reference));
        let fragment = reference.strip_prefix('#').ok_or_else(unknown)?;
        let decoded = percent_encoding::percent_decode_str(fragment).decode_utf8();
        let fragment = decoded.map_err(|_| unknown())?;
        let anchored = || self.anchors.get(&*fragment).copied();
        let target = self
            .root
            .pointer(&fragment)
            .or_else(anchored)
            .ok_or_else(unknown)?;
        let id = self.node(target)?;
        if let Some(node) = self.nodes.get_mut(id) {
            node.is_referenced = true;
        }
        Ok(id)
    }

    /// Counts the memory of one more pattern.
    pub(crate) fn count_pattern(&mut self, bytes: usize) -> Result<(), SchemaError> {
        self.memory = self.memory.saturating_add(bytes);
        match self.memory > MAX_PATTERNS {
            true => Err(SchemaError::Patterns(MAX_PATTERNS)),
            false => Ok(()),
        }
    }

    fn find_anchors(&mut self, value: &'s Value) {
        let mut waiting = vec![value];
        while let Some(value) = waiting.pop() {
            match value {
                Value::Array(items) => waiting.extend(items),
                Value::Object(members) => {
                    self.note_anchors(value, members);
                    waiting.extend(members.values());
                }
                _ => {}
            }
        }
    }

    fn note_anchors(&mut self, value: &'s Value, members: &'s Map<String, Value>) {
        for key in ["$anchor", "$dynamicAnchor"] {
            if let Some(name) = members.get(key).and_then(Value::as_str) {
                self.anchors.insert(name, value);
            }
        }
    }
}

/// A text of the schema's author in a message.
pub(crate) fn quote(text: &str) -> String {
    let cut: String = text.chars().take(80).collect();
    format!("{cut:?}")
}
