use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An argument, read one level deep. What lies deeper stays JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shaped {
    Null,
    /// A text, a number as it was written, `true` or `false`.
    Scalar(String),
    List(Vec<String>),
    Object(Vec<(String, String)>),
}

/// Reads an argument. Members that are `null` are not there.
pub(super) fn shaped(raw: &RawValue) -> Shaped {
    let text = raw.get().trim_start();
    match text.as_bytes().first() {
        Some(b'n') => Shaped::Null,
        Some(b'[') => Shaped::List(items(raw).iter().filter_map(|item| scalar(item)).collect()),
        Some(b'{') => {
            let members = members(raw);
            let told = members
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), scalar(value)?)));
            Shaped::Object(told.collect())
        }
        _ => Shaped::Scalar(scalar(raw).unwrap_or_default()),
    }
}

/// The text of a value; of a list or an object its JSON; of `null` nothing.
pub(super) fn scalar(raw: &RawValue) -> Option<String> {
    let text = raw.get().trim();
    match text.as_bytes().first() {
        Some(b'n') => None,
        Some(b'"') => Some(serde_json::from_str(text).unwrap_or_default()),
        _ => Some(text.to_owned()),
    }
}

/// The items of a list; none where it is none.
pub(super) fn items(raw: &RawValue) -> Vec<Box<RawValue>> {
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// The members of an object, in their order.
pub(super) fn members(raw: &RawValue) -> Vec<(String, Box<RawValue>)> {
    serde_json::from_str(raw.get())
        .map(|Members(members)| members)
        .unwrap_or_default()
}

struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}
