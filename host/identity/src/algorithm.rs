use std::fmt;

/// The signature algorithms that a token may be signed with (RFC 7518 section 3.1, RFC 8037 section
/// 3.1).
///
/// There is no `none` and no HMAC among them: neither can be written in a configuration, found in a
/// key set, or read from a token (T21, T22).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names of RFC 7518")]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

/// What a key can do, by its type and curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 9] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// What an issuer's tokens may be signed with where its configuration does not say: what
    /// identity providers use.
    pub const USUAL: [Self; 4] = [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    /// The algorithm of exactly this name; the registry's names are case-sensitive. `Ed25519` (RFC 9864)
    /// is `EdDSA` with the one curve of it that is used here.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDsa);
        }
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
    }

    /// The registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The one kind of key that the algorithm takes.
    pub(crate) const fn key_kind(self) -> KeyKind {
        match self {
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => {
                KeyKind::Rsa
            }
            Self::Es256 => KeyKind::P256,
            Self::Es384 => KeyKind::P384,
            Self::EdDsa => KeyKind::Ed25519,
        }
    }

    pub(crate) const fn jose(self) -> jsonwebtoken::Algorithm {
        use jsonwebtoken::Algorithm as Jose;
        match self {
            Self::Rs256 => Jose::RS256,
            Self::Rs384 => Jose::RS384,
            Self::Rs512 => Jose::RS512,
            Self::Ps256 => Jose::PS256,
            Self::Ps384 => Jose::PS384,
            Self::Ps512 => Jose::PS512,
            Self::Es256 => Jose::ES256,
            Self::Es384 => Jose::ES384,
            Self::EdDsa => Jose::EdDSA,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Algorithm;

    #[test]
    fn none_hmac_and_other_spellings_are_no_algorithms() {
        for name in [
            "none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "rs256", "RS256 ",
            "ES512", "EDDSA",
        ] {
            assert_eq!(Algorithm::parse(name), None, "{name:?}");
        }
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
        }
        assert_eq!(Algorithm::parse("Ed25519"), Some(Algorithm::EdDsa));
    }
}
