use std::collections::BTreeMap;
use std::sync::Arc;

use toolhost_net::Network;
use toolhost_tenancy::AuthorityCredentials;
use toolhost_vault::{
    AwsSecretsManager, Broker, ClientCredentials, CredentialProblem, CredentialProvider, KvStore,
    ProviderSettingsError, RefreshToken, RefreshTokenSettings, SealedVault, StaticProvider,
    TokenExchange, UserAccounts,
};
use url::Url;

use crate::config::{AUTHORITY, ProviderConfig};
use crate::exit::CliError;
use crate::setup::{Setup, VAULT};

/// Providers by the name that a connection's `credentials` gives.
pub(crate) type Providers = BTreeMap<String, Arc<dyn CredentialProvider>>;

/// The names under which the declared credentials are found: what kind each source is was checked
/// when it was read.
const NAMES: [&str; 3] = ["static", "file", "env"];

/// What the providers stand on.
pub(crate) struct ProviderParts<'a> {
    pub(crate) network: &'a Arc<Network>,
    pub(crate) vault: Option<&'a SealedVault>,
    pub(crate) authority: Arc<AuthorityCredentials>,
    /// Where the host serves browsers, if it does.
    pub(crate) public_url: Option<Url>,
    /// Other hosts may use the same store.
    pub(crate) among_hosts: bool,
}

/// For looking at a plugin, which reaches nothing.
pub(crate) fn no_credentials() -> Providers {
    Providers::new()
}

/// Every provider, and a sentence for each declared credential that gives nothing now.
///
/// # Errors
/// Two credentials for one key; a provider that cannot be made as it is configured. With a
/// development tenant and no issuers, a credential that cannot be read: there is no other caller
/// that the host could serve.
pub(crate) fn provider(
    setup: &Setup,
    sources: ProviderParts<'_>,
) -> Result<(Providers, Vec<String>), CliError> {
    let provider = StaticProvider::new(setup.config.credentials.iter().cloned())
        .map_err(|error| CliError::usage(error.to_string()))?;
    let problems: Vec<String> = provider.problems().iter().map(sentence).collect();
    let alone = setup.dev_tenant.is_some() && setup.config.issuers.is_empty();
    if alone && !problems.is_empty() {
        return Err(CliError::refusal(problems.join("; ")));
    }
    let provider: Arc<dyn CredentialProvider> = Arc::new(provider);
    let mut providers: Providers = NAMES
        .map(|name| (name.to_owned(), Arc::clone(&provider)))
        .into_iter()
        .collect();
    for (name, settings) in &setup.config.providers {
        providers.insert(name.clone(), build_provider(name, settings, &sources)?);
    }
    if let Some(vault) = sources.vault {
        providers.insert(VAULT.to_owned(), Arc::new(vault.clone()));
    }
    providers.insert(AUTHORITY.to_owned(), sources.authority);
    Ok((providers, problems))
}

/// One of `[providers]`.
fn build_provider(
    name: &str,
    settings: &ProviderConfig,
    sources: &ProviderParts<'_>,
) -> Result<Arc<dyn CredentialProvider>, CliError> {
    let network = || Arc::clone(sources.network);
    let vault = || {
        let vault = sources.vault.cloned();
        vault.ok_or_else(|| needs_vault(name, settings))
    };
    let refuse = |why: ProviderSettingsError| CliError::usage(format!("providers.{name}.{why}"));
    let provider: Arc<dyn CredentialProvider> = match settings.clone() {
        ProviderConfig::Broker(settings) => {
            Arc::new(Broker::new(settings, network()).map_err(refuse)?)
        }
        ProviderConfig::Aws(settings) => {
            Arc::new(AwsSecretsManager::new(*settings, network()).map_err(refuse)?)
        }
        ProviderConfig::Kv(settings) => {
            Arc::new(KvStore::new(settings, network()).map_err(refuse)?)
        }
        ProviderConfig::ClientCredentials(settings) => {
            let made = ClientCredentials::new(settings, network(), Arc::new(vault()?));
            Arc::new(made.map_err(refuse)?)
        }
        ProviderConfig::TokenExchange(settings) => {
            let made = TokenExchange::new(settings, network(), Arc::new(vault()?));
            Arc::new(made.map_err(refuse)?)
        }
        ProviderConfig::RefreshToken(mut settings) => {
            settings.among_hosts = sources.among_hosts;
            Arc::new(RefreshToken::new(settings, network(), vault()?).map_err(refuse)?)
        }
        ProviderConfig::Login(server) => {
            let settings = RefreshTokenSettings {
                token: server.token,
                client: server.client,
                resource: server.resource,
                among_hosts: sources.among_hosts,
            };
            let tokens = RefreshToken::new(settings, network(), vault()?).map_err(refuse)?;
            Arc::new(UserAccounts::new(tokens, sources.public_url.clone()))
        }
    };
    Ok(provider)
}

/// Said before anything is opened, and again where it would be missed.
pub(crate) fn needs_vault(name: &str, settings: &ProviderConfig) -> CliError {
    CliError::usage(format!(
        "providers.{name}.kind = {:?} needs a data directory, whose vault has what it begins with: --data-dir DIR, or [data] dir",
        settings.kind()
    ))
}

/// Calls that need it are refused as not connected; the rest goes on.
fn sentence(problem: &CredentialProblem) -> String {
    format!(
        "credential {} from {}: {}",
        problem.key, problem.source, problem.reason
    )
}
