use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use toolhost_identity::{AuthorityGrant, Binding, GrantId, OwnerId, Principal, TenantId};
use toolhost_net::AdmissionQueue;
use toolhost_vault::{Credential, CredentialError, CredentialProvider, CredentialRequest};

use super::authority::{Authority, AuthorityAnswer, AuthorityError};
use super::tokens::{Asker, AuthorityTokens};
use crate::directory::tree_for;
use crate::questions;
use crate::session::{SessionDeps, random_bytes};
use crate::{Bearer, Clock, TenantDirectory, VerifiedCaller};

/// How soon an authority that did not answer is asked again for the same token, in seconds.
const RETRY_AFTER: u64 = 5;
/// Callers and failures that are looked through for what is over before one more is kept.
const MANY: usize = 1_024;

/// The credentials of connections with `credentials = "authority"`: the authority's token for the
/// call's own tenant. All such connections send one token, so they change together.
///
/// The token of a switch comes with the switch. The one of the caller's own tenant is asked for
/// when a call needs it, with that call's own bearer. Both are renewed before they end, in one
/// flight, and where that fails they end; the caller's own token goes to the authority and nowhere
/// else.
#[derive(Debug)]
pub struct AuthorityCredentials {
    authority: Arc<dyn Authority>,
    /// Whose turn it is to ask it, by issuer and tenant of the caller's own token.
    questions: AdmissionQueue<(Box<str>, Option<Box<str>>)>,
    tokens: Arc<AuthorityTokens>,
    directory: Arc<dyn TenantDirectory>,
    clock: Arc<dyn Clock>,
    at_home: Mutex<HashMap<HomeTokenKey, HomeTokenCallers>>,
    flights: Mutex<HashMap<GrantId, Weak<tokio::sync::Mutex<()>>>>,
    failed: Mutex<HashMap<GrantId, u64>>,
}

/// Whose token of its own tenant: another one for whoever has another role or other scopes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct HomeTokenKey {
    owner: OwnerId,
    asker: Asker,
}

/// The token's name, and the requests that are under way. Their bearers are theirs, and go with
/// them.
#[derive(Debug)]
struct HomeTokenCallers {
    grant: GrantId,
    presented: Vec<(Arc<Principal>, Weak<Bearer>)>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
enum ObtainError {
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error("{0}")]
    Other(String),
}

impl AuthorityCredentials {
    /// Asks this authority, and keeps what it gives where sessions look for it.
    #[must_use]
    pub fn new(authority: Arc<dyn Authority>, deps: &SessionDeps) -> Self {
        Self {
            authority,
            questions: AdmissionQueue::new(questions::SWITCHES),
            tokens: Arc::clone(&deps.tokens),
            directory: Arc::clone(&deps.directory),
            clock: Arc::clone(&deps.clock),
            at_home: Mutex::default(),
            flights: Mutex::default(),
            failed: Mutex::default(),
        }
    }

    /// The authority's token of a binding that stands on one.
    pub(super) fn token(&self, binding: &Binding) -> Result<Arc<Credential>, CredentialError> {
        self.tokens.credential(binding)
    }

