use std::collections::BTreeMap;
use std::sync::Arc;

use toolhost_tenancy::AuthorityCredentials;
use toolhost_vault::{CredentialProvider, Problem, SealedVault, StaticProvider};

use crate::config::AUTHORITY;
use crate::exit::Failure;
use crate::setup::{Setup, VAULT};

/// Providers by the name that a connection's `credentials` gives.
pub(super) type Providers = BTreeMap<String, Arc<dyn CredentialProvider>>;

/// The names under which the declared credentials are found: what kind each source is was checked when it was read.
const NAMES: [&str; 3] = ["static", "file", "env"];

/// For looking at a plugin, which reaches nothing.
pub(crate) fn no_credentials() -> Providers {
    Providers::new()
}

/// The provider of the declared credentials, and a sentence for each that gives nothing now.
///
/// # Errors
/// Two credentials for one key. With a development tenant and no issuers, a credential that cannot be read: there is no
/// other caller that the host could serve.
pub(crate) fn provider(
    setup: &Setup,
    vault: Option<&SealedVault>,
    authority: Arc<AuthorityCredentials>,
) -> Result<(Providers, Vec<String>), Failure> {
    let provider = StaticProvider::new(setup.config.credentials.iter().cloned())
        .map_err(|error| Failure::usage(error.to_string()))?;
    let problems: Vec<String> = provider.problems().iter().map(sentence).collect();
    let alone = setup.dev_tenant.is_some() && setup.config.issuers.is_empty();
    if alone && !problems.is_empty() {
        return Err(Failure::refused(problems.join("; ")));
    }
    let provider: Arc<dyn CredentialProvider> = Arc::new(provider);
    let mut providers: Providers = NAMES
        .map(|name| (name.to_owned(), Arc::clone(&provider)))
        .into_iter()
        .collect();
    if let Some(vault) = vault {
        providers.insert(VAULT.to_owned(), Arc::new(vault.clone()));
    }
    providers.insert(AUTHORITY.to_owned(), authority);
    Ok((providers, problems))
}

/// Calls that need it are refused as not connected; the rest goes on.
fn sentence(problem: &Problem) -> String {
    format!(
        "credential {} from {}: {}",
        problem.key, problem.source, problem.reason
    )
}
