use std::sync::Arc;

use crate::{Algorithm, ClaimPointer, ClaimRule, IssuerName, Role, TenantScope};

/// What `typ` a token's header may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AcceptedType {
    /// `JWT`, `at+jwt`, `application/at+jwt`, or none. Many identity providers do not follow RFC 9068.
    #[default]
    Usual,
    /// `at+jwt` or `application/at+jwt` alone (RFC 9068 section 4): no other kind of token of the
    /// same issuer can pass.
    AccessTokenOnly,
}

/// What becomes of a token that names no subject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MissingSubjectRule {
    /// It is a machine's where it names its client, which is its subject then (Duende, PingOne);
    /// otherwise it is refused. No person's token lacks one.
    #[default]
    Machine,
    /// It is refused.
    Refused,
}

/// What is believed of one issuer's tokens. All of it comes from the configuration, nothing from a
/// token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerRules {
    /// `iss`.
    pub issuer: IssuerName,
    /// The audience must have one of these, byte for byte.
    pub audience: Vec<String>,
    /// Where the audience is; the first of these that is there counts. `/aud` alone as a rule.
    pub audience_claims: Vec<ClaimPointer>,
    /// What the tokens may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// Where the tenant is named; `None` where the issuer's tokens name none.
    pub tenant_claim: Option<ClaimPointer>,
    /// Which member of the tenant claim's only entry is the tenant, where it is an object of one
    /// entry. Its name, where this is `None`.
    pub tenant_member: Option<String>,
    /// Which tenants it may name.
    pub tenants: Arc<TenantScope>,
    /// Where the subject is named, where that is not `sub`.
    pub subject_claim: Option<ClaimPointer>,
    /// What becomes of a token without one.
    pub without_subject: MissingSubjectRule,
    /// Where the role is named, if the issuer is asked for one at all.
    pub role_claim: Option<ClaimPointer>,
    /// The roles that the issuer is believed for. A role outside this list counts as none:
    /// [`Role::Admin`].
    pub may_grant: Vec<Role>,
    /// Signs of a machine, beside those that are always looked for.
    pub machine: Vec<ClaimRule>,
    /// Signs of an ID token, beside those that are always looked for.
    pub id_token: Vec<ClaimRule>,
    /// Scopes that every token must have.
    pub scopes: Vec<String>,
    /// What `typ` is accepted.
    pub typ: AcceptedType,
}

impl IssuerRules {
    /// With the defaults: all tenants, `/aud`, `sub`, no role, no tenant claim.
    #[must_use]
    pub fn new(issuer: IssuerName, audience: Vec<String>, algorithms: Vec<Algorithm>) -> Self {
        Self {
            tenants: Arc::new(TenantScope::sole_issuer(issuer.as_str())),
            issuer,
            audience,
            audience_claims: ClaimPointer::parse("/aud").into_iter().collect(),
            algorithms,
            tenant_claim: None,
            tenant_member: None,
            subject_claim: None,
            without_subject: MissingSubjectRule::default(),
            role_claim: None,
            may_grant: vec![],
            machine: vec![],
            id_token: vec![],
            scopes: vec![],
            typ: AcceptedType::Usual,
        }
    }
}
