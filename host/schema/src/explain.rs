//! Where a value does not fit, and why: the first misfit, found by going down from the whole, one
//! keyword at a time. It takes from the same budget, and its texts have at most [`MAX_PLACE`] and a
//! few hundred bytes, however long the names and texts are.

use serde_json::Value;
use toolhost_policy::WorkLimit;

use crate::bits::EvaluatedChildren;
use crate::evaluate::{Evaluation, Instance};
use crate::keyword::{Keyword, Node, NodeId, Properties};
use crate::leaf::is_of;
use crate::message::{MAX_NAME, unexpected_message};

/// A JSON pointer ends here; what is deeper is found by looking.
const MAX_PLACE: usize = 400;

/// How many subschemas of one value are followed; schemas that refer to each other in a circle have
/// no first cause.
const MAX_IN_PLACE: usize = 256;

/// How far a reference is followed to a tag.
const MAX_HOPS: usize = 8;

/// The first misfit of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// What is demanded there. It repeats names, and never a value.
    pub message: String,
    /// A JSON pointer; empty: the whole.
    pub place: String,
    /// Whether the pointer leads to that very value: names in it are cut, and what could act on a
    /// terminal is left out, so that it may lead to another one.
    pub is_exact: bool,
}

/// What is wrong with a value by one keyword.
enum Cause<'v> {
    /// This, and nothing below it.
    Here(String),
    /// The value does not fit this node.
    Within(NodeId),
    /// A child does not fit.
    Below(NodeId, PathStep<'v>, Instance<'v>),
}

enum PathStep<'v> {
    Member(&'v str),
    Item(usize),
    /// The name of a member, which has no place of its own.
    Name,
}

