use toolhost_oauth::ClientAuth;
use toolhost_vault::ClientSettings;

use crate::config::ConfigError;
use crate::config::keys::TableKeys;

const SECRET: [&str; 2] = ["client_secret_file", "client_secret_env"];

/// A client that tenants bring the secrets of.
pub(super) fn of_tenants(keys: &TableKeys<'_>) -> Result<ClientSettings, ConfigError> {
    let ways = [
        ("client_secret_basic", ClientAuth::ClientSecretBasic),
        ("client_secret_post", ClientAuth::ClientSecretPost),
    ];
    Ok(ClientSettings {
        id: keys.text("client_id")?.map(toml::Spanned::into_inner),
        secret: None,
        auth: keys.one_of("client_auth", &ways)?.unwrap_or_default(),
    })
}

/// The host's own client.
pub(super) fn of_host(keys: &TableKeys<'_>) -> Result<ClientSettings, ConfigError> {
    let ways = [
        ("client_secret_basic", ClientAuth::ClientSecretBasic),
        ("client_secret_post", ClientAuth::ClientSecretPost),
        ("none", ClientAuth::None),
    ];
    let auth = keys.one_of("client_auth", &ways)?.unwrap_or_default();
    let id = keys.text("client_id")?;
    let secret = keys.secret("client_secret", SECRET)?;
    let id = id.ok_or_else(|| keys.missing_key_error("client_id", "is missing"))?;
    match (&secret, auth) {
        (None, ClientAuth::ClientSecretBasic | ClientAuth::ClientSecretPost) => {
            let why = "is needed, or client_secret_env: what the host is known by there (client_auth = \"none\" for a public client)";
            return Err(keys.missing_key_error("client_secret_file", why));
        }
        (Some(_), ClientAuth::None) => {
            let why = "has no meaning with client_auth = \"none\"";
            return Err(keys.error(&id, "client_secret_file", why));
        }
        _ => {}
    }
    Ok(ClientSettings {
        id: Some(id.into_inner()),
        secret,
        auth,
    })
}
