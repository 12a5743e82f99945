//! The keywords that lead to no other subschema.

use serde_json::{Map, Value};
use toolhost_policy::WorkLimit;

use crate::equal::{all_differ, is_equal};
use crate::evaluate::{Evaluation, FitResult, Instance};
use crate::keyword::{Keyword, Types};
use crate::number;

/// Steps of a division by decimal digits, for which both numbers are written down.
const A_MULTIPLE: u64 = 32;

impl Evaluation<'_, '_> {
    /// Whether a value is as a keyword demands that leads to no other subschema.
    pub(crate) fn fits_leaf(&mut self, keyword: &Keyword, instance: Instance<'_>) -> FitResult {
        let number = || instance.value().and_then(Value::as_number);
        let count =
            |is: Option<usize>, fits: &dyn Fn(u64) -> bool| is.is_none_or(|is| fits(is as u64));
        Ok(match keyword {
            Keyword::Never => false,
            Keyword::Type(types) => is_of(*types, instance),
            Keyword::Const(expected) => match instance {
                Instance::Value(value) => is_equal(value, expected, self.budget)?,
                Instance::Name(name) => expected.as_str() == Some(name),
            },
            Keyword::Enum(choices) => match instance {
                Instance::Value(value) => choices.has(value, self.budget)?,
                Instance::Name(name) => choices.has(&Value::from(name), self.budget)?,
            },
            Keyword::Minimum(bound) => {
                number().is_none_or(|own| number::compare(own, bound).is_ge())
            }
            Keyword::Maximum(bound) => {
                number().is_none_or(|own| number::compare(own, bound).is_le())
            }
            Keyword::ExclusiveMinimum(bound) => {
                number().is_none_or(|own| number::compare(own, bound).is_gt())
            }
            Keyword::ExclusiveMaximum(bound) => {
                number().is_none_or(|own| number::compare(own, bound).is_lt())
            }
            Keyword::MultipleOf(unit) => match number() {
                Some(own) => {
                    self.budget.charge(A_MULTIPLE)?;
                    number::is_multiple(own, unit)
                }
                None => true,
            },
            Keyword::MinLength(least) => self.length(instance)?.is_none_or(|is| is >= *least),
            Keyword::MaxLength(most) => self.length(instance)?.is_none_or(|is| is <= *most),
            Keyword::Pattern(pattern, _) => match instance.text() {
                Some(text) => pattern.is_match(text, &mut self.caches, self.budget)?,
                None => true,
            },
            Keyword::MinItems(least) => count(instance.items().map(Vec::len), &|is| is >= *least),
            Keyword::MaxItems(most) => count(instance.items().map(Vec::len), &|is| is <= *most),
            Keyword::MinProperties(least) => {
                count(instance.members().map(Map::len), &|is| is >= *least)
            }
            Keyword::MaxProperties(most) => {
                count(instance.members().map(Map::len), &|is| is <= *most)
            }
            Keyword::UniqueItems => match instance.items() {
                Some(items) => all_differ(items, self.budget)?,
                None => true,
            },
            Keyword::Required(names) => match instance.members() {
                Some(members) => self.first_missing(members, names)?.is_none(),
                None => true,
            },
            Keyword::DependentRequired(dependent) => {
                let Some(members) = instance.members() else {
                    return Ok(true);
                };
                for (name, names) in dependent {
                    self.budget.charge(1)?;
                    if members.contains_key(name) && self.first_missing(members, names)?.is_some() {
                        return Ok(false);
                    }
                }
                true
            }
            _ => true,
        })
    }

    /// The first of the names that an object does not have.
    pub(crate) fn first_missing<'n>(
        &mut self,
        members: &Map<String, Value>,
        names: &'n [String],
    ) -> Result<Option<&'n String>, WorkLimit> {
        self.budget.charge(names.len() as u64)?;
        Ok(names.iter().find(|name| !members.contains_key(*name)))
    }

    /// Of a text, in characters.
    fn length(&mut self, instance: Instance<'_>) -> Result<Option<u64>, WorkLimit> {
        let Some(text) = instance.text() else {
            return Ok(None);
        };
        self.budget.charge_bytes(text.len())?;
        Ok(Some(text.chars().count() as u64))
    }
}

/// Whether a value is of one of the types.
pub(crate) fn is_of(types: Types, instance: Instance<'_>) -> bool {
    let Instance::Value(value) = instance else {
        return types.has(Types::STRING);
    };
    types.has(match value {
        Value::Null => Types::NULL,
        Value::Bool(_) => Types::BOOLEAN,
        Value::String(_) => Types::STRING,
        Value::Array(_) => Types::ARRAY,
        Value::Object(_) => Types::OBJECT,
        Value::Number(number) if number::is_integer(number) => Types::NUMBER | Types::INTEGER,
        Value::Number(_) => Types::NUMBER,
    })
}
