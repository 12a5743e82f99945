//! A host with a tree of tenants in a store, three kinds of callers, and an authority that a test
//! answers for.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use toolhost_audit::LogSink;
use toolhost_identity::{Binding, Operator, Role, Tenant, TenantId, TenantSpace};
use toolhost_store::{
    Change, Key, MemoryStore, Record, RecordPage, Scan, Space, Store, StoreError,
};
use toolhost_tenancy::dev::{DevKey, MintRequest};
use toolhost_tenancy::{
    Authority, AuthorityCredentials, AuthorityTokens, Destination, FetchError, Freshness,
    HttpAuthority, HttpAuthoritySettings, IssuerConfig, LocalAuthority, Post, PostAnswer,
    PostRequest, Reach, SessionDeps, Sessions, StoredDirectory, Switch, Tenancy, TenantContexts,
    VerifiedCaller,
};

use super::AUDIENCE;
use super::{FakeNet, ISSUER, TestClock, config, dev_key, jwks_url};

pub const AUTHORITY: &str = "https://app.example/switch";

pub fn id(text: &str) -> TenantId {
    TenantId::parse(text).unwrap()
}

pub fn by() -> Operator {
    Operator::of_this_process()
}

pub fn space(text: &str) -> TenantSpace {
    TenantSpace::of_operator(id(text), &by())
}

type Answering = dyn Fn(&PostRequest) -> Result<PostAnswer, FetchError> + Send + Sync;

/// What a host's own question is answered with; who asked what is kept.
pub struct FakePost {
    answer: Mutex<Arc<Answering>>,
    pub asked: Mutex<Vec<PostRequest>>,
    /// How often a question pauses before it is answered.
    pub pauses: usize,
}

impl std::fmt::Debug for FakePost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakePost")
    }
}

impl FakePost {
    pub fn new(
        answer: impl Fn(&PostRequest) -> Result<PostAnswer, FetchError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::pausing(0, answer)
    }

    pub fn pausing(
        pauses: usize,
        answer: impl Fn(&PostRequest) -> Result<PostAnswer, FetchError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            answer: Mutex::new(Arc::new(answer)),
            asked: Mutex::default(),
            pauses,
        })
    }

    pub fn now(
        &self,
        answer: impl Fn(&PostRequest) -> Result<PostAnswer, FetchError> + Send + Sync + 'static,
    ) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }

    pub fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Post for FakePost {
    fn post(&self, request: PostRequest) -> BoxFuture<'_, Result<PostAnswer, FetchError>> {
        Box::pin(async move {
            for _ in 0..self.pauses {
                tokio::task::yield_now().await;
            }
            let answer = self.answer.lock().unwrap().clone();
            let result = answer(&request);
            self.asked.lock().unwrap().push(request);
            result
        })
    }
}

pub fn answer(status: u16, body: &Value) -> Result<PostAnswer, FetchError> {
    Ok(PostAnswer {
        status,
        body: body.to_string().into(),
    })
}

pub fn silence() -> Result<PostAnswer, FetchError> {
    Err(FetchError("nobody answers".into()))
}

/// A store that pauses before and after each step, so that others come between, and that a test can
/// stop.
#[derive(Debug)]
pub struct SlowStore {
    pub inner: Arc<dyn Store>,
    pub down: std::sync::atomic::AtomicBool,
    pub reads: std::sync::atomic::AtomicUsize,
    pub writes: std::sync::atomic::AtomicUsize,
    after_create: std::sync::Mutex<Option<Arc<dyn AfterCreate>>>,
}

/// What happens right after a space was made, before its maker hears of it.
#[async_trait]
pub trait AfterCreate: std::fmt::Debug + Send + Sync {
    async fn created(&self, space: &TenantSpace) -> Result<(), StoreError>;
}

impl Default for SlowStore {
    fn default() -> Self {
        Self::over(Arc::new(MemoryStore::default()))
    }
}

impl SlowStore {
    pub fn over(inner: Arc<dyn Store>) -> Self {
        Self {
            inner,
            down: false.into(),
            reads: 0.into(),
            writes: 0.into(),
            after_create: std::sync::Mutex::default(),
        }
    }

    async fn pause(&self) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        if self.down.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(StoreError::Unavailable("down".into()));
        }
        Ok(())
    }

    pub fn after_create(&self, hook: Arc<dyn AfterCreate>) {
        *self.after_create.lock().unwrap() = Some(hook);
    }

    pub fn stop(&self, down: bool) {
        self.down.store(down, std::sync::atomic::Ordering::SeqCst);
    }
}

#[async_trait]
impl Store for SlowStore {
    async fn get(&self, space: &Space, key: &Key) -> Result<Option<Record>, StoreError> {
        self.pause().await?;
        self.reads.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let result = self.inner.get(space, key).await;
        self.pause().await?;
        result
    }

    async fn scan(&self, space: &Space, scan: &Scan) -> Result<RecordPage, StoreError> {
        self.pause().await?;
        let result = self.inner.scan(space, scan).await;
        self.pause().await?;
        result
    }

    async fn batch(&self, space: &Space, changes: Vec<Change>) -> Result<u64, StoreError> {
        self.pause().await?;
        self.writes
            .fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let result = self.inner.batch(space, changes).await;
        self.pause().await?;
        result
    }

    async fn create(&self, space: &TenantSpace) -> Result<bool, StoreError> {
        self.pause().await?;
        let made = self.inner.create(space).await?;
        let hook = self.after_create.lock().unwrap().clone();
        if let Some(hook) = hook.filter(|_| made) {
            hook.created(space).await?;
        }
        Ok(made)
    }

