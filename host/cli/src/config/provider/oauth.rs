use toolhost_oauth::TokenKind;
use toolhost_vault::{ClientCredentialsSettings, RefreshTokenSettings, TokenExchangeSettings};

use super::place::read_endpoint;
use super::{LoginServer, client};
use crate::config::ConfigError;
use crate::config::issuer::web_address;
use crate::config::keys::TableKeys;

const TOKEN: &str = "token_url";

const TOKENS: [(&str, TokenKind); 4] = [
    ("access_token", TokenKind::AccessToken),
    ("jwt", TokenKind::Jwt),
    ("id_token", TokenKind::IdToken),
    ("refresh_token", TokenKind::RefreshToken),
];

pub(super) fn client_credentials(
    keys: &TableKeys<'_>,
) -> Result<ClientCredentialsSettings, ConfigError> {
    Ok(ClientCredentialsSettings {
        token: read_endpoint(keys, TOKEN)?,
        client: client::of_tenants(keys)?,
        scope: keys.texts("scope")?,
        audience: keys.text("audience")?.map(toml::Spanned::into_inner),
        resource: keys.texts("resource")?,
    })
}

pub(super) fn refresh_token(keys: &TableKeys<'_>) -> Result<RefreshTokenSettings, ConfigError> {
    Ok(RefreshTokenSettings {
        token: read_endpoint(keys, TOKEN)?,
        client: client::of_host(keys)?,
        resource: keys.texts("resource")?,
        among_hosts: false,
    })
}

pub(super) fn login(keys: &TableKeys<'_>) -> Result<LoginServer, ConfigError> {
    let token = read_endpoint(keys, TOKEN)?;
    let url = keys.require_text("authorization_url")?;
    let to = &token.destination;
    let key = format!("{}.authorization_url", keys.at);
    Ok(LoginServer {
        issuer: keys.require_text("issuer")?.into_inner(),
        authorization_url: web_address(keys.source, &key, &url, to.allow_http, to.allow_loopback)?,
        client: client::of_host(keys)?,
        scope: keys.texts("scope")?,
        resource: keys.texts("resource")?,
        says_issuer: keys.flag("says_issuer", true)?,
        token,
    })
}

pub(super) fn token_exchange(keys: &TableKeys<'_>) -> Result<TokenExchangeSettings, ConfigError> {
    let actor = keys.secret("actor_token", ["actor_token_file", "actor_token_env"])?;
    let actor_kind = keys.text("actor_token_type")?;
    if let (None, Some(kind)) = (&actor, &actor_kind) {
        let why = "has no meaning without actor_token_file or actor_token_env";
        return Err(keys.error(kind, "actor_token_type", why));
    }
    let actor_kind = keys
        .one_of("actor_token_type", &TOKENS)?
        .unwrap_or_default();
    Ok(TokenExchangeSettings {
        token: read_endpoint(keys, TOKEN)?,
        client: client::of_host(keys)?,
        subject: keys
            .one_of("subject_token_type", &TOKENS)?
            .unwrap_or_default(),
        actor: actor.map(|actor| (actor, actor_kind)),
        audience: keys.texts("audience")?,
        resource: keys.texts("resource")?,
        scope: keys.texts("scope")?,
    })
}