    pub(super) fn authority_name(&self) -> &'static str {
        self.authority.name()
    }

    /// Asks the authority, when it is the caller's tenant's turn.
    pub(super) async fn ask(
        &self,
        tenant: &TenantId,
        who: &VerifiedCaller,
    ) -> Result<AuthorityAnswer, AuthorityError> {
        let (issuer, home) = (who.principal.issuer(), who.principal.tenant_key());
        let place = self
            .questions
            .admit(&(issuer.into(), home.map(Into::into)))
            .await;
        let _place = place.map_err(|_| AuthorityError::Overloaded)?;
        self.authority.ask(tenant, who).await
    }

    /// A call begins: its own bearer may be shown to the authority as long as the request lasts,
    /// should the call need a token of the caller's own tenant.
    pub fn register_bearer(&self, binding: &Binding, who: &VerifiedCaller) {
        let Some(bearer) = &who.bearer else { return };
        if binding.grant().is_some() || binding.home_tenant() != Some(binding.tenant()) {
            return;
        }
        let mut at_home = lock(&self.at_home);
        if at_home.len() >= MANY {
            at_home.retain(|_, callers| {
                callers
                    .presented
                    .iter()
                    .any(|(_, bearer)| bearer.strong_count() > 0)
            });
        }
        let callers = match at_home.entry(key(binding)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let Ok(random) = random_bytes() else { return };
                entry.insert(HomeTokenCallers {
                    grant: GrantId::new(random),
                    presented: vec![],
                })
            }
        };
        callers
            .presented
            .retain(|(_, bearer)| bearer.strong_count() > 0);
        let here = Arc::downgrade(bearer);
        if !callers
            .presented
            .iter()
            .any(|(_, other)| other.ptr_eq(&here))
        {
            callers.presented.push((Arc::clone(&who.principal), here));
        }
    }

    /// Makes sure of a token under this name: there is one that lasts a while, or it is asked for,
    /// once however many ask.
    pub(super) async fn keep(&self, id: GrantId, tenant: &TenantId, who: &VerifiedCaller) {
        if who.bearer.is_none() || self.tokens.is_fresh(id, &who.principal) {
            return;
        }
        let flight = self.flight(id);
        let _flying = flight.lock().await;
        if self.tokens.is_fresh(id, &who.principal) {
            return;
        }
        let now = self.clock.elapsed();
        let failed_at = lock(&self.failed).get(&id).copied();
        if failed_at.is_some_and(|at| now.saturating_sub(at) < RETRY_AFTER) {
            return;
        }
        match self.obtain(id, tenant, who).await {
            Ok(()) => drop(lock(&self.failed).remove(&id)),
            Err(error) => {
                tracing::warn!(%tenant, %error, "the tenant authority gave no token");
                let is_silence = matches!(
                    error,
                    ObtainError::Authority(
                        AuthorityError::Unavailable(_) | AuthorityError::Overloaded
                    )
                );
                if !is_silence {
                    // It said no, or something that is no yes: what it said before counts no more.
                    self.tokens.remove(id);
                }
                let mut failed = lock(&self.failed);
                if failed.len() >= MANY {
                    failed.retain(|_, at| now.saturating_sub(*at) < RETRY_AFTER);
                }
                // From its end: an authority that hangs is not asked again by each that waited.
                failed.insert(id, self.clock.elapsed());
            }
        }
    }

    /// Asks, and verifies as a switch does: the same subject, client, issuer and tenant, or
    /// nothing.
    async fn obtain(
        &self,
        id: GrantId,
        tenant: &TenantId,
        who: &VerifiedCaller,
    ) -> Result<(), ObtainError> {
        let answer = self.ask(tenant, who).await?;
        let AuthorityAnswer::Token {
            token,
            speaks_for,
            rules,
        } = answer
        else {
            return Err(ObtainError::Other(
                "the authority gives no tokens".to_owned(),
            ));
        };
        let other = |error: &dyn std::fmt::Display| ObtainError::Other(error.to_string());
        let tree = tree_for(self.directory.as_ref(), &who.principal).await;
        let tree = tree.map_err(|error| other(&error))?;
        let grant = AuthorityGrant::try_new(id, &who.principal, &speaks_for, tenant, &rules, &tree);
        let grant = grant.map_err(|error| other(&error))?;
        let held = self
            .tokens
            .hold(grant, token, Asker::from_principal(&who.principal));
        held.map_err(|error| other(&error))
    }

    /// The token of the caller's own tenant, with a request of that very caller that is under way.
    async fn home_grant(&self, binding: &Binding) -> Result<GrantId, CredentialError> {
        if binding.home_tenant() != Some(binding.tenant()) {
            return Err(CredentialError::NotConnected);
        }
        let (id, presented) = {
            let at_home = lock(&self.at_home);
            let callers = at_home
                .get(&key(binding))
                .ok_or(CredentialError::NotConnected)?;
            let alive = callers.presented.iter().find_map(|(principal, bearer)| {
                Some(VerifiedCaller {
                    principal: Arc::clone(principal),
                    bearer: Some(bearer.upgrade()?),
                })
            });
            (callers.grant, alive)
        };
        if let Some(presented) = presented {
            self.keep(id, binding.tenant(), &presented).await;
        }
        Ok(id)
    }

    fn flight(&self, id: GrantId) -> Arc<tokio::sync::Mutex<()>> {
        let mut flights = lock(&self.flights);
        if let Some(flight) = flights.get(&id).and_then(Weak::upgrade) {
            return flight;
        }
        flights.retain(|_, flight| flight.strong_count() > 0);
        let flight = Arc::default();
        flights.insert(id, Arc::downgrade(&flight));
        flight
    }
}

#[async_trait]
impl CredentialProvider for AuthorityCredentials {
    /// A token belongs to a binding: a key alone opens none.
    async fn fetch(
        &self,
        request: CredentialRequest<'_>,
    ) -> Result<Arc<Credential>, CredentialError> {
        let binding = request.binding.ok_or(CredentialError::NotConnected)?;
        let id = match binding.grant() {
            Some(id) => id,
            None => self.home_grant(binding).await?,
        };
        self.tokens.credential_of(id, binding)
    }
}

fn key(binding: &Binding) -> HomeTokenKey {
    HomeTokenKey {
        owner: binding.owner(),
        asker: Asker::from_principal(binding.principal()),
    }
}

/// Each change is one step, so a panic elsewhere leaves the map whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
