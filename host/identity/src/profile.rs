//! What the tokens of well-known identity providers look like.

use crate::{AcceptedType, ClaimPointer, ClaimRule, ClaimTest, MissingSubjectRule};

/// An identity provider whose tokens' form is known: the short form of the rules in its
/// [`ProviderRules`]. What a configuration says of a part counts in place of the profile's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of products")]
pub enum ProviderProfile {
    Auth0,
    EntraV1,
    EntraV2,
    Okta,
    Cognito,
    Keycloak,
    Google,
    Ping,
    Duende,
    Spring,
    Clerk,
    Workos,
    Sap,
    /// Any provider that follows RFC 9068.
    Rfc9068,
}

/// The parts of a profile. What is looked for of every issuer is not among them: see the pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRules {
    /// Where the tenant is, for an issuer whose tokens have it at one place.
    pub tenant_claim: Option<&'static str>,
    /// Where the audience is.
    pub audience_claims: Vec<ClaimPointer>,
    /// Signs of a machine.
    pub machine: Vec<ClaimRule>,
    /// Signs of an ID token.
    pub id_token: Vec<ClaimRule>,
    /// What `typ` is accepted.
    pub typ: AcceptedType,
    /// What becomes of a token without a subject.
    pub without_subject: MissingSubjectRule,
}

impl ProviderProfile {
    /// Every profile.
    pub const ALL: [Self; 14] = [
        Self::Auth0,
        Self::EntraV1,
        Self::EntraV2,
        Self::Okta,
        Self::Cognito,
        Self::Keycloak,
        Self::Google,
        Self::Ping,
        Self::Duende,
        Self::Spring,
        Self::Clerk,
        Self::Workos,
        Self::Sap,
        Self::Rfc9068,
    ];

    /// Its name in a configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth0 => "auth0",
            Self::EntraV1 => "entra-v1",
            Self::EntraV2 => "entra-v2",
            Self::Okta => "okta",
            Self::Cognito => "cognito",
            Self::Keycloak => "keycloak",
            Self::Google => "google",
            Self::Ping => "ping",
            Self::Duende => "duende",
            Self::Spring => "spring",
            Self::Clerk => "clerk",
            Self::Workos => "workos",
            Self::Sap => "sap",
            Self::Rfc9068 => "rfc9068",
        }
    }

    /// The profile of exactly this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.as_str() == name)
    }

    /// What it stands for.
    #[must_use]
    pub fn rules(self) -> ProviderRules {
        use ClaimTest::{Absent, DiffersFrom, Equals, Prefix, Present};
        let none = ProviderRules {
            tenant_claim: None,
            audience_claims: pointers(&["/aud"]),
            machine: vec![],
            id_token: vec![],
            typ: AcceptedType::Usual,
            without_subject: MissingSubjectRule::Refused,
        };
        match self {
            Self::Auth0 => ProviderRules {
                tenant_claim: Some("/org_id"),
                machine: vec![rule(&["/gty"], Equals("client-credentials".to_owned()))],
                id_token: vec![rule(&["/azp", "/client_id"], Absent)],
                ..none
            },
            Self::EntraV1 => ProviderRules {
                tenant_claim: Some("/tid"),
                machine: vec![rule(&["/scp"], Absent)],
                id_token: vec![rule(&["/appid"], Absent)],
                ..none
            },
            Self::EntraV2 => ProviderRules {
                tenant_claim: Some("/tid"),
                machine: vec![rule(&["/scp"], Absent)],
                id_token: vec![rule(&["/azp"], Absent)],
                ..none
            },
            Self::Okta => ProviderRules {
                machine: vec![rule(&["/uid"], Absent)],
                id_token: vec![rule(&["/cid"], Absent)],
                ..none
            },
            Self::Cognito => ProviderRules {
                audience_claims: pointers(&["/aud", "/client_id"]),
                machine: vec![rule(&["/username"], Absent)],
                id_token: vec![rule(&["/token_use"], Absent)],
                ..none
            },
            Self::Keycloak => ProviderRules {
                tenant_claim: Some("/organization"),
                machine: vec![
                    rule(
                        &["/preferred_username"],
                        Prefix("service-account-".to_owned()),
                    ),
                    rule(&["/client_id", "/clientId"], Present),
                    // A lightweight token of a service account: it has neither a session nor a
                    // name.
                    rule(&["/sid", "/session_state", "/preferred_username"], Absent),
                ],
                id_token: vec![rule(&["/typ"], Absent)],
                ..none
            },
            // Google signs no access tokens for others: what a person has is an ID token, and a
            // service account's is one too, with the account in both claims.
            Self::Google => ProviderRules {
                tenant_claim: Some("/hd"),
                id_token: vec![rule(&["/sub"], DiffersFrom(pointer("/azp")))],
                ..none
            },
            Self::Ping => ProviderRules {
                tenant_claim: Some("/org"),
                id_token: vec![rule(&["/client_id"], Absent)],
                without_subject: MissingSubjectRule::Machine,
                ..none
            },
            Self::Duende => ProviderRules {
                typ: AcceptedType::AccessTokenOnly,
                without_subject: MissingSubjectRule::Machine,
                ..none
            },
            Self::Spring => ProviderRules {
                id_token: vec![rule(&["/scope"], Absent)],
                ..none
            },
            Self::Clerk => ProviderRules {
                tenant_claim: Some("/o/id"),
                audience_claims: pointers(&["/aud", "/azp"]),
                id_token: vec![rule(&["/sid", "/client_id", "/scopes"], Absent)],
                ..none
            },
            Self::Workos => ProviderRules {
                tenant_claim: Some("/org_id"),
                audience_claims: pointers(&["/aud", "/client_id"]),
                machine: vec![rule(&["/sub"], Prefix("client_".to_owned()))],
                id_token: vec![rule(&["/sid", "/client_id"], Absent)],
                ..none
            },
            Self::Sap => ProviderRules {
                tenant_claim: Some("/zid"),
                machine: vec![rule(&["/user_id", "/user_uuid"], Absent)],
                id_token: vec![rule(&["/scope"], Equals("openid".to_owned()))],
                ..none
            },
            Self::Rfc9068 => ProviderRules {
                id_token: vec![rule(&["/client_id"], Absent)],
                typ: AcceptedType::AccessTokenOnly,
                ..none
            },
        }
    }
}

fn rule(claims: &[&str], test: ClaimTest) -> ClaimRule {
    ClaimRule {
        claims: pointers(claims),
        test,
    }
}

fn pointers(texts: &[&str]) -> Vec<ClaimPointer> {
    texts.iter().map(|text| pointer(text)).collect()
}

/// Of a text of this file, which a test reads.
fn pointer(text: &str) -> ClaimPointer {
    ClaimPointer::of_members(text.trim_start_matches('/').split('/'))
}
