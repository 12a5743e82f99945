//! The shape of `[[issuers]]`, as serde reads it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerTable {
    pub(super) issuer: Spanned<String>,
    /// The provider whose tokens it has.
    pub(super) profile: Option<Spanned<String>>,
    pub(super) audience: Audience,
    pub(super) audience_claim: Option<Spanned<OneOrSeveral>>,
    pub(super) jwks_url: Option<Spanned<String>>,
    pub(super) jwks_file: Option<Spanned<String>>,
    pub(super) discovery: Option<Spanned<bool>>,
    pub(super) algorithms: Option<Vec<Spanned<String>>>,
    pub(super) tenants: Option<Spanned<NamedTenantsValue>>,
    pub(super) tenant_claim: Option<Spanned<String>>,
    pub(super) tenant_member: Option<Spanned<String>>,
    pub(super) subject_claim: Option<Spanned<String>>,
    /// `machine` or `refuse`.
    pub(super) without_subject: Option<Spanned<String>>,
    pub(super) role_claim: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) may_grant: Vec<Spanned<String>>,
    pub(super) machine: Option<Spanned<ClaimRules>>,
    pub(super) id_token: Option<Spanned<ClaimRules>>,
    #[serde(default)]
    pub(super) scopes: Vec<String>,
    pub(super) typ: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) allow_http: bool,
    #[serde(default)]
    pub(super) allow_loopback: bool,
    #[serde(default)]
    pub(super) allow_private: bool,
    pub(super) introspection: Option<Spanned<IntrospectionTable>>,
    pub(super) may_provision: Option<Spanned<bool>>,
    /// Tenants a minute.
    pub(super) provision_rate: Option<Spanned<u32>>,
}

/// Which tenants an issuer may name: `"all"`, a list of ids, or a table of one member.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "\"all\", a list of tenants, or a table with one of prefix, below and keys"
)]
pub(super) enum NamedTenantsValue {
    All(String),
    Listed(Vec<String>),
    Some(TenantsTable),
}

/// Exactly one of the three.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantsTable {
    pub(super) prefix: Option<String>,
    pub(super) below: Option<String>,
    /// Values of the tenant claim and the tenants that they stand for.
    pub(super) keys: Option<BTreeMap<String, String>>,
}

/// Where an issuer says what its opaque tokens mean.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IntrospectionTable {
    pub(super) url: Spanned<String>,
    pub(super) client_id: Spanned<String>,
    pub(super) client_secret_file: Option<Spanned<String>>,
    pub(super) client_secret_env: Option<Spanned<String>>,
    /// Seconds.
    pub(super) timeout: Option<Spanned<u64>>,
    #[serde(default)]
    pub(super) allow_http: bool,
    #[serde(default)]
    pub(super) allow_loopback: bool,
    #[serde(default)]
    pub(super) allow_private: bool,
}

/// What a token's claims say of it: one rule or several, of which each is enough.
pub(super) struct ClaimRules(pub(super) Vec<ClaimRuleTable>);

impl<'de> Deserialize<'de> for ClaimRules {
    /// By hand, so that an unknown key of the one table is named with those that are known.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = ClaimRules;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table { claim, … } or a list of them")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<ClaimRules, A::Error> {
                let rule = ClaimRuleTable::deserialize(MapAccessDeserializer::new(members))?;
                Ok(ClaimRules(vec![rule]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<ClaimRules, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(items)).map(ClaimRules)
            }
        }

        deserializer.deserialize_any(OneOrMore)
    }
}

/// A claim, or several, and exactly one test.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimRuleTable {
    pub(super) claim: OneOrSeveral,
    pub(super) equals: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) suffix: Option<String>,
    /// Another claim.
    pub(super) same_as: Option<String>,
    /// Another claim.
    pub(super) differs_from: Option<String>,
    pub(super) present: Option<bool>,
    pub(super) absent: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a string or a list of strings")]
pub(super) enum OneOrSeveral {
    One(String),
    Several(Vec<String>),
}

impl OneOrSeveral {
    pub(super) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a string or a list of strings")]
pub(super) enum Audience {
    One(String),
    Several(Vec<String>),
}
