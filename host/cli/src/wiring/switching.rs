use std::sync::Arc;

use toolhost_audit::Sink;
use toolhost_gateway::TenantSwitcher;
use toolhost_net::Network;
use toolhost_store::{StateSealer, Store};
use toolhost_tenancy::{
    Authority, AuthorityCredentials, AuthorityTokens, ExchangeAuthority, ExchangeSettings,
    HttpAuthority, HttpAuthoritySettings, LocalAuthority, NetworkFetch, Reach, SessionDeps,
    StoreClock, TenantDirectory,
};

use crate::config::AuthorityKind;
use crate::exit::CliError;
use crate::secret_ref;
use crate::setup::Setup;

/// How old a session's choice may be where other hosts change it, in milliseconds: a switch on one
/// of them counts on the others within this time, also where they do not hear of it.
const CHOICE_MAX_AGE: u64 = 100;

/// What sessions stand on, and what the tenant authority gave.
pub(crate) struct SessionSetup {
    deps: SessionDeps,
    /// For connections with `credentials = "authority"`; nothing where the host's own tree decides.
    pub(crate) credentials: Arc<AuthorityCredentials>,
}

impl SessionSetup {
    /// Over the configured authority. Nobody is asked yet.
    ///
    /// # Errors
    /// The host's own secret at the authority cannot be read.
    pub(crate) fn new(
        setup: &Setup,
        store: Arc<dyn Store>,
        directory: Arc<dyn TenantDirectory>,
        network: &Arc<Network>,
    ) -> anyhow::Result<Self> {
        let clock = Arc::new(StoreClock::new(Arc::clone(&store)));
        let is_shared = store.changes().is_some();
        let deps = SessionDeps {
            store,
            directory,
            tokens: Arc::new(AuthorityTokens::new(Arc::clone(&clock) as _)),
            reach: match &setup.config.authority {
                AuthorityKind::Local => Reach::Tree,
                AuthorityKind::Http(_) | AuthorityKind::Exchange(_) => Reach::Authority,
            },
            clock,
            max_age: is_shared.then_some(CHOICE_MAX_AGE),
        };
        let authority = authority(&setup.config.authority, network)?;
        let credentials = Arc::new(AuthorityCredentials::new(authority, &deps));
        Ok(Self { deps, credentials })
    }

    /// Switching by the authority, with choices kept in the store.
    pub(crate) fn tenant_switcher(
        &self,
        setup: &Setup,
        audit: Arc<dyn Sink>,
        states: Arc<StateSealer>,
    ) -> Arc<TenantSwitcher> {
        Arc::new(TenantSwitcher::new(
            self.deps.clone(),
            Arc::clone(&self.credentials),
            setup.config.switch,
            audit,
            states,
        ))
    }
}

fn authority(kind: &AuthorityKind, network: &Arc<Network>) -> anyhow::Result<Arc<dyn Authority>> {
    let fetch = Arc::new(NetworkFetch::new(Arc::clone(network)));
    let post = Arc::clone(&fetch);
    let refused = |why: toolhost_tenancy::IssuerConfigError| CliError::usage(why.to_string());
    Ok(match kind {
        AuthorityKind::Local => Arc::new(LocalAuthority),
        AuthorityKind::Http(settings) => Arc::new(
            HttpAuthority::new(HttpAuthoritySettings::clone(settings), post, fetch)
                .map_err(refused)?,
        ),
        AuthorityKind::Exchange(exchange) => {
            let client = &exchange.client;
            let settings = ExchangeSettings {
                destination: client.destination.clone(),
                client_id: client.id.clone(),
                client_secret: secret_ref::text("tenancy.authority.client_secret", &client.secret)?,
                audience: exchange.audience.clone(),
                resource: exchange.resource.clone(),
                scope_prefix: exchange.scope_prefix.clone(),
                issuer: exchange.returns.clone(),
            };
            Arc::new(ExchangeAuthority::new(settings, post, fetch).map_err(refused)?)
        }
    })
}
