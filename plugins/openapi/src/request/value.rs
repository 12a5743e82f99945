use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// An argument, read one level deep. What lies deeper stays JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ArgumentShape {
    Null,
    /// A text, a number as it was written, `true` or `false`.
    Scalar(String),
    List(Vec<String>),
    Object(Vec<(String, String)>),
}

/// Reads an argument. Members that are `null` are not there.
pub(super) fn shaped(raw: &RawValue) -> ArgumentShape {
    let text = raw.get().trim_start();
    match text.as_bytes().first() {
        Some(b'n') => ArgumentShape::Null,
        Some(b'[') => {
            ArgumentShape::List(items(raw).iter().filter_map(|item| scalar(item)).collect())
        }
        Some(b'{') => {
            let members = members(raw);
            let told = members
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), scalar(value)?)));
            ArgumentShape::Object(told.collect())
        }
        _ => ArgumentShape::Scalar(scalar(raw).unwrap_or_default()),
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
        .map(|ObjectMembers(members)| members)
        .unwrap_or_default()
}

struct ObjectMembers(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for ObjectMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = ObjectMembers;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ObjectMembers, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(ObjectMembers(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}
