use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Digits of an id. With a thousand new segments a second they last longer than their readers.
const DIGITS: usize = 12;

/// A named set of rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Segment {
    /// Its id.
    pub id: SegmentId,
    /// For people.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether all rules must hold, or one.
    pub holds: RuleMatch,
    /// What is asked of a contact.
    pub rules: Vec<Rule>,
    /// One more with every change.
    pub revision: u32,
}

/// Whether all rules must hold, or one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RuleMatch {
    /// All of them.
    #[default]
    All,
    /// At least one.
    Any,
}

/// One question about a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// What is looked at, such as `country` or `orders.total_cents`.
    #[schemars(length(min = 1, max = 128))]
    pub field: String,
    /// How it is compared.
    pub operator: Comparison,
    /// With what; left out for `is_set`.
    #[schemars(length(max = 512))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// How a field is compared with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Comparison {
    /// It is the value.
    Equals,
    /// It is not.
    NotEquals,
    /// It has the value in it.
    Contains,
    /// It is more.
    GreaterThan,
    /// It is less.
    LessThan,
    /// It is there at all.
    IsSet,
}

impl Rule {
    /// Why the rule asks nothing, where it does.
    pub(crate) fn complaint(&self) -> Option<&'static str> {
        match (self.operator, &self.value) {
            (Comparison::IsSet, Some(_)) => Some("a rule with is_set takes no value"),
            (Comparison::IsSet, None) => None,
            (_, None) => Some("a rule needs a value, unless its operator is is_set"),
            (_, Some(_)) => None,
        }
    }
}

/// `seg_` and twelve digits. Ids are counted, so they sort by age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct SegmentId(u64);

impl SegmentId {
    /// The id of the segment with this number; `None` where the digits end.
    pub(crate) fn numbered(number: u64) -> Option<Self> {
        (number < 10_u64.pow(DIGITS as u32)).then_some(Self(number))
    }
}

impl TryFrom<String> for SegmentId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.strip_prefix("seg_")
            .filter(|digits| {
                digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())
            })
            .and_then(|digits| digits.parse().ok())
            .map(Self)
            .ok_or("a segment id is seg_ and twelve digits")
    }
}

impl From<SegmentId> for String {
    fn from(id: SegmentId) -> Self {
        id.to_string()
    }
}

impl std::fmt::Display for SegmentId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "seg_{:0DIGITS$}", self.0)
    }
}

impl JsonSchema for SegmentId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "SegmentId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^seg_[0-9]{12}$" })
    }
}
