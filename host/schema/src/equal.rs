//! Equality of JSON values as JSON Schema has it: numbers by their value, members in any order.
//! Every value looked at is charged for.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use serde_json::Value;
use toolhost_policy::{WorkBudget, WorkLimit};

use crate::number::{self, ExactNumber};

/// Whether two values are the same.
pub(crate) fn is_equal(a: &Value, b: &Value, budget: &mut WorkBudget) -> Result<bool, WorkLimit> {
    budget.charge(1)?;
    Ok(match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Number(a), Value::Number(b)) => number::compare(a, b).is_eq(),
        (Value::String(a), Value::String(b)) => {
            budget.charge_bytes(a.len().min(b.len()))?;
            a == b
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (a, b) in a.iter().zip(b) {
                if !is_equal(a, b, budget)? {
                    return Ok(false);
                }
            }
            true
        }
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            for (name, a) in a {
                budget.charge_bytes(name.len())?;
                match b.get(name) {
                    Some(b) if is_equal(a, b, budget)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        _ => false,
    })
}

/// A hash that equal values share, keyed so that nobody outside can make others share it.
pub(crate) fn hash(
    value: &Value,
    keys: &RandomState,
    budget: &mut WorkBudget,
) -> Result<u64, WorkLimit> {
    budget.charge(1)?;
    let mut hasher = keys.build_hasher();
    match value {
        Value::Null => 0_u8.hash(&mut hasher),
        Value::Bool(is) => (1_u8, is).hash(&mut hasher),
        Value::Number(number) => match number::exact(number) {
            ExactNumber::Integer(integer) => (2_u8, integer).hash(&mut hasher),
            ExactNumber::Float(float) => (3_u8, float.to_bits()).hash(&mut hasher),
        },
        Value::String(text) => {
            budget.charge_bytes(text.len())?;
            (4_u8, text).hash(&mut hasher);
        }
        Value::Array(items) => {
            (5_u8, items.len()).hash(&mut hasher);
            for item in items {
                hash(item, keys, budget)?.hash(&mut hasher);
            }
        }
        Value::Object(members) => {
            // In no order: their hashes are added up.
            let mut sum = 0_u64;
            for (name, member) in members {
                budget.charge_bytes(name.len())?;
                let member = hash(member, keys, budget)?;
                sum = sum.wrapping_add(keys.hash_one((name, member)));
            }
            (6_u8, members.len(), sum).hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}

/// Steps of one more value among those that were seen: a place for it, and the memory.
const A_PLACE: u64 = 16;

/// Whether no value stands twice. It takes as many steps as the values have parts, and not their
/// square.
pub(crate) fn all_differ(items: &[Value], budget: &mut WorkBudget) -> Result<bool, WorkLimit> {
    let keys = RandomState::new();
    let mut seen: HashMap<u64, Vec<&Value>> = HashMap::new();
    for item in items {
        budget.charge(A_PLACE)?;
        let same_hash = seen.entry(hash(item, &keys, budget)?).or_default();
        for other in same_hash.iter() {
            if is_equal(item, other, budget)? {
                return Ok(false);
            }
        }
        same_hash.push(item);
    }
    Ok(true)
}

/// The values of an `enum`, found by their hash.
#[derive(Debug)]
pub(crate) struct EnumValues {
    keys: RandomState,
    by_hash: HashMap<u64, Vec<Value>>,
    /// For messages: the first of them as JSON, in their order.
    shown: String,
}

/// How much of an `enum` is told, in bytes.
const MAX_SHOWN: usize = 200;

impl EnumValues {
    pub(crate) fn new(values: &[Value]) -> Self {
        let keys = RandomState::new();
        // The schema's length bounds it.
        let mut budget = WorkBudget::new(u64::MAX, 0);
        let mut by_hash: HashMap<u64, Vec<Value>> = HashMap::new();
        let mut shown = String::new();
        for (at, value) in values.iter().enumerate() {
            let text = value.to_string();
            match shown.len() + text.len() <= MAX_SHOWN {
                true if at == 0 => shown = text,
                true => shown = format!("{shown}, {text}"),
                false if !shown.ends_with('…') => shown.push_str(" …"),
                false => {}
            }
            if let Ok(hash) = hash(value, &keys, &mut budget) {
                by_hash.entry(hash).or_default().push(value.clone());
            }
        }
        Self {
            keys,
            by_hash,
            shown,
        }
    }

    pub(crate) fn display(&self) -> &str {
        &self.shown
    }

    pub(crate) fn has(&self, value: &Value, budget: &mut WorkBudget) -> Result<bool, WorkLimit> {
        let hash = hash(value, &self.keys, budget)?;
        for choice in self.by_hash.get(&hash).into_iter().flatten() {
            if is_equal(choice, value, budget)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
