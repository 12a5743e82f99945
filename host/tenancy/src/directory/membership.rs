use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderValue;
use moka::sync::Cache;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;
use toolhost_identity::{Principal, Tenant, TenantId, TenantState, Tree};

use super::{DirectoryError, TenantDirectory};
use crate::{Bearer, Clock, ConfigError, Destination, Post, PostRequest, SystemClock};

/// How long an endpoint's answer is believed, in seconds. A membership that ended is refused within it.
pub const MEMBERSHIP_MAX_AGE: u64 = 60;
/// Callers whose tenants are kept. One has a few kilobytes.
const MAX_CALLERS: u64 = 10_000;
/// Questions at once.
const MAX_QUESTIONS: usize = 32;

/// Where an application says of which tenants a caller is a member (E27).
///
/// The host posts `{"issuer", "subject", "client", "tenant", "role"}` and takes
/// `{"tenants": [{"id", "parent"?, "display_name"?, "keys"?, "suspended"?}]}`: the caller's own tenant and those below it that
/// count. The answer narrows what the token's role reaches and never widens it.
#[derive(Debug)]
pub struct MembershipEndpoint {
    /// The endpoint.
    pub destination: Destination,
    /// The host's own token there. The caller's is never sent.
    pub token: Option<Bearer>,
}

/// Tenants by what an application's endpoint says of each caller.
#[derive(Debug)]
pub struct MembershipDirectory {
    destination: Destination,
    authorization: Option<HeaderValue>,
    post: Arc<dyn Post>,
    known: Cache<Asked, Answer>,
    questions: Semaphore,
    clock: Arc<dyn Clock>,
}

/// Of whom it was asked: all that the question has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Asked {
    issuer: Box<str>,
    subject: Box<str>,
    client: Option<Box<str>>,
    tenant: Option<Box<str>>,
    role: &'static str,
}

#[derive(Debug, Clone)]
struct Answer {
    tree: Arc<Tree>,
    at: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    tenants: Vec<WrittenTenant>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTenant {
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
    pub fn new(endpoint: &MembershipEndpoint, post: Arc<dyn Post>) -> Result<Self, ConfigError> {
        Self::with_clock(endpoint, post, Arc::new(SystemClock::default()))
    }

    /// The same, by another clock.
    ///
    /// # Errors
    /// As [`MembershipDirectory::new`].
    pub fn with_clock(
        endpoint: &MembershipEndpoint,
        post: Arc<dyn Post>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        crate::post::check_destination(&endpoint.destination, "directory.url")?;
        Ok(Self {
            destination: endpoint.destination.clone(),
            authorization: endpoint.token.as_ref().and_then(Bearer::header),
            post,
            known: Cache::new(MAX_CALLERS),
            questions: Semaphore::new(MAX_QUESTIONS),
            clock,
        })
    }

    /// Forgets every answer: the next request of each caller asks again. For a revocation that cannot wait.
    pub fn forget(&self) {
        self.known.invalidate_all();
    }

    fn fresh(&self, asked: &Asked) -> Option<Arc<Tree>> {
        let answer = self.known.get(asked)?;
        (self.clock.elapsed().saturating_sub(answer.at) < MEMBERSHIP_MAX_AGE).then_some(answer.tree)
    }

    async fn ask(&self, asked: &Asked) -> Result<Tree, DirectoryError> {
        let unavailable = |why: &str| DirectoryError::Unavailable(why.to_owned());
        let body = json!({
            "issuer": asked.issuer, "subject": asked.subject, "client": asked.client,
            "tenant": asked.tenant, "role": asked.role,
        });
        let _one = self
            .questions
            .acquire()
            .await
            .map_err(|_| unavailable("the host is stopping"))?;
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
        read(&answer.body)
    }
}

#[async_trait]
impl TenantDirectory for MembershipDirectory {
    fn at_once(&self, principal: &Principal) -> Option<Arc<Tree>> {
        self.fresh(&asked(principal))
    }

    async fn tree_for(&self, principal: &Principal) -> Result<Arc<Tree>, DirectoryError> {
        let asked = asked(principal);
        if let Some(tree) = self.fresh(&asked) {
            return Ok(tree);
        }
        self.known.invalidate(&asked);
        // The answer is as old as the question.
        let at = self.clock.elapsed();
        let tree = Arc::new(self.ask(&asked).await.inspect_err(|error| {
            tracing::warn!(%error, "the membership endpoint could not be asked");
        })?);
        if !tree.is_empty() {
            let tree = Arc::clone(&tree);
            self.known.insert(asked, Answer { tree, at });
        }
        Ok(tree)
    }
}

fn asked(principal: &Principal) -> Asked {
    Asked {
        issuer: principal.issuer().into(),
        subject: principal.subject().into(),
        client: principal.client().map(Into::into),
        tenant: principal.tenant_key().map(Into::into),
        role: principal.role().as_str(),
    }
}

/// Reads an answer. A parent that is not in it counts as none: the caller is no member there.
fn read(body: &[u8]) -> Result<Tree, DirectoryError> {
    let damaged = |what: &str| DirectoryError::Damaged(what.to_owned());
    let form = || damaged("the membership endpoint's answer has another form");
    toolhost_identity::strict_object(body).map_err(|_| form())?;
    let written: Written = serde_json::from_slice(body).map_err(|_| form())?;
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
            keys: one.keys,
        });
    }
    let there: HashSet<TenantId> = tenants.iter().map(|tenant| tenant.id.clone()).collect();
    for tenant in &mut tenants {
        tenant.parent = tenant.parent.take().filter(|parent| there.contains(parent));
    }
    Tree::new(0, tenants).map_err(|error| damaged(&error.to_string()))
}
