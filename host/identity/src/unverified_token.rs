use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::{TokenError, json};

/// The largest token that is looked at. A header field of this size still fits every proxy; a real
/// token has 1 to 4 KiB.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The longest `kid`. It is a key of a map and nothing else: no path, no URL, no query (T23).
const MAX_KEY_ID: usize = 256;

/// Header members that change what the rest means (RFC 7515 section 4.1.11, RFC 7797, RFC 7516).
pub(crate) const EXTENSIONS: [&str; 4] = ["crit", "b64", "zip", "enc"];

/// A token that was taken apart and of which nothing is believed yet.
///
/// It exists so that the issuer's keys can be found, and those alone.
#[derive(Clone)]
pub struct UnverifiedToken<'a> {
    /// What the signature is over.
    pub(crate) message: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
}

impl<'a> UnverifiedToken<'a> {
    /// Takes a token apart: size first, then exactly three parts, then header and claims, each
    /// member once.
    ///
    /// # Errors
    /// The token is too large, has not three parts, or its header or claims are not such JSON.
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Parts)?;
        let (header, claims) = message.split_once('.').ok_or(TokenError::Parts)?;
        if [header, claims, signature]
            .iter()
            .any(|part| part.is_empty() || part.contains('.'))
        {
            return Err(TokenError::Parts);
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Parts);
        let mut header = json::exact_object(&decode(header)?).map_err(|_| TokenError::Header)?;
        let claims = json::exact_object(&decode(claims)?).map_err(|_| TokenError::Claims)?;
        // A member that asks for an extension asks for it whatever its value.
        header.retain(|name, value| !value.is_null() || EXTENSIONS.contains(&name.as_str()));
        Ok(Self {
            message,
            signature,
            header,
            claims: without_nulls(claims),
        })
    }

    /// `iss`, to choose the issuer whose keys are asked. Nothing else may be made of it.
    ///
    /// # Errors
    /// There is none, or it is not a string.
    pub fn issuer(&self) -> Result<&str, TokenError> {
        self.claims
            .get("iss")
            .and_then(Value::as_str)
            .ok_or(TokenError::Missing("iss"))
    }

    /// `kid`.
    ///
    /// # Errors
    /// It is there and not a string of 1 to 256 bytes.
    pub fn key_id(&self) -> Result<Option<&str>, TokenError> {
        match self.header.get("kid") {
            None => Ok(None),
            Some(Value::String(kid)) if (1..=MAX_KEY_ID).contains(&kid.len()) => Ok(Some(kid)),
            Some(_) => Err(TokenError::KeyId),
        }
    }

    /// The header, for a person to look at.
    #[must_use]
    pub fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The claims, for a person to look at. No code may decide by them.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

/// The claims that are there: some serialisers write `null` for those that are not.
pub(crate) fn without_nulls(mut claims: Map<String, Value>) -> Map<String, Value> {
    claims.retain(|_, value| !value.is_null());
    claims
}

impl std::fmt::Debug for UnverifiedToken<'_> {
    /// Neither claims nor signature: a token is a credential.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnverifiedToken").finish_non_exhaustive()
    }
}
