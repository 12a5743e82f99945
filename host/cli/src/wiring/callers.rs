use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderMap;
use toolhost_identity::{LoopbackOnly, Principal, StaticDirectory, Tenant, Tree};
use toolhost_net::Network;
use toolhost_tenancy::{
    AdmittedCaller, Bearer, Introspection, MembershipDirectory, MembershipEndpoint, NetworkFetch,
    SingleDirectory, Tenancy, TenantDirectory,
};

use super::data_directory::DataDirectory;
use crate::exit::CliError;
use crate::secret_ref;
use crate::setup::Setup;

/// Whose calls are served: the tenants of the data directory, or where there is none those that the
/// configuration lists and the development one. Of these the one that the host serves alone, or
/// those that an application's endpoint names.
///
/// # Errors
/// They are no tree, or a key of an identity provider means two of them; the endpoint's secret
/// cannot be read.
pub(crate) fn directory(
    setup: &Setup,
    kept: Option<&DataDirectory>,
    network: &Arc<Network>,
) -> anyhow::Result<Arc<dyn TenantDirectory>> {
    let own = own_tenants(setup, kept)?;
    if let Some(single) = &setup.config.single {
        return Ok(Arc::new(SingleDirectory::new(own, single.clone())));
    }
    let Some(membership) = &setup.config.membership else {
        return Ok(own);
    };
    let token = membership.token.as_ref();
    let endpoint = MembershipEndpoint {
        destination: membership.destination.clone(),
        token: token
            .map(|source| secret_ref::text("tenancy.membership.token", source))
            .transpose()?
            .map(Bearer::from),
        max_age: membership.max_age,
    };
    let post = Arc::new(NetworkFetch::new(Arc::clone(network)));
    let members = MembershipDirectory::new(&endpoint, post)
        .map_err(|why| CliError::usage(why.to_string()))?;
    Ok(Arc::new(members.with_tenants(own)))
}

fn own_tenants(
    setup: &Setup,
    kept: Option<&DataDirectory>,
) -> anyhow::Result<Arc<dyn TenantDirectory>> {
    if let Some(kept) = kept {
        return Ok(Arc::clone(&kept.directory) as _);
    }
    let listed = setup.config.tenants.values().cloned();
    let developing = setup
        .dev_tenant
        .iter()
        .filter(|tenant| !setup.config.tenants.contains_key(tenant));
    let tenants = listed.chain(developing.map(|tenant| Tenant::root(tenant.clone())));
    let tree = Tree::new(0, tenants).map_err(|why| CliError::usage(format!("[tenants]: {why}")))?;
    Ok(Arc::new(StaticDirectory::from_tree(tree)))
}

/// Who calls. The keys of issuers are fetched beside what else the host does at start: one that is
/// down does not keep the others' callers waiting.
///
/// # Errors
/// An issuer stands twice; a secret of the host's own cannot be read; a development tenant was
/// asked for where others can reach a listener (A6).
pub(crate) fn tenancy(
    setup: &Setup,
    listeners: &[SocketAddr],
    network: &Arc<Network>,
    directory: Arc<dyn TenantDirectory>,
    kept: Option<&DataDirectory>,
) -> anyhow::Result<Arc<Tenancy>> {
    let config = &setup.config;
    let development = match &setup.dev_tenant {
        None => None,
        Some(tenant) => {
            let proof = LoopbackOnly::from_listeners(listeners).ok_or_else(|| {
                CliError::usage("--dev-tenant needs every listener on loopback: change --listen")
            })?;
            Some(Principal::development(tenant, proof))
        }
    };
    let fetch = Arc::new(NetworkFetch::new(Arc::clone(network)));
    let mut tenancy = Tenancy::new(
        config.issuers.clone(),
        directory,
        development,
        Arc::clone(&fetch) as _,
    )
    .map_err(|why| CliError::usage(why.to_string()))?
    .with_machine_headers(config.machine_headers.clone());
    if let Some((issuer, client)) = &config.introspection {
        let endpoint = Introspection {
            destination: client.destination.clone(),
            client_id: client.id.clone(),
            client_secret: secret_ref::text("issuers.introspection.client_secret", &client.secret)?,
        };
        tenancy = tenancy
            .with_introspection(issuer, &endpoint, fetch)
            .map_err(|why| CliError::usage(why.to_string()))?;
    }
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

/// The one caller of `host call`: whom the token speaks for, or the development principal.
///
/// # Errors
/// The token cannot be read or is not believed.
pub(crate) async fn token_or_development(
    tenancy: &Tenancy,
    token: Option<&str>,
) -> anyhow::Result<AdmittedCaller> {
    let admitted = match token {
        None => tenancy.admit(&HeaderMap::new()).await,
        Some(text) => {
            let token = secret_ref::token(&secret_ref::parse("--token", text)?)?;
            // A token that is not a string is no token; the empty one says so.
            let text = std::str::from_utf8(token.expose()).unwrap_or_default();
            tenancy.admit_token(text).await
        }
    };
    Ok(admitted.map_err(|error| error.public())?)
}
