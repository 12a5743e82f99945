//! Whether a value fits a node. One walk says it, and which children were evaluated.
//!
//! Its bound holds by construction. A schema without references is a tree, and the walk comes to
//! each of its nodes at most once for one value. With references it comes to a node on several
//! ways; the verdict of a node that a reference leads to is remembered for each value. So it takes
//! at most as many steps as the schema has nodes times those the value has, whatever doubles
//! itself; and the budget cuts what is still too much.

use std::collections::HashMap;

use serde_json::{Map, Value};
use toolhost_policy::{WorkBudget, WorkLimit};

use crate::bits::EvaluatedChildren;
use crate::keyword::{Keyword, Node, NodeId, Properties};
use crate::pattern::SearchCaches;

/// Verdicts that are remembered in one check: 100 bytes each.
const MAX_VERDICTS: usize = 200_000;

/// Words of 64 children that are remembered with them.
const MAX_WORDS: usize = 1 << 20;

/// What is checked: a value, or the name of a member.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Instance<'v> {
    Value(&'v Value),
    Name(&'v str),
}

impl<'v> Instance<'v> {
    fn address(self) -> usize {
        match self {
            Self::Value(value) => std::ptr::from_ref(value).addr(),
            Self::Name(name) => name.as_ptr().addr(),
        }
    }

    pub(crate) fn text(self) -> Option<&'v str> {
        match self {
            Self::Value(Value::String(text)) => Some(text),
            Self::Name(name) => Some(name),
            Self::Value(_) => None,
        }
    }

    pub(crate) fn value(self) -> Option<&'v Value> {
        match self {
            Self::Value(value) => Some(value),
            Self::Name(_) => None,
        }
    }

    pub(crate) fn members(self) -> Option<&'v Map<String, Value>> {
        self.value().and_then(Value::as_object)
    }

    pub(crate) fn items(self) -> Option<&'v Vec<Value>> {
        self.value().and_then(Value::as_array)
    }
}

enum NodeVerdict {
    /// It is being found, inside of so many others: whoever asks again goes in a circle, which says
    /// nothing against the value.
    Open(usize),
    Found(bool, EvaluatedChildren),
}

/// One check.
pub(crate) struct Evaluation<'s, 'b> {
    pub(crate) nodes: &'s [Node],
    pub(crate) budget: &'b mut WorkBudget,
    pub(crate) caches: SearchCaches,
    verdicts: HashMap<(NodeId, usize, bool), NodeVerdict>,
    words: usize,
    /// How many verdicts are open now.
    open: usize,
    /// The outermost open verdict that was taken to be good since the innermost one was begun.
    assumed: usize,
}

pub(crate) type FitResult = Result<bool, WorkLimit>;
/// Where it is noted which children were evaluated, where somebody asks.
pub(crate) type ChildrenOut<'o> = Option<&'o mut EvaluatedChildren>;

impl<'s, 'b> Evaluation<'s, 'b> {
    pub(crate) fn new(nodes: &'s [Node], budget: &'b mut WorkBudget) -> Self {
        Self {
            nodes,
            budget,
            caches: SearchCaches::default(),
            verdicts: HashMap::new(),
            words: 0,
            open: 0,
            assumed: usize::MAX,
        }
    }

    /// Whether a value fits. What is noted in `out` counts only where it does.
    pub(crate) fn fits(
        &mut self,
        id: NodeId,
        instance: Instance<'_>,
        out: ChildrenOut<'_>,
    ) -> FitResult {
        self.budget.charge(1)?;
        let Some(node) = self.nodes.get(id) else {
            return Ok(false);
        };
        if node.keywords.is_empty() {
            return Ok(true);
        }
        self.budget.enter()?;
        let fits = match node.is_referenced {
            true => self.fits_memoised(id, node, instance, out)?,
            false => self.node(node, instance, out)?,
        };
        self.budget.leave();
        Ok(fits)
    }

