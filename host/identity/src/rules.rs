use crate::{Algorithm, ClaimPointer, Role};

/// What `typ` a token's header may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AcceptedType {
    /// `JWT`, `at+jwt`, `application/at+jwt`, or none. Many identity providers do not follow RFC 9068.
    #[default]
    Usual,
    /// `at+jwt` or `application/at+jwt` alone (RFC 9068 section 4): no other kind of token of the same issuer can pass.
    AccessTokenOnly,
}

/// Another sign of a machine, beside those that are always looked for: this claim has this text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineClaim {
    /// Where the claim is.
    pub claim: ClaimPointer,
    /// What it must be, byte for byte.
    pub equals: String,
}

/// What is believed of one issuer's tokens. All of it comes from the configuration, nothing from a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerRules {
    /// `iss`, byte for byte.
    pub issuer: String,
    /// `aud` must have one of these, byte for byte.
    pub audience: Vec<String>,
    /// What the tokens may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// Where the tenant is named; `None` where the issuer's tokens name none.
    pub tenant_claim: Option<ClaimPointer>,
    /// Where the role is named, if the issuer is asked for one at all.
    pub role_claim: Option<ClaimPointer>,
    /// The roles that the issuer is believed for. A role outside this list counts as none: [`Role::Admin`].
    pub may_grant: Vec<Role>,
    /// Another sign of a machine.
    pub machine: Option<MachineClaim>,
    /// Scopes that every token must have.
    pub scopes: Vec<String>,
    /// What `typ` is accepted.
    pub typ: AcceptedType,
}
