use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderMap;
use toolhost_identity::{Binding, LoopbackOnly, Principal, StaticDirectory};
use toolhost_net::Network;
use toolhost_tenancy::{NetworkFetch, Tenancy, TenantDirectory};

use super::data::Kept;
use crate::exit::Failure;
use crate::secret_ref;
use crate::setup::Setup;

/// Whose calls are served: those of the directory that is kept, or of the configuration's tenants where nothing is. The keys of issuers are fetched beside what else the host does at start: one that is down
/// does not keep the others' callers waiting.
///
/// # Errors
/// A key of an identity provider means two tenants, an issuer stands twice, or a development tenant was asked for where
/// others can reach a listener (A6).
pub(crate) fn tenancy(
    setup: &Setup,
    listeners: &[SocketAddr],
    network: &Arc<Network>,
    kept: Option<&Kept>,
) -> anyhow::Result<Arc<Tenancy>> {
    let directory: Arc<dyn TenantDirectory> = match kept {
        Some(kept) => Arc::clone(&kept.directory) as _,
        None => Arc::new(listed(setup)?),
    };
    let development = match &setup.dev_tenant {
        None => None,
        Some(tenant) => {
            let proof = LoopbackOnly::of(listeners).ok_or_else(|| {
                Failure::usage("--dev-tenant needs every listener on loopback: change --listen")
            })?;
            Some(Principal::development(tenant, proof))
        }
    };
    let fetch = Arc::new(NetworkFetch::new(Arc::clone(network)));
    let mut tenancy = Tenancy::new(setup.config.issuers.clone(), directory, development, fetch)
        .map_err(|why| Failure::usage(why.to_string()))?;
    if let Some(kept) = kept {
        // A tenant whose space was not made when it was added gets it with its first call.
        tenancy = tenancy.with_provisioner(Arc::clone(&kept.provisioner));
    }
    let tenancy = Arc::new(tenancy);
    let starting = Arc::clone(&tenancy);
    tokio::spawn(async move {
        starting.start().await;
        for issuer in starting.issuers_without_keys() {
            tracing::warn!(
                issuer,
                "its keys are not there yet; its tokens are refused until they are"
            );
        }
    });
    Ok(tenancy)
}

/// The tenants of the configuration and of the flags: all that there are without a data directory.
fn listed(setup: &Setup) -> Result<StaticDirectory, Failure> {
    let config = &setup.config;
    let listed = config
        .tenants
        .iter()
        .map(|(id, keys)| (id.clone(), keys.iter().map(String::as_str).collect()));
    let developing = setup
        .dev_tenant
        .iter()
        .filter(|tenant| !config.tenants.contains_key(tenant));
    let tenants = listed.chain(developing.map(|tenant| (tenant.clone(), Vec::new())));
    StaticDirectory::new(tenants).map_err(|why| Failure::usage(format!("[tenants]: {why}")))
}

/// The one caller of `host call`: whom the token speaks for, or the development principal.
///
/// # Errors
/// The token cannot be read or is not believed.
pub(crate) async fn token_or_development(tenancy: &Tenancy, token: Option<&str>) -> anyhow::Result<Binding> {
    let authenticated = match token {
        None => tenancy.authenticate(&HeaderMap::new()).await,
        Some(text) => {
            let token = secret_ref::token(&secret_ref::parse("--token", text)?)?;
            // A token that is no text is no token; the empty one says so.
            let text = std::str::from_utf8(token.expose()).unwrap_or_default();
            tenancy.authenticate_token(text).await
        }
    };
    Ok(authenticated.map_err(|error| error.public())?.binding)
}
