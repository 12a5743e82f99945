use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::budget::{Budget, check_depth};
use crate::problem::DocumentError;

/// Reads JSON. serde_json alone takes the last of two equal keys without a word, where who approved
/// the document may have read the first.
pub(super) fn read(text: &str) -> Result<Value, DocumentError> {
    let mut budget = Budget::new();
    let mut stopped = None;
    let mut reader = serde_json::Deserializer::from_str(text);
    // Ours is the bound, so that both formats have the same one.
    let seed = Seed {
        budget: &mut budget,
        stopped: &mut stopped,
        depth: 0,
    };
    let read = seed.deserialize(&mut reader).and_then(|value| {
        reader.end()?;
        Ok(value)
    });
    read.map_err(|error| stopped.unwrap_or_else(|| DocumentError::Json(error.to_string())))
}

struct Seed<'a> {
    budget: &'a mut Budget,
    /// serde's error holds text alone; this keeps what we stopped for.
    stopped: &'a mut Option<DocumentError>,
    depth: usize,
}

impl Seed<'_> {
    fn stop<E: Error>(&mut self, why: DocumentError) -> E {
        let error = E::custom(&why);
        self.stopped.get_or_insert(why);
        error
    }

    fn inner(&mut self) -> Seed<'_> {
        Seed {
            budget: self.budget,
            stopped: self.stopped,
            depth: self.depth + 1,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Value, D::Error> {
        let allowed = check_depth(self.depth).and_then(|()| self.budget.take(1));
        if let Err(why) = allowed {
            return Err(self.stop(why));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner())? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(self.stop(DocumentError::twice(&key)));
            }
            let value = members.next_value_seed(self.inner())?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