impl<'s> Evaluation<'s, '_> {
    /// Why a value that does not fit a node does not.
    pub(crate) fn find_misfit(&mut self, id: NodeId, instance: Instance<'_>) -> Misfit {
        let (mut id, mut instance) = (id, instance);
        let (mut place, mut hops, mut is_exact) = (String::new(), 0, true);
        loop {
            let message = match self.cause(id, instance) {
                Ok(Some(Cause::Within(node))) if hops < MAX_IN_PLACE => {
                    id = node;
                    hops += 1;
                    continue;
                }
                Ok(Some(Cause::Below(node, step, child))) => {
                    (id, instance, hops) = (node, child, 0);
                    is_exact &= push_step(&mut place, &step);
                    continue;
                }
                Ok(Some(Cause::Here(message))) => message,
                // The place so far is right all the same.
                Ok(Some(Cause::Within(_)) | None) | Err(_) => "value does not fit".to_owned(),
            };
            return Misfit {
                message,
                place,
                is_exact,
            };
        }
    }

    fn cause<'v>(
        &mut self,
        id: NodeId,
        instance: Instance<'v>,
    ) -> Result<Option<Cause<'v>>, WorkLimit> {
        self.budget.charge(1)?;
        let Some(node) = self.nodes.get(id) else {
            return Ok(None);
        };
        let mut own = EvaluatedChildren::default();
        for keyword in &node.keywords {
            // What was evaluated before the keyword that asks for it.
            let before = own.clone();
            self.budget.charge(before.len() as u64)?;
            let out = node.collects.then_some(&mut own);
            if !self.keyword(keyword, instance, out)? {
                return self.of_keyword(keyword, instance, &before).map(Some);
            }
        }
        Ok(None)
    }

    fn of_keyword<'v>(
        &mut self,
        keyword: &'s Keyword,
        instance: Instance<'v>,
        before: &EvaluatedChildren,
    ) -> Result<Cause<'v>, WorkLimit> {
        let members = || instance.members().into_iter().flatten();
        let items = || instance.items().into_iter().flatten().enumerate();
        match keyword {
            Keyword::Properties(properties) => self.of_properties(properties, instance),
            Keyword::PropertyNames(node) => {
                for (name, _) in members() {
                    let name = Instance::Name(name);
                    if !self.fits(*node, name, None)? {
                        return Ok(Cause::Below(*node, PathStep::Name, name));
                    }
                }
                Ok(unclear_cause())
            }
            Keyword::Items { prefix, rest } => {
                for (at, item) in items() {
                    let Some(node) = prefix.get(at).or(rest.as_ref()) else {
                        break;
                    };
                    if !self.fits(*node, Instance::Value(item), None)? {
                        return Ok(Cause::Below(
                            *node,
                            PathStep::Item(at),
                            Instance::Value(item),
                        ));
                    }
                }
                Ok(unclear_cause())
            }
            Keyword::UnevaluatedItems(node) => {
                for (at, item) in items() {
                    self.budget.charge(1)?;
                    if !before.has(at) && !self.fits(*node, Instance::Value(item), None)? {
                        return Ok(self.unexpected_cause(
                            "items",
                            &at.to_string(),
                            *node,
                            PathStep::Item(at),
                            item,
                        ));
                    }
                }
                Ok(unclear_cause())
            }
            Keyword::UnevaluatedProperties(node) => {
                for (at, (name, member)) in members().enumerate() {
                    self.budget.charge(1)?;
                    if !before.has(at) && !self.fits(*node, Instance::Value(member), None)? {
                        let step = PathStep::Member(name);
                        return Ok(self.unexpected_cause("properties", name, *node, step, member));
                    }
                }
                Ok(unclear_cause())
            }
            Keyword::Ref(node) => Ok(Cause::Within(*node)),
            Keyword::AllOf(nodes) => {
                for node in nodes {
                    if !self.fits(*node, instance, None)? {
                        return Ok(Cause::Within(*node));
                    }
                }
                Ok(unclear_cause())
            }
            Keyword::If {
                then, otherwise, ..
            } => {
                for node in [then, otherwise].into_iter().flatten() {
                    if !self.fits(*node, instance, None)? {
                        return Ok(Cause::Within(*node));
                    }
                }
                Ok(unclear_cause())
            }
            Keyword::DependentSchemas(dependent) => {
                for (name, node) in dependent {
                    let has = instance
                        .members()
                        .is_some_and(|members| members.contains_key(name));
                    if has && !self.fits(*node, instance, None)? {
                        return Ok(Cause::Within(*node));
                    }
                }
                Ok(unclear_cause())
            }
            Keyword::AnyOf(nodes) => self.of_alternatives(nodes, instance, false),
            Keyword::OneOf(nodes) => self.of_alternatives(nodes, instance, true),
            other => self.of_leaf(other, instance).map(Cause::Here),
        }
    }

    fn of_properties<'v>(
        &mut self,
        own: &'s Properties,
        instance: Instance<'v>,
    ) -> Result<Cause<'v>, WorkLimit> {
        for (name, member) in instance.members().into_iter().flatten() {
            let value = Instance::Value(member);
            let mut is_known = false;
            let mut nodes: Vec<NodeId> = own.named.get(name).copied().into_iter().collect();
            for (pattern, node) in &own.patterns {
                if pattern.is_match(name, &mut self.caches, self.budget)? {
                    nodes.push(*node);
                }
            }
            for node in nodes {
                is_known = true;
                if !self.fits(node, value, None)? {
                    return Ok(Cause::Below(node, PathStep::Member(name), value));
                }
            }
            if let (false, Some(rest)) = (is_known, own.rest)
                && !self.fits(rest, value, None)?
            {
                return Ok(match own.is_closed {
                    true => Cause::Here(unexpected_message("Additional properties", name)),
                    false => Cause::Below(rest, PathStep::Member(name), value),
                });
            }
        }
        Ok(unclear_cause())
    }

    fn unexpected_cause<'v>(
        &self,
        what: &str,
        name: &str,
        node: NodeId,
        step: PathStep<'v>,
        child: &'v Value,
    ) -> Cause<'v> {
        let keywords = self.nodes.get(node).map(|node| node.keywords.as_slice());
        match keywords {
            Some([Keyword::Never]) => {
                Cause::Here(unexpected_message(&format!("Unevaluated {what}"), name))
            }
            _ => Cause::Below(node, step, Instance::Value(child)),
        }
    }

    /// The alternative that the value was meant to be, where its tags tell; else that it is none of
    /// them.
    fn of_alternatives<'v>(
        &mut self,
        nodes: &'s [NodeId],
        instance: Instance<'v>,
        is_exclusive: bool,
    ) -> Result<Cause<'v>, WorkLimit> {
        let mut best: Option<(usize, NodeId)> = None;
        let mut is_tied = false;
        for node in nodes {
            if is_exclusive && self.fits(*node, instance, None)? {
                let message =
                    "value fits more than one of the alternatives, of which it may fit one";
                return Ok(Cause::Here(message.to_owned()));
            }
            let Some(tags) = self.tags(*node, instance)? else {
                continue;
            };
            match best {
                Some((most, _)) if tags < most => {}
                Some((most, _)) if tags == most => is_tied = true,
                _ => {
                    best = Some((tags, *node));
                    is_tied = false;
                }
            }
        }
        match best {
            Some((_, node)) if !is_tied => Ok(Cause::Within(node)),
            _ => {
                let count = nodes.len();
                Ok(Cause::Here(format!(
                    "value does not fit any of the {count} alternatives"
                )))
            }
        }
    }

    /// How many tags of an alternative, members with one or a few fixed values, the value has;
    /// `None` where one differs or the value is of another type.
    fn tags(&mut self, id: NodeId, instance: Instance<'_>) -> Result<Option<usize>, WorkLimit> {
        let mut count = 0;
        let mut waiting = vec![(id, 0)];
        while let Some((id, hops)) = waiting.pop() {
            let Some(node) = self.nodes.get(id) else {
                continue;
            };
            for keyword in &node.keywords {
                self.budget.charge(1)?;
                match keyword {
                    Keyword::Never => return Ok(None),
                    Keyword::Type(types) if !is_of(*types, instance) => return Ok(None),
                    Keyword::Const(_) | Keyword::Enum(_) => {
                        match self.keyword(keyword, instance, None)? {
                            true => count += 1,
                            false => return Ok(None),
                        }
                    }
                    Keyword::Ref(target) if hops < MAX_HOPS => waiting.push((*target, hops + 1)),
                    Keyword::AllOf(nodes) if hops < MAX_HOPS => {
                        waiting.extend(nodes.iter().map(|node| (*node, hops + 1)));
                    }
                    Keyword::Properties(own) => {
                        for (name, node) in &own.named {
                            self.budget.charge(1)?;
                            let member = instance.members().and_then(|members| members.get(name));
                            let Some(member) = member.map(Instance::Value) else {
                                continue;
                            };
                            match self.tag(*node, member)? {
                                Some(true) => count += 1,
                                Some(false) => return Ok(None),
                                None => {}
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(Some(count))
    }

    /// Whether a member is as a tag has it; `None` where it is no tag.
    fn tag(&mut self, id: NodeId, member: Instance<'_>) -> Result<Option<bool>, WorkLimit> {
        let nodes: &'s [Node] = self.nodes;
        let Some(node) = nodes.get(id) else {
            return Ok(None);
        };
        for keyword in &node.keywords {
            if matches!(keyword, Keyword::Const(_) | Keyword::Enum(_)) {
                return self.keyword(keyword, member, None).map(Some);
            }
        }
        Ok(None)
    }
}

fn unclear_cause<'v>() -> Cause<'v> {
    Cause::Here("value does not fit".to_owned())
}

/// Whether the pointer leads to where the step leads.
fn push_step(place: &mut String, step: &PathStep<'_>) -> bool {
    if place.len() > MAX_PLACE {
        return false;
    }
    match step {
        PathStep::Member(name) => {
            let shown: String = name
                .chars()
                .take(MAX_NAME)
                .filter(|c| !c.is_control())
                .collect();
            place.push('/');
            place.push_str(&shown.replace('~', "~0").replace('/', "~1"));
            shown == *name
        }
        PathStep::Item(at) => {
            place.push('/');
            place.push_str(&at.to_string());
            true
        }
        PathStep::Name => false,
    }
}
