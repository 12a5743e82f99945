//! The one assembly of a host, in two stages: [`HostBuilder`] opens what does not depend on
//! plugins, and [`Host`] is that with the plugins loaded. `run`, `run --stdio`, `call`, `explain`,
//! `connection test` and `connection approve` take what they need from these, so that a diagnosis
//! looks at what a call goes through.

use std::net::SocketAddr;
use std::sync::Arc;

use toolhost_egress::Egress;
use toolhost_gateway::connect::Logins;
use toolhost_gateway::{Dispatcher, TenantSwitcher};
use toolhost_net::Network;
use toolhost_sandbox::Sandbox;
use toolhost_tenancy::{AuthorityCredentials, Tenancy};
use toolhost_tools::Tools;
use url::Url;

use super::credentials::{ProviderParts, Providers, provider};
use super::host_parts::{Plugins, sandbox, serve_plugins, serving_egress};
use super::switching::SessionSetup;
use super::{HostStorage, directory, network, tenancy};
use crate::diagnosis::HostDiagnosis;
use crate::exit::CliError;
use crate::plugins::{ApprovalMode, Candidate, PendingPlugins, ServedConnections, StartupTimeouts};
use crate::setup::Setup;

/// Guests at once where a single call is made; describing takes a slot before the call does.
const SLOTS_OF_ONE_CALL: u32 = 4;

/// Stage one: the store, the callers, tenants and the way to credentials. No plugin is loaded yet.
pub(crate) struct HostBuilder {
    pub(crate) network: Arc<Network>,
    pub(crate) storage: HostStorage,
    pub(crate) tenancy: Arc<Tenancy>,
    pub(crate) switching: Arc<TenantSwitcher>,
    pub(crate) authority: Arc<AuthorityCredentials>,
    public_url: Option<Url>,
}

/// What plugins are loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoadPurpose {
    /// A host that goes on serving: plugins that take long are served later, and what is wrong is
    /// logged.
    Serving,
    /// One call, which waits for its plugin.
    OneCall,
}

/// Stage two: a host with its plugins.
pub(crate) struct Host {
    pub(crate) base: HostBuilder,
    pub(crate) tools: Arc<Tools>,
    pub(crate) sandbox: Sandbox,
    pub(crate) pending: PendingPlugins,
    providers: Providers,
    connections: Arc<ServedConnections>,
}

impl HostBuilder {
    /// Opens the store and what stands on it. `listeners` are the addresses where callers come in.
    ///
    /// # Errors
    /// The data directory or the server of the store cannot be used; the configuration of callers,
    /// tenants or the authority is wrong; a development tenant where others can reach a listener.
    pub(crate) async fn open(setup: &Setup, listeners: &[SocketAddr]) -> anyhow::Result<Self> {
        let network = network()?;
        let storage = HostStorage::open(setup).await?;
        let directory = directory(setup, storage.kept.as_ref(), &network)?;
        let kept = storage.kept.as_ref();
        let tenancy = tenancy(setup, listeners, &network, Arc::clone(&directory), kept)?;
        let sessions = SessionSetup::new(setup, Arc::clone(&storage.store), directory, &network)?;
        let switching = sessions.tenant_switcher(
            setup,
            Arc::clone(&storage.audit),
            Arc::clone(&storage.states),
        );
        Ok(Self {
            switching,
            authority: sessions.credentials,
            public_url: setup.config.server.public_url.clone(),
            network,
            storage,
            tenancy,
        })
    }

    /// The URL at which browsers find the host, where the configuration names none.
    pub(crate) fn with_public_url(self, public_url: Url) -> Self {
        Self {
            public_url: Some(public_url),
            ..self
        }
    }

    /// Every credential provider, and a sentence for each declared credential that gives nothing
    /// now.
    ///
    /// # Errors
    /// A provider cannot be made as it is configured.
    pub(crate) fn providers(&self, setup: &Setup) -> Result<(Providers, Vec<String>), CliError> {
        let parts = ProviderParts {
            network: &self.network,
            vault: self.storage.vault(),
            authority: Arc::clone(&self.authority),
            public_url: self.public_url.clone(),
            among_hosts: setup.config.postgres.is_some(),
        };
        provider(setup, parts)
    }

    /// The way out of guests, with those providers.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub(crate) fn egress(&self, providers: Providers) -> anyhow::Result<Arc<Egress>> {
        serving_egress(Arc::clone(&self.network), providers, &self.storage)
    }

    /// Loads the plugins.
    ///
    /// # Errors
    /// A provider cannot be made; nothing can be served, and nothing is to be expected; a grant
    /// cannot be recorded; a tenant is assigned what is not there.
    pub(crate) async fn load(
        self,
        setup: &Arc<Setup>,
        candidates: Vec<Candidate>,
        purpose: LoadPurpose,
        approval: &ApprovalMode,
    ) -> anyhow::Result<Host> {
        let (providers, problems) = self.providers(setup)?;
        let (slots, timeouts) = match purpose {
            LoadPurpose::Serving => (setup.config.server.slots, StartupTimeouts::SERVING),
            LoadPurpose::OneCall => (SLOTS_OF_ONE_CALL, StartupTimeouts::WHOLE),
        };
        if purpose == LoadPurpose::Serving {
            for problem in problems {
                tracing::warn!("{problem}");
            }
        }
        let egress = self.egress(providers.clone())?;
        let sandbox = sandbox(
            setup.config.limits.clone(),
            slots,
            Some(setup.cache_dir.clone()),
            Arc::clone(&egress),
            Arc::clone(&self.storage.kv),
        )?;
        let Plugins {
            tools,
            connections,
            pending,
        } = serve_plugins(
            setup,
            candidates,
            &sandbox,
            egress,
            &self.storage,
            &self.network,
            (approval, timeouts),
        )
        .await?;
        Ok(Host {
            base: self,
            tools,
            sandbox,
            pending,
            providers,
            connections,
        })
    }

    /// What an operator's questions go through.
    pub(crate) fn diagnosis(
        &self,
        setup: &Setup,
        providers: Providers,
        connections: Arc<ServedConnections>,
        tools: Arc<Tools>,
    ) -> HostDiagnosis {
        HostDiagnosis {
            tenancy: Arc::clone(&self.tenancy),
            network: Arc::clone(&self.network),
            connections,
            configured: setup.config.providers.clone(),
            providers,
            tools,
            unstartable: None,
            vault: self.storage.vault().cloned(),
            logins: None,
            calls: None,
        }
    }
}

impl Host {
    /// The way of every call.
    pub(crate) fn dispatcher(&self) -> Dispatcher {
        let calls = Arc::clone(&self.tools);
        Dispatcher::new(calls, Arc::clone(&self.base.switching))
    }

    /// What an operator's questions go through: connections and grants as they are served, and
    /// calls.
    pub(crate) fn diagnosis(&self, setup: &Setup, logins: Option<Arc<Logins>>) -> HostDiagnosis {
        let base = self.base.diagnosis(
            setup,
            self.providers.clone(),
            Arc::clone(&self.connections),
            Arc::clone(&self.tools),
        );
        HostDiagnosis {
            logins,
            calls: Some(self.dispatcher()),
            ..base
        }
    }
}
