use std::fmt;

use toolhost_policy::Secret;
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::TokenKind;

/// Room for a form with the usual tokens, in bytes, so that it does not grow and leave copies
/// behind.
const FORM: usize = 16 << 10;

/// A secret that is not UTF-8 and cannot stand in a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretNotText;

/// The form of a request (`application/x-www-form-urlencoded`), in memory that is zeroed.
pub struct TokenForm(Zeroizing<String>);

/// The fields of a token exchange (RFC 8693 section 2.1).
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenExchangeForm<'a> {
    /// The kind of the subject token.
    pub subject: TokenKind,
    /// `audience`, each.
    pub audience: &'a [String],
    /// `resource`, each.
    pub resource: &'a [String],
    /// The words of `scope`.
    pub scope: &'a [String],
}

impl TokenForm {
    fn new() -> Self {
        Self(Zeroizing::new(String::with_capacity(FORM)))
    }

    /// A request with a client's own authority (RFC 6749 section 4.4).
    #[must_use]
    pub fn client_credentials() -> Self {
        Self::new().with("grant_type", "client_credentials")
    }

    /// The code of a login (RFC 6749 section 4.1.3), with its verifier (RFC 7636).
    ///
    /// # Errors
    /// The code or the verifier is not text.
    pub fn authorization_code(
        code: &Secret,
        redirect_uri: &str,
        verifier: &Secret,
    ) -> Result<Self, SecretNotText> {
        let form = Self::new().with("grant_type", "authorization_code");
        let form = form
            .with_secret("code", code)?
            .with("redirect_uri", redirect_uri);
        form.with_secret("code_verifier", verifier)
    }

    /// A refresh token (RFC 6749 section 6).
    ///
    /// # Errors
    /// It is not text.
    pub fn refresh_token(token: &Secret) -> Result<Self, SecretNotText> {
        let form = Self::new().with("grant_type", "refresh_token");
        form.with_secret("refresh_token", token)
    }

    /// An access token in exchange for a subject token (RFC 8693).
    ///
    /// # Errors
    /// The subject token is not text.
    pub fn token_exchange(
        subject: &Secret,
        fields: TokenExchangeForm<'_>,
    ) -> Result<Self, SecretNotText> {
        let form = Self::new().with(
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        );
        let form = form
            .with_secret("subject_token", subject)?
            .with("subject_token_type", fields.subject.urn())
            .with("requested_token_type", TokenKind::AccessToken.urn())
            .with_each("audience", fields.audience)
            .with_each("resource", fields.resource);
        Ok(form.with_scope(fields.scope))
    }

    /// The question whether an access token is active (RFC 7662 section 2.1).
    ///
    /// # Errors
    /// It is not text.
    pub fn introspection(token: &Secret) -> Result<Self, SecretNotText> {
        let form = Self::new().with_secret("token", token)?;
        Ok(form.with("token_type_hint", "access_token"))
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0
            .extend(form_urlencoded::byte_serialize(name.as_bytes()));
        self.0.push('=');
        self.0
            .extend(form_urlencoded::byte_serialize(value.as_bytes()));
        self
    }

    /// With one more field for each value.
    #[must_use]
    pub fn with_each<'a>(self, name: &str, values: impl IntoIterator<Item = &'a String>) -> Self {
        values
            .into_iter()
            .fold(self, |form, value| form.with(name, value))
    }

    /// With a secret as one more field.
    ///
    /// # Errors
    /// It is not text.
    pub fn with_secret(self, name: &str, secret: &Secret) -> Result<Self, SecretNotText> {
        let text = str::from_utf8(secret.expose()).map_err(|_| SecretNotText)?;
        Ok(self.with(name, text))
    }

    /// With `scope`, its words joined by spaces; without it if there are none.
    #[must_use]
    pub fn with_scope(self, scope: &[String]) -> Self {
        if scope.is_empty() {
            return self;
        }
        self.with("scope", &scope.join(" "))
    }

    /// The text of the form. It holds secrets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for TokenForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenForm").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{SecretNotText, TokenExchangeForm, TokenForm};
    use toolhost_policy::Secret;

    #[test]
    fn a_form_has_the_fields_of_its_grant_and_prints_none() {
        let token = Secret::from("a b&c".to_owned());
        let both = ["x".to_owned(), "y".to_owned()];
        let fields = TokenExchangeForm {
            audience: &both,
            scope: &both,
            ..TokenExchangeForm::default()
        };
        let form = TokenForm::token_exchange(&token, fields).unwrap();
        let text = str::from_utf8(form.as_bytes()).unwrap();
        assert_eq!(
            text,
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=a+b%26c\
             &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token\
             &requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token\
             &audience=x&audience=y&scope=x+y"
        );
        assert_eq!(format!("{form:?}"), "TokenForm { .. }");
        let refused = TokenForm::introspection(&Secret::new(vec![0xff]));
        assert_eq!(refused.err(), Some(SecretNotText));
    }
}
