use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep the JSON of a token or a key set may nest. Real ones need 4; recursion is bounded well
/// below any stack.
const MAX_DEPTH: u8 = 16;

/// Why a text is not JSON that is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a json object with each member once, at most 16 deep")]
pub struct StrictJsonError;

/// A JSON text without the byte order mark that some servers put before it, which RFC 8259 section
/// 8.1 lets a reader ignore.
#[must_use]
pub fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Reads one JSON object of a document; a byte order mark before it is ignored.
///
/// # Errors
/// A member is named twice at some depth, the depth is above 16, something follows the object, or
/// it is none.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, StrictJsonError> {
    exact_object(without_bom(bytes))
}

/// Reads one JSON object. A member named twice at any depth is an error: two readers could each
/// believe another one (RFC 8725 section 2.4, RFC 7515 section 4). So is a depth above 16, and
/// anything after the object.
///
/// # Errors
/// The text is no such object.
pub(crate) fn exact_object(bytes: &[u8]) -> Result<Map<String, Value>, StrictJsonError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = StrictValue(MAX_DEPTH)
        .deserialize(&mut reader)
        .map_err(|_| StrictJsonError)?;
    reader.end().map_err(|_| StrictJsonError)?;
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(StrictJsonError),
    }
}

/// A value that may nest this much deeper.
#[derive(Clone, Copy)]
struct StrictValue(u8);

impl StrictValue {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        self.0
            .checked_sub(1)
            .map(Self)
            .ok_or_else(|| E::custom("nested too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for StrictValue {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without a doubled member")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
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

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("a member twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::object;

    #[test]
    fn a_member_twice_is_refused_at_any_depth() {
        assert!(object(br#"{"a":{"b":[{"c":1,"d":2}]}}"#).is_ok());
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":[{"c":1,"c":2}]}}"#,
            r#"{"a":1,"\u0061":2}"#,
        ] {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded_and_nothing_may_follow() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(object(nested(15).as_bytes()).is_ok());
        assert!(object(nested(16).as_bytes()).is_err());
        assert!(object(nested(8_000).as_bytes()).is_err());
        for text in [
            "{} {}",
            "{}x",
            "[]",
            "1",
            "",
            "{\"a\":1e400}",
            "{\"a\":\"\\ud800\"}",
            "{'a':1}",
        ] {
            assert!(object(text.as_bytes()).is_err(), "{text}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_err());
    }
}
