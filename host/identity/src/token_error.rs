/// Why a token is not believed.
///
/// Each text is a constant, so that it can be told to whoever sent the token and to the log:
/// nothing of the token, no key, no other tenant's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenError {
    /// More than 16 KiB.
    #[error("the token is larger than 16 KiB")]
    TooLarge,
    /// Not three parts of base64url; an encrypted token has five.
    #[error("the token is not three parts of base64url")]
    Parts,
    /// The header is not a JSON object, nests too deep, or has a member twice.
    #[error("the token's header is not a JSON object with each member once")]
    Header,
    /// `crit` or `b64` (RFC 7515 section 4.1.11, RFC 7797).
    #[error("the token's header asks for an extension (crit or b64) that is not supported")]
    Extension,
    /// `kid` is not a string of 1 to 256 bytes.
    #[error("the token's kid is not a string of 1 to 256 bytes")]
    KeyId,
    /// The header says that this is something else than an access token.
    #[error("the token's typ is not that of an access token")]
    Type,
    /// An OpenID Connect ID token, which is for the client and not for a resource.
    #[error("this is an ID token; send the access token")]
    IdToken,
    /// `none`, HMAC, or an algorithm that the issuer is not configured for.
    #[error(
        "the token's algorithm is not one that its issuer is configured for (issuers.algorithms)"
    )]
    Algorithm,
    /// The claims are not a JSON object, nest too deep, or have a member twice.
    #[error("the token's claims are not a JSON object with each member once")]
    Claims,
    /// `iss` is no configured issuer.
    #[error("the token's issuer is not configured (issuers)")]
    Issuer,
    /// The issuer has no key of this name that fits the algorithm.
    #[error("the token's issuer has no key of this kid for this algorithm")]
    UnknownKey,
    /// The issuer has a key of this name, and it was left out of its set.
    #[error("the key that signed the token cannot be used by this host; its log says why")]
    KeyLeftOut,
    /// Several keys could have signed it and the token does not say which.
    #[error("the token has no kid and its issuer has several keys")]
    AmbiguousKey,
    /// The signature is not that of the issuer's key.
    #[error("the token's signature is wrong")]
    Signature,
    /// A required claim is missing: `iss`, `sub`, `aud` or `exp`.
    #[error("the token has no {0} claim, or it has the wrong type")]
    Missing(&'static str),
    /// A claim that is present has the wrong type or form.
    #[error("the token's {0} claim has the wrong type or form")]
    Form(&'static str),
    /// `aud` does not name this host.
    #[error("the token is for another audience (issuers.audience)")]
    Audience,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is ahead.
    #[error("the token is not valid yet (nbf)")]
    NotYet,
    /// `iat` is ahead.
    #[error("the token was issued in the future (iat)")]
    IssuedAhead,
    /// The tenant claim is there, and is not a string of 1 to 128 visible ASCII characters.
    #[error(
        "the token's tenant claim is not a string of 1 to 128 visible ASCII characters (issuers.tenant_claim)"
    )]
    TenantClaim,
    /// The issuer says that the opaque token is not, or no longer, valid (RFC 7662).
    #[error("the token is not active at its issuer")]
    Inactive,
    /// A scope that the issuer's tokens must have is missing.
    #[error("the token lacks a required scope (issuers.scopes)")]
    Scope,
}
