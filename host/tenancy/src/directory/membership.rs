use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use http::HeaderValue;
use moka::sync::Cache;
use serde::Deserialize;
use serde_json::json;
use toolhost_identity::{Principal, Tenant, TenantId, TenantKey, TenantState, Tree};
use toolhost_net::{AdmissionQueue, SingleFlight};

use super::narrow::narrow;
use super::{DirectoryError, TenantDirectory, tree_for};
use crate::questions::{self, FailureMemory};
use crate::{Bearer, Clock, Destination, IssuerConfigError, Post, PostRequest, SystemClock};

/// How long an endpoint's answer is believed at most, in seconds. A membership that ended is
/// refused within it.
pub const MEMBERSHIP_MAX_AGE: u64 = 60;
/// Callers whose tenants are kept. One has a few kilobytes.
const MAX_CALLERS: u64 = 10_000;

/// Where an application says of which tenants a caller is a member (E27).
///
/// The host posts `{"issuer", "subject", "client", "tenant", "role"}` and takes
/// `{"tenants": [{"id", "parent"?, "display_name"?, "keys"?, "suspended"?}]}`: the caller's own
/// tenant and those below it that count. The answer narrows what the token's role reaches and never
/// widens it.
#[derive(Debug)]
pub struct MembershipEndpoint {
    /// The endpoint.
    pub destination: Destination,
    /// The host's own token there. The caller's is never sent.
    pub token: Option<Bearer>,
    /// How long an answer is believed, in seconds; [`MEMBERSHIP_MAX_AGE`] where it is more.
    pub max_age: u64,
}

/// Tenants by what an application's endpoint says of each caller.
///
/// A caller is asked about once however many of its requests wait, and not again for a moment where
/// there was no answer. The questions share their places by the tenant of the token, so that an
/// application that hangs for one tenant is not waited for by the others.
#[derive(Debug)]
pub struct MembershipDirectory {
    endpoint: Arc<MembershipClient>,
    known: Cache<MembershipKey, CachedMembership>,
    flights: SingleFlight<MembershipKey, Result<CachedMembership, DirectoryError>>,
    failures: FailureMemory<MembershipKey, DirectoryError>,
    questions: Arc<AdmissionQueue<MembershipShare>>,
    max_age: u64,
    /// The host's own tenants, where the answer says which of those count.
    of: Option<Arc<dyn TenantDirectory>>,
    clock: Arc<dyn Clock>,
}

/// Whose share a question is of: issuer and tenant claim.
type MembershipShare = (Box<str>, Option<Box<str>>);

/// What is needed to ask.
#[derive(Debug)]
struct MembershipClient {
    destination: Destination,
    authorization: Option<HeaderValue>,
    post: Arc<dyn Post>,
}

/// The host's own tenants as they were, and what is left of them.
type NarrowedTree = (Arc<Tree>, Arc<Tree>);

/// Of whom it was asked: all that the question has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct MembershipKey {
    issuer: Box<str>,
    /// The issuer as the configuration names it: whose the keys of the answer are.
    key_issuer: Box<str>,
    subject: Box<str>,
    client: Option<Box<str>>,
    tenant: Option<Box<str>>,
    role: &'static str,
}