    fn fits_memoised(
        &mut self,
        id: NodeId,
        node: &'s Node,
        instance: Instance<'_>,
        out: ChildrenOut<'_>,
    ) -> FitResult {
        let key = (id, instance.address(), out.is_some());
        match self.verdicts.get(&key) {
            Some(NodeVerdict::Open(depth)) => {
                self.assumed = self.assumed.min(*depth);
                return Ok(true);
            }
            Some(NodeVerdict::Found(fits, evaluated)) => {
                self.budget.charge(evaluated.len() as u64)?;
                if let (true, Some(out)) = (*fits, out) {
                    out.add(evaluated);
                }
                return Ok(*fits);
            }
            None => {}
        }
        let depth = self.open;
        let is_room = self.verdicts.len() < MAX_VERDICTS && self.words < MAX_WORDS;
        if is_room {
            self.verdicts.insert(key, NodeVerdict::Open(depth));
            self.open += 1;
        }
        let assumed_before = std::mem::replace(&mut self.assumed, usize::MAX);
        let mut own = EvaluatedChildren::default();
        let fits = self.node(node, instance, out.as_ref().map(|_| &mut own))?;
        let assumed = std::mem::replace(&mut self.assumed, assumed_before);
        // What rests on an outer verdict that is not found yet holds for this once alone: that one
        // may still be "no".
        let rests_on_outer = assumed < depth;
        if rests_on_outer {
            self.assumed = self.assumed.min(assumed);
        }
        if let (true, Some(out)) = (fits, out) {
            self.budget.charge(own.len() as u64)?;
            out.add(&own);
        }
        if is_room {
            self.open -= 1;
            match rests_on_outer {
                true => drop(self.verdicts.remove(&key)),
                false => {
                    self.words += own.len();
                    self.verdicts.insert(key, NodeVerdict::Found(fits, own));
                }
            }
        }
        Ok(fits)
    }

