use std::sync::Arc;

use toolhost_audit::Sink;
use toolhost_gateway::connect::Logins;
use toolhost_net::Network;
use toolhost_policy::Connection;
use toolhost_vault::{Login, LoginSettings, UserAccounts};
use url::Url;

use super::credentials::needs_vault;
use super::data_directory::DataDirectory;
use crate::config::{LoginServer, ProviderConfig};
use crate::exit::CliError;
use crate::setup::Setup;

/// The connections whose users connect accounts of their own; `None` where there are none.
///
/// # Errors
/// An authorization server is not acceptable as it is configured.
pub(crate) fn logins(
    setup: &Setup,
    network: &Arc<Network>,
    kept: Option<&DataDirectory>,
    public_url: &Url,
    audit: Arc<dyn Sink>,
) -> Result<Option<Arc<Logins>>, CliError> {
    let mut all = Vec::new();
    for connection in setup.config.connections.values() {
        let name = &connection.credentials;
        let Some(provider @ ProviderConfig::Login(server)) = setup.config.providers.get(name)
        else {
            continue;
        };
        let vault = kept.map(|kept| kept.vault.clone());
        let vault = vault.ok_or_else(|| needs_vault(name, provider))?;
        let settings = settings(server, connection, public_url);
        let login = settings.map(|settings| Login::new(settings, Arc::clone(network), vault));
        match login {
            Some(Ok(login)) => all.push((connection.clone(), login)),
            Some(Err(why)) => return Err(CliError::usage(format!("providers.{name}.{why}"))),
            None => {
                return Err(CliError::usage(
                    "server.public_url: no page can stand beside it",
                ));
            }
        }
    }
    let Some(kept) = kept.filter(|_| !all.is_empty()) else {
        return Ok(None);
    };
    let (directory, states) = (Arc::clone(&kept.directory), Arc::clone(&kept.states));
    let logins = Logins::new(public_url.clone(), all, audit, directory, states);
    Ok(Some(Arc::new(logins)))
}

fn settings(
    server: &LoginServer,
    connection: &Connection,
    public_url: &Url,
) -> Option<LoginSettings> {
    Some(LoginSettings {
        issuer: server.issuer.clone(),
        authorization_url: server.authorization_url.clone(),
        token: server.token.clone(),
        client: server.client.clone(),
        redirect_uri: UserAccounts::page(public_url, &connection.name, "callback")?,
        scope: server.scope.clone(),
        resource: server.resource.clone(),
        is_silent_about_issuer: !server.says_issuer,
    })
}
