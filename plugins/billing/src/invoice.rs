use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Longer ids are nobody's.
const MAX_ID: usize = 64;

/// An invoice, as far as a model needs to know it. What else the billing system says is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Invoice {
    /// Its id.
    pub id: String,
    /// Who is to pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// What is to be paid, in cents.
    pub amount_cents: i64,
    /// What was paid back, in cents.
    #[serde(default)]
    pub refunded_cents: i64,
    /// ISO 4217, such as EUR.
    pub currency: String,
    /// Such as open, paid or void.
    pub status: String,
    /// The day it was issued, such as 2026-01-31.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued: Option<String>,
}

/// An id in the grammar of the billing system: it fits a path, a header and a log as it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct InvoiceId(String);

impl TryFrom<String> for InvoiceId {
    type Error = &'static str;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        let plain = id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if plain && (1..=MAX_ID).contains(&id.len()) {
            return Ok(Self(id));
        }
        Err("an invoice id is 1 to 64 letters, digits, _ or -")
    }
}

impl std::fmt::Display for InvoiceId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl JsonSchema for InvoiceId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "InvoiceId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$" })
    }
}