    fn node(
        &mut self,
        node: &'s Node,
        instance: Instance<'_>,
        mut out: ChildrenOut<'_>,
    ) -> FitResult {
        if !node.collects {
            for keyword in &node.keywords {
                if !self.keyword(keyword, instance, out.as_deref_mut())? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        let mut own = EvaluatedChildren::default();
        for keyword in &node.keywords {
            if !self.keyword(keyword, instance, Some(&mut own))? {
                return Ok(false);
            }
        }
        if let Some(out) = out {
            self.budget.charge(own.len() as u64)?;
            out.add(&own);
        }
        Ok(true)
    }

    /// Whether a value is as one keyword demands.
    pub(crate) fn keyword(
        &mut self,
        keyword: &'s Keyword,
        instance: Instance<'_>,
        out: ChildrenOut<'_>,
    ) -> FitResult {
        match keyword {
            Keyword::Properties(properties) => match instance.members() {
                Some(members) => self.properties(properties, members, out),
                None => Ok(true),
            },
            Keyword::Items { .. } | Keyword::Contains { .. } | Keyword::UnevaluatedItems(_) => {
                match instance.items() {
                    Some(items) => self.items(keyword, items, out),
                    None => Ok(true),
                }
            }
            Keyword::PropertyNames(node) => {
                for name in instance.members().into_iter().flat_map(Map::keys) {
                    if !self.fits(*node, Instance::Name(name), None)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Keyword::UnevaluatedProperties(node) => match (instance.members(), out) {
                (Some(members), Some(out)) => self.check_unevaluated(*node, members.values(), out),
                _ => Ok(true),
            },
            Keyword::Ref(node) => self.fits(*node, instance, out),
            Keyword::AllOf(_)
            | Keyword::AnyOf(_)
            | Keyword::OneOf(_)
            | Keyword::Not(_)
            | Keyword::If { .. }
            | Keyword::DependentSchemas(_) => self.fits_in_place(keyword, instance, out),
            _ => self.fits_leaf(keyword, instance),
        }
    }

    fn fits_in_place(
        &mut self,
        keyword: &'s Keyword,
        instance: Instance<'_>,
        mut out: ChildrenOut<'_>,
    ) -> FitResult {
        match keyword {
            Keyword::AllOf(nodes) => {
                for node in nodes {
                    if !self.fits(*node, instance, out.as_deref_mut())? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Keyword::AnyOf(nodes) => {
                let mut fits = false;
                for node in nodes {
                    fits |= self.fits_isolated(*node, instance, out.as_deref_mut())?;
                    if fits && out.is_none() {
                        break;
                    }
                }
                Ok(fits)
            }
            Keyword::OneOf(nodes) => {
                let mut count = 0;
                for node in nodes {
                    count += u32::from(self.fits_isolated(*node, instance, out.as_deref_mut())?);
                    if count > 1 {
                        break;
                    }
                }
                Ok(count == 1)
            }
            Keyword::Not(node) => Ok(!self.fits(*node, instance, None)?),
            Keyword::If {
                condition,
                then,
                otherwise,
            } => {
                let holds = self.fits_isolated(*condition, instance, out.as_deref_mut())?;
                match if holds { then } else { otherwise } {
                    Some(node) => self.fits(*node, instance, out),
                    None => Ok(true),
                }
            }
            Keyword::DependentSchemas(dependent) => {
                let Some(members) = instance.members() else {
                    return Ok(true);
                };
                for (name, node) in dependent {
                    self.budget.charge(1)?;
                    if members.contains_key(name)
                        && !self.fits(*node, instance, out.as_deref_mut())?
                    {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(true),
        }
    }

    /// As [`Evaluation::fits`]; of a value that does not fit nothing is noted.
    fn fits_isolated(
        &mut self,
        id: NodeId,
        instance: Instance<'_>,
        out: ChildrenOut<'_>,
    ) -> FitResult {
        let Some(out) = out else {
            return self.fits(id, instance, None);
        };
        let mut own = EvaluatedChildren::default();
        let fits = self.fits(id, instance, Some(&mut own))?;
        if fits {
            self.budget.charge(own.len() as u64)?;
            out.add(&own);
        }
        Ok(fits)
    }

    fn properties(
        &mut self,
        own: &'s Properties,
        members: &Map<String, Value>,
        mut out: ChildrenOut<'_>,
    ) -> FitResult {
        for (at, (name, member)) in members.iter().enumerate() {
            self.budget.charge_bytes(name.len())?;
            let mut is_known = false;
            if let Some(node) = own.named.get(name) {
                is_known = true;
                if !self.fits(*node, Instance::Value(member), None)? {
                    return Ok(false);
                }
            }
            for (pattern, node) in &own.patterns {
                if pattern.is_match(name, &mut self.caches, self.budget)? {
                    is_known = true;
                    if !self.fits(*node, Instance::Value(member), None)? {
                        return Ok(false);
                    }
                }
            }
            if let (false, Some(rest)) = (is_known, own.rest) {
                is_known = true;
                if !self.fits(rest, Instance::Value(member), None)? {
                    return Ok(false);
                }
            }
            if let (true, Some(out)) = (is_known, out.as_deref_mut()) {
                out.set(at);
            }
        }
        if let (true, Some(out)) = (own.is_open, out) {
            out.set_all();
        }
        Ok(true)
    }

    fn items(
        &mut self,
        keyword: &'s Keyword,
        items: &[Value],
        mut out: ChildrenOut<'_>,
    ) -> FitResult {
        match keyword {
            Keyword::Items { prefix, rest } => {
                for (at, item) in items.iter().enumerate() {
                    let Some(node) = prefix.get(at).or(rest.as_ref()) else {
                        break;
                    };
                    if !self.fits(*node, Instance::Value(item), None)? {
                        return Ok(false);
                    }
                    if let Some(out) = out.as_deref_mut() {
                        out.set(at);
                    }
                }
                Ok(true)
            }
            Keyword::Contains { node, min, max } => {
                let mut count = 0;
                for (at, item) in items.iter().enumerate() {
                    if self.fits(*node, Instance::Value(item), None)? {
                        count += 1;
                        if let Some(out) = out.as_deref_mut() {
                            out.set(at);
                        } else if max.is_none() && count >= *min {
                            break;
                        }
                    }
                }
                Ok(count >= *min && max.is_none_or(|max| count <= max))
            }
            Keyword::UnevaluatedItems(node) => match out {
                Some(out) => self.check_unevaluated(*node, items.iter(), out),
                None => Ok(true),
            },
            _ => Ok(true),
        }
    }

    fn check_unevaluated<'v>(
        &mut self,
        node: NodeId,
        children: impl Iterator<Item = &'v Value>,
        out: &mut EvaluatedChildren,
    ) -> FitResult {
        for (at, child) in children.enumerate() {
            self.budget.charge(1)?;
            if !out.has(at) && !self.fits(node, Instance::Value(child), None)? {
                return Ok(false);
            }
        }
        out.set_all();
        Ok(true)
    }
}