#[derive(Debug, Clone)]
struct CachedMembership {
    tree: Arc<Tree>,
    at: u64,
    /// The host's own tenants and what the answer leaves of them, as of the last look.
    narrowed: Arc<Mutex<Option<NarrowedTree>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MembershipBody {
    tenants: Vec<MembershipTenant>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MembershipTenant {
    id: String,
    parent: Option<String>,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    suspended: bool,
}

impl MembershipDirectory {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// The endpoint is not `https`.
    pub fn new(
        endpoint: &MembershipEndpoint,
        post: Arc<dyn Post>,
    ) -> Result<Self, IssuerConfigError> {
        Self::with_clock(endpoint, post, Arc::new(SystemClock::default()))
    }

    /// A directory that judges times by another clock.
    ///
    /// # Errors
    /// As [`MembershipDirectory::new`].
    pub fn with_clock(
        endpoint: &MembershipEndpoint,
        post: Arc<dyn Post>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssuerConfigError> {
        crate::post::check_destination(&endpoint.destination, "tenancy.membership.url")?;
        Ok(Self {
            endpoint: Arc::new(MembershipClient {
                destination: endpoint.destination.clone(),
                authorization: endpoint.token.as_ref().and_then(Bearer::header),
                post,
            }),
            known: Cache::new(MAX_CALLERS),
            flights: SingleFlight::default(),
            failures: FailureMemory::default(),
            questions: Arc::new(AdmissionQueue::new(questions::MEMBERSHIPS)),
            max_age: endpoint.max_age.min(MEMBERSHIP_MAX_AGE),
            of: None,
            clock,
        })
    }

    /// Of these tenants alone: which there are, how they belong together and whether they are
    /// served is this directory's to say, and the endpoint says of which of them a caller is a
    /// member.
    #[must_use]
    pub fn with_tenants(mut self, tenants: Arc<dyn TenantDirectory>) -> Self {
        self.of = Some(tenants);
        self
    }

    /// Forgets every answer: the next request of each caller asks again. For a revocation that
    /// cannot wait.
    pub fn forget(&self) {
        self.known.invalidate_all();
    }

    fn fresh_answer(&self, asked: &MembershipKey) -> Option<CachedMembership> {
        let answer = self.known.get(asked)?;
        (self.clock.elapsed().saturating_sub(answer.at) < self.max_age).then_some(answer)
    }

    /// What an answer leaves of the host's own tenants as they are now.
    fn among_own(answer: CachedMembership, own: Option<Arc<Tree>>) -> Arc<Tree> {
        let Some(own) = own else { return answer.tree };
        let mut last = answer
            .narrowed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match last.as_ref() {
            Some((of, narrowed)) if Arc::ptr_eq(of, &own) => Arc::clone(narrowed),
            _ => {
                let narrowed = Arc::new(narrow(&own, &answer.tree));
                *last = Some((own, Arc::clone(&narrowed)));
                narrowed
            }
        }
    }

    async fn ask_again(&self, asked: &MembershipKey) -> Result<CachedMembership, DirectoryError> {
        if let Some(error) = self.failures.recent_failure(asked, self.clock.elapsed()) {
            return Err(error);
        }
        self.known.invalidate(asked);
        let flight = self.flights.join(asked.clone(), || {
            let (endpoint, questions) = (Arc::clone(&self.endpoint), Arc::clone(&self.questions));
            let (asked, clock) = (asked.clone(), Arc::clone(&self.clock));
            async move {
                let share = (asked.issuer.clone(), asked.tenant.clone());
                let place = questions.admit(&share).await;
                let _place = place.map_err(|_| DirectoryError::Overloaded)?;
                // The answer is as old as the question.
                let at = clock.elapsed();
                let tree = endpoint.ask(&asked).await.inspect_err(|error| {
                    tracing::warn!(%error, "the membership endpoint could not be asked");
                })?;
                Ok(CachedMembership {
                    tree: Arc::new(tree),
                    at,
                    narrowed: Arc::default(),
                })
            }
        });
        let answer = flight.await;
        match &answer {
            Ok(answer) if !answer.tree.is_empty() => {
                self.known.insert(asked.clone(), answer.clone())
            }
            Ok(_) | Err(DirectoryError::Overloaded) => {}
            Err(error) => {
                let now = self.clock.elapsed();
                let lasts = questions::FAILURE_MAX_AGE;
                self.failures
                    .remember(asked.clone(), error.clone(), now, lasts);
            }
        }
        answer
    }
}

impl MembershipClient {
    async fn ask(&self, asked: &MembershipKey) -> Result<Tree, DirectoryError> {
        let unavailable = |why: &str| DirectoryError::Unavailable(why.to_owned());
        let body = json!({
            "issuer": asked.issuer, "subject": asked.subject, "client": asked.client,
            "tenant": asked.tenant, "role": asked.role,
        });
        let request = PostRequest {
            destination: self.destination.clone(),
            authorization: self.authorization.clone(),
            content_type: "application/json",
            body: body.to_string().into(),
        };
        let answer = self.post.post(request).await;
        let answer = answer.map_err(|error| unavailable(&error.to_string()))?;
        if answer.status != 200 {
            return Err(unavailable("the membership endpoint's status is not 200"));
        }
        read(&answer.body, &asked.key_issuer)
    }
}

#[async_trait]
impl TenantDirectory for MembershipDirectory {
    fn cached_tree(&self, principal: &Principal) -> Option<Arc<Tree>> {
        let asked = membership_key(principal);
        let answer = self.fresh_answer(&asked)?;
        let own = match &self.of {
            Some(of) => Some(of.cached_tree(principal)?),
            None => None,
        };
        Some(Self::among_own(answer, own))
    }

    async fn tree_for(&self, principal: &Principal) -> Result<Arc<Tree>, DirectoryError> {
        let asked = membership_key(principal);
        let answer = match self.fresh_answer(&asked) {
            Some(answer) => answer,
            None => self.ask_again(&asked).await?,
        };
        let own = match &self.of {
            Some(of) => Some(tree_for(of.as_ref(), principal).await?),
            None => None,
        };
        Ok(Self::among_own(answer, own))
    }
}

fn membership_key(principal: &Principal) -> MembershipKey {
    MembershipKey {
        issuer: principal.issuer().into(),
        key_issuer: principal.tenant_scope().issuer().into(),
        subject: principal.subject().into(),
        client: principal.client().map(Into::into),
        tenant: principal.tenant_key().map(Into::into),
        role: principal.role().as_str(),
    }
}

fn of_issuer(key: String, issuer: &str) -> String {
    match TenantKey::parse(&key).issuer {
        Some(_) => key,
        None => format!("{issuer}#{key}"),
    }
}

/// Reads an answer. A parent that is not in it counts as none: the caller is no member there.
fn read(body: &[u8], issuer: &str) -> Result<Tree, DirectoryError> {
    let damaged = |what: &str| DirectoryError::Damaged(what.to_owned());
    let form = || damaged("the membership endpoint's answer has another form");
    toolhost_identity::strict_object(body).map_err(|_| form())?;
    let written: MembershipBody = serde_json::from_slice(body).map_err(|_| form())?;
    let parse = |text: &str| TenantId::parse(text).map_err(|error| damaged(&error.to_string()));
    let mut tenants = Vec::with_capacity(written.tenants.len());
    for one in written.tenants {
        tenants.push(Tenant {
            id: parse(&one.id)?,
            parent: one.parent.as_deref().map(parse).transpose()?,
            state: if one.suspended {
                TenantState::Suspended
            } else {
                TenantState::Active
            },
            display_name: one.display_name,
            // It was asked about a caller of this issuer, so what does not say otherwise is that
            // one's.
            keys: one
                .keys
                .into_iter()
                .map(|key| of_issuer(key, issuer))
                .collect(),
        });
    }
    let there: HashSet<TenantId> = tenants.iter().map(|tenant| tenant.id.clone()).collect();
    for tenant in &mut tenants {
        tenant.parent = tenant.parent.take().filter(|parent| there.contains(parent));
    }
    Tree::new(0, tenants).map_err(|error| damaged(&error.to_string()))
}