    async fn destroy(&self, space: &TenantSpace) -> Result<bool, StoreError> {
        self.pause().await?;
        self.inner.destroy(space).await
    }

    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        self.inner.tenants().await
    }
}

pub fn roles(issuer: &str) -> IssuerConfig {
    IssuerConfig {
        role_claim: Some("/role".into()),
        may_grant: vec![Role::Owner, Role::Superadmin],
        ..config(issuer)
    }
}

pub struct Town {
    pub net: Arc<FakeNet>,
    pub clock: Arc<TestClock>,
    pub key: Arc<DevKey>,
    pub store: Arc<SlowStore>,
    pub directory: Arc<StoredDirectory>,
    pub tenancy: Arc<Tenancy>,
    pub deps: SessionDeps,
    pub sessions: Arc<Sessions>,
    pub contexts: Arc<TenantContexts>,
}

impl Town {
    /// acme > acme-eu > acme-eu-fr, acme > acme-us, globex.
    pub async fn new(reach: Reach) -> Self {
        Self::over(reach, SlowStore::default()).await
    }

    /// A town over a store that has nothing yet.
    pub async fn over(reach: Reach, store: SlowStore) -> Self {
        let store = Arc::new(store);
        let (net, clock) = (Arc::new(FakeNet::default()), Arc::new(TestClock::default()));
        let key = Arc::new(dev_key());
        net.serve_keys(&jwks_url(ISSUER), &[&key]);
        let directory = StoredDirectory::with_clock(store.clone(), Freshness::Sole, clock.clone())
            .await
            .unwrap();
        for (tenant, parent) in [
            ("acme", ""),
            ("acme-eu", "acme"),
            ("acme-eu-fr", "acme-eu"),
            ("acme-us", "acme"),
            ("globex", ""),
        ] {
            let tenant = match parent {
                "" => Tenant::root(id(tenant)),
                parent => Tenant::below(id(parent), id(tenant)),
            };
            store.create(&space(tenant.id.as_str())).await.unwrap();
            directory.add(tenant, &by()).await.unwrap();
        }
        let directory = Arc::new(directory);
        let tenancy = Tenancy::with_clock(
            vec![roles(ISSUER)],
            directory.clone(),
            None,
            net.clone(),
            clock.clone(),
        )
        .unwrap();
        let deps = SessionDeps {
            store: store.clone(),
            directory: directory.clone(),
            tokens: Arc::new(AuthorityTokens::new(clock.clone())),
            reach,
            clock: clock.clone(),
            max_age: None,
        };
        Self {
            sessions: Arc::new(Sessions::new(deps.clone())),
            contexts: Arc::new(TenantContexts::new(deps.clone())),
            net,
            clock,
            key,
            store,
            directory,
            tenancy: Arc::new(tenancy),
            deps,
        }
    }

    /// Another host on the same store.
    pub fn neighbour(&self, max_age: Option<u64>) -> (Arc<Sessions>, Arc<TenantContexts>) {
        let deps = SessionDeps {
            max_age,
            ..self.deps.clone()
        };
        (
            Arc::new(Sessions::new(deps.clone())),
            Arc::new(TenantContexts::new(deps)),
        )
    }

    pub fn request(&self, subject: &str, role: &str, tenant: Option<&str>) -> MintRequest {
        MintRequest {
            tenant: tenant.map(Into::into),
            role: Some(role.into()),
            ..MintRequest::new(ISSUER, AUDIENCE, subject)
        }
    }

    pub async fn present(&self, request: &MintRequest) -> VerifiedCaller {
        let token = self
            .key
            .mint(request, super::Clock::unix(self.clock.as_ref()))
            .unwrap();
        self.tenancy.admit_token(&token).await.unwrap().presented
    }

    pub async fn who(&self, subject: &str, role: &str, tenant: Option<&str>) -> VerifiedCaller {
        self.present(&self.request(subject, role, tenant)).await
    }

    pub async fn owner(&self) -> VerifiedCaller {
        self.who("olga", "OWNER", Some("acme")).await
    }

    pub fn switch(&self) -> Switch {
        self.switch_by(Arc::new(LocalAuthority))
    }

    pub fn switch_by(&self, authority: Arc<dyn Authority>) -> Switch {
        let (sessions, contexts) = (self.sessions.clone(), self.contexts.clone());
        Switch::new(
            sessions,
            contexts,
            self.credentials(authority),
            Arc::new(LogSink),
        )
    }

    pub fn credentials(&self, authority: Arc<dyn Authority>) -> Arc<AuthorityCredentials> {
        Arc::new(AuthorityCredentials::new(authority, &self.deps))
    }

    /// An application's endpoint that this post answers for.
    pub fn endpoint(&self, post: Arc<FakePost>) -> Arc<HttpAuthority> {
        let settings = HttpAuthoritySettings {
            destination: Destination::new(AUTHORITY.parse().unwrap()),
            token: "/access_token".into(),
            issuer: config(ISSUER),
        };
        let (net, clock) = (self.net.clone(), self.clock.clone());
        Arc::new(HttpAuthority::with_clock(settings, post, net, clock).unwrap())
    }

    /// The endpoint's answer with a token of these claims.
    pub fn granting(
        &self,
        change: impl FnOnce(&mut MintRequest),
        subject: &str,
        tenant: &str,
    ) -> Value {
        let mut request = MintRequest {
            tenant: Some(tenant.into()),
            ..MintRequest::new(ISSUER, AUDIENCE, subject)
        };
        change(&mut request);
        let now = super::Clock::unix(self.clock.as_ref());
        json!({ "access_token": self.key.mint(&request, now).unwrap() })
    }
}

/// The claims of a token that nothing was asked of.
pub fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(part)
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

pub fn tenant_of(binding: &Binding) -> &str {
    binding.tenant().as_str()
}
