//! `[providers.NAME]`: systems that connections have their credentials from.

mod client;
mod oauth;
mod place;
mod stores;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toolhost_policy::{ConnectionName, CredentialOwner};
use toolhost_vault::{
    AwsSettings, BrokerSettings, ClientCredentialsSettings, ClientSettings, KvSettings,
    NameTemplates, ProviderEndpoint, RefreshTokenSettings, TokenExchangeSettings,
};
use url::Url;

use super::ConfigError;
use super::config_text::ConfigText;
use super::connection::PROVIDERS;
use super::keys::TableKeys;

const KINDS: [(&str, ProviderKind); 7] = [
    ("broker", ProviderKind::Broker),
    ("oauth2-client", ProviderKind::ClientCredentials),
    ("oauth2-refresh", ProviderKind::RefreshToken),
    ("oauth2-login", ProviderKind::Login),
    ("token-exchange", ProviderKind::TokenExchange),
    ("aws-secrets-manager", ProviderKind::Aws),
    ("vault-kv", ProviderKind::Kv),
];

#[derive(Clone, Copy)]
enum ProviderKind {
    Broker,
    ClientCredentials,
    RefreshToken,
    Login,
    TokenExchange,
    Aws,
    Kv,
}

/// One of `[providers]`.
#[derive(Debug, Clone)]
pub(crate) enum ProviderConfig {
    Broker(BrokerSettings),
    ClientCredentials(ClientCredentialsSettings),
    RefreshToken(RefreshTokenSettings),
    Login(Box<LoginServer>),
    TokenExchange(TokenExchangeSettings),
    Aws(Box<AwsSettings>),
    Kv(KvSettings),
}

/// An authorization server where users connect accounts of their own.
#[derive(Debug, Clone)]
pub(crate) struct LoginServer {
    pub(crate) issuer: String,
    pub(crate) authorization_url: Url,
    pub(crate) token: ProviderEndpoint,
    pub(crate) client: ClientSettings,
    pub(crate) scope: Vec<String>,
    pub(crate) resource: Vec<String>,
    /// Its answers say who it is (RFC 9207).
    pub(crate) says_issuer: bool,
}

impl ProviderConfig {
    /// What `kind` calls it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Broker(_) => "broker",
            Self::ClientCredentials(_) => "oauth2-client",
            Self::RefreshToken(_) => "oauth2-refresh",
            Self::Login(_) => "oauth2-login",
            Self::TokenExchange(_) => "token-exchange",
            Self::Aws(_) => "aws-secrets-manager",
            Self::Kv(_) => "vault-kv",
        }
    }

    /// Whether what it begins with is in the vault.
    pub(crate) fn needs_vault(&self) -> bool {
        match self {
            Self::ClientCredentials(_)
            | Self::RefreshToken(_)
            | Self::Login(_)
            | Self::TokenExchange(_) => true,
            Self::Broker(_) | Self::Aws(_) | Self::Kv(_) => false,
        }
    }

    /// Whose credentials it has where a connection does not say.
    pub(super) fn owner(&self) -> CredentialOwner {
        match self {
            Self::Login(_) => CredentialOwner::User,
            _ => CredentialOwner::default(),
        }
    }

    /// Why a connection whose credentials are of this owner cannot have them from here.
    pub(super) fn refuses(&self, owner: CredentialOwner) -> Option<&'static str> {
        let of = |names: &NameTemplates, [tenant, user]: [&'static str; 2]| match owner {
            CredentialOwner::Tenant => names.tenant.is_none().then_some(tenant),
            CredentialOwner::User => names.user.is_none().then_some(user),
        };
        match self {
            Self::Login(_) if owner == CredentialOwner::Tenant => Some(
                "is not \"tenant\" with an oauth2-login provider: each user connects an account of their own",
            ),
            Self::Aws(settings) => of(
                &settings.names,
                [
                    "is \"tenant\", and its provider has no secret_id that says where tenants' secrets are",
                    "is \"user\", and its provider has no user_secret_id that says where users' secrets are",
                ],
            ),
            Self::Kv(settings) => of(
                &settings.names,
                [
                    "is \"tenant\", and its provider has no path that says where tenants' secrets are",
                    "is \"user\", and its provider has no user_path that says where users' secrets are",
                ],
            ),
            _ => None,
        }
    }
}

/// Reads the tables that are `named` again, each with the keys of its kind.
pub(super) fn providers(
    source: &ConfigText<'_>,
    named: &BTreeMap<String, serde::de::IgnoredAny>,
) -> Result<BTreeMap<String, ProviderConfig>, ConfigError> {
    if named.is_empty() {
        return Ok(BTreeMap::new());
    }
    let whole = DeTable::parse(source.text).map_err(|error| source.toml(&error))?;
    let tables = whole
        .get_ref()
        .iter()
        .find(|(key, _)| key.get_ref() == "providers");
    let Some(tables) = tables.and_then(|(_, value)| value.get_ref().as_table()) else {
        return Ok(BTreeMap::new());
    };
    let mut providers = BTreeMap::new();
    for (name, value) in tables {
        let at = format!("providers.{}", name.get_ref().escape_default());
        if let Err(why) = ConnectionName::parse(name.get_ref()) {
            let why = why
                .to_string()
                .replacen("connection name", "provider name", 1);
            return Err(source.at(name, at, why));
        }
        if PROVIDERS.contains(&name.get_ref().as_ref()) {
            let why = format!(
                "is what the host calls one of its own; not one of {}",
                PROVIDERS.join(", ")
            );
            return Err(source.at(name, at, why));
        }
        providers.insert(name.get_ref().to_string(), provider(source, at, value)?);
    }
    Ok(providers)
}

fn provider(
    source: &ConfigText<'_>,
    at: String,
    value: &Spanned<DeValue<'_>>,
) -> Result<ProviderConfig, ConfigError> {
    let keys = TableKeys::new(source, at, value)?;
    let kind = keys.one_of("kind", &KINDS)?;
    let kind = kind.ok_or_else(|| {
        let all = KINDS.map(|(name, _)| name).join(", ");
        keys.missing_key_error("kind", format!("is missing: one of {all}"))
    })?;
    let provider = match kind {
        ProviderKind::Broker => ProviderConfig::Broker(stores::broker(&keys)?),
        ProviderKind::ClientCredentials => {
            ProviderConfig::ClientCredentials(oauth::client_credentials(&keys)?)
        }
        ProviderKind::RefreshToken => ProviderConfig::RefreshToken(oauth::refresh_token(&keys)?),
        ProviderKind::Login => ProviderConfig::Login(Box::new(oauth::login(&keys)?)),
        ProviderKind::TokenExchange => ProviderConfig::TokenExchange(oauth::token_exchange(&keys)?),
        ProviderKind::Aws => ProviderConfig::Aws(Box::new(stores::aws(&keys)?)),
        ProviderKind::Kv => ProviderConfig::Kv(stores::kv(&keys)?),
    };
    keys.finish()?;
    Ok(provider)
}
