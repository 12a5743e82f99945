/// A kind of token (RFC 8693 section 3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// An access token.
    #[default]
    AccessToken,
    /// A JWT for an audience that reads it.
    Jwt,
    /// An ID token.
    IdToken,
    /// A refresh token.
    RefreshToken,
}

impl TokenKind {
    /// Its URN.
    #[must_use]
    pub const fn urn(self) -> &'static str {
        match self {
            Self::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
            Self::IdToken => "urn:ietf:params:oauth:token-type:id_token",
            Self::RefreshToken => "urn:ietf:params:oauth:token-type:refresh_token",
        }
    }
}
