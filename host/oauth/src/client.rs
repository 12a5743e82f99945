use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use toolhost_policy::Secret;
use url::form_urlencoded;
use zeroize::Zeroizing;

/// How a client proves itself at the token endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// `Authorization: Basic` (RFC 6749 section 2.3.1).
    #[default]
    ClientSecretBasic,
    /// `client_id` and `client_secret` in the form.
    ClientSecretPost,
    /// `client_id` in the form and no secret: a public client.
    None,
}

/// `Authorization: Basic` of a client (RFC 6749 section 2.3.1): both parts are form-encoded before
/// they are joined.
#[must_use]
pub fn client_secret_basic(id: &str, secret: &Secret) -> HeaderValue {
    let encode = |bytes: &[u8]| form_urlencoded::byte_serialize(bytes).collect::<String>();
    let joined = Zeroizing::new(format!(
        "{}:{}",
        encode(id.as_bytes()),
        encode(secret.expose())
    ));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(joined.as_bytes())));
    let mut value =
        HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}
