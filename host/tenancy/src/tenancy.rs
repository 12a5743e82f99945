use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use serde_json::{Value, json};
use toolhost_identity::{
    Binding, Caller, IssuerName, MAX_TOKEN_BYTES, Principal, TokenError, Tree, UnverifiedToken,
};
use url::Url;

use crate::admitted_caller::{AdmittedCaller, AuthenticatedCaller};
use crate::bearer::{Credentials, credentials};
use crate::directory::tree_for;
use crate::introspection::Introspector;
use crate::issuer::Issuer;
use crate::questions::RequestSource;
use crate::token_cache::{Proof, TokenCache, VerifiedToken};
use crate::{
    AuthError, Bearer, Clock, INTROSPECTION_MAX_AGE, Introspection, IssuerConfig,
    IssuerConfigError, KeyFetch, MachineHeaders, Post, ProvisionError, Provisioner, SystemClock,
    TenantDirectory, VerifiedCaller,
};

/// Whose call it is: the issuers with their keys, the directory, and the tokens that were verified
/// lately.
#[derive(Debug)]
pub struct Tenancy {
    issuers: Vec<Issuer>,
    /// By the names that are no templates.
    by_name: HashMap<String, usize>,
    directory: Arc<dyn TenantDirectory>,
    development: Option<Arc<Principal>>,
    introspector: Option<Introspector>,
    machines: MachineHeaders,
    provisioner: Option<Arc<Provisioner>>,
    tokens: TokenCache,
    clock: Arc<dyn Clock>,
    scopes: Arc<[String]>,
}

impl Tenancy {
    /// Takes the configuration. Nothing is fetched yet: see [`Tenancy::start`].
    ///
    /// # Errors
    /// An issuer's configuration is wrong, or there twice.
    pub fn new(
        issuers: Vec<IssuerConfig>,
        directory: Arc<dyn TenantDirectory>,
        development: Option<Principal>,
        fetch: Arc<dyn KeyFetch>,
    ) -> Result<Self, IssuerConfigError> {
        Self::with_clock(
            issuers,
            directory,
            development,
            fetch,
            Arc::new(SystemClock::default()),
        )
    }

    /// A tenancy that judges times by another clock.
    ///
    /// # Errors
    /// As [`Tenancy::new`].
    pub fn with_clock(
        configs: Vec<IssuerConfig>,
        directory: Arc<dyn TenantDirectory>,
        development: Option<Principal>,
        fetch: Arc<dyn KeyFetch>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssuerConfigError> {
        let mut issuers = Vec::with_capacity(configs.len());
        let mut by_name = HashMap::new();
        let mut scopes = Vec::new();
        let are_several = configs.len() > 1;
        for mut config in configs {
            let name = config.issuer.clone();
            if are_several && config.tenants.is_none() {
                return Err(IssuerConfigError::Tenants(name));
            }
            config.shares_directory |= are_several;
            let issuer = Issuer::new(config, Arc::clone(&fetch), Arc::clone(&clock))?;
            if by_name.insert(name.clone(), issuers.len()).is_some() {
                return Err(IssuerConfigError::Twice(name));
            }
            scopes.extend(issuer.rules.scopes.iter().cloned());
            issuers.push(issuer);
        }
        scopes.sort_unstable();
        scopes.dedup();
        Ok(Self {
            issuers,
            by_name,
            directory,
            development: development.map(Arc::new),
            introspector: None,
            machines: MachineHeaders::default(),
            provisioner: None,
            tokens: TokenCache::new(),
            clock,
            scopes: scopes.into(),
        })
    }

    /// Takes opaque tokens of one issuer too, by asking it what they mean (RFC 7662).
    ///
    /// # Errors
    /// The issuer is not configured, another one has such an endpoint already, or it is not
    /// `https`.
    pub fn with_introspection(
        mut self,
        issuer: &str,
        endpoint: &Introspection,
        post: Arc<dyn Post>,
    ) -> Result<Self, IssuerConfigError> {
        if self.introspector.is_some() {
            return Err(IssuerConfigError::Introspections(issuer.to_owned()));
        }
        let unknown = || IssuerConfigError::Unknown {
            setting: "introspection",
            issuer: issuer.to_owned(),
        };
        let place = *self.by_name.get(issuer).ok_or_else(unknown)?;
        let rules = self.issuers.get(place).ok_or_else(unknown)?.rules.clone();
        let clock = Arc::clone(&self.clock);
        self.introspector = Some(Introspector::new(place, rules, endpoint, post, clock)?);
        Ok(self)
    }

    /// Other names for the headers of machine callers.
    #[must_use]
    pub fn with_machine_headers(mut self, names: MachineHeaders) -> Self {
        self.machines = names;
        self
    }

    /// Sets tenants up at their first sight.
    #[must_use]
    pub fn with_provisioner(mut self, provisioner: Arc<Provisioner>) -> Self {
        self.provisioner = Some(provisioner);
        self
    }

    /// Fetches the keys of all issuers at once. One that does not answer is logged and asked again
    /// with its first token; the host serves the others' tokens meanwhile.
    pub async fn start(&self) {
        futures::future::join_all(self.issuers.iter().map(|issuer| issuer.keys.current())).await;
    }

    /// Whether a caller could be verified: some issuer's keys are there, or no issuer is
    /// configured. An identity provider that is down does not take the host from the others'
    /// callers.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.issuers.is_empty()
            || self
                .issuers
                .iter()
                .any(|issuer| issuer.keys.usable_keys().is_some())
    }

    /// The issuers whose tokens cannot be verified now, for `/ready` and the log.
    #[must_use]
    pub fn issuers_without_keys(&self) -> Vec<&str> {
        let lacks = |issuer: &&Issuer| issuer.keys.usable_keys().is_none();
        self.issuers
            .iter()
            .filter(lacks)
            .map(|issuer| issuer.rules.issuer.as_str())
            .collect()
    }

    /// The caller of a request, by its one `Authorization` header, at its home tenant.
    ///
    /// The development principal stands in only where there is no such header at all: a bad token
    /// stays an error (A6). A token in the query is for the transport to refuse.
    ///
    /// # Errors
    /// The request has no caller, or one without a tenant.
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
    ) -> Result<AuthenticatedCaller, AuthError> {
        let admitted = self.admit(headers).await?;
        let binding = admitted
            .caller
            .binding()?
            .attributed_to(admitted.attribution);
        Ok(AuthenticatedCaller { binding })
    }

    /// Verifies the caller of a request for a transport with sessions: a caller without a tenant is
    /// one too. A machine's headers are held against its token (A3).
    ///
    /// # Errors
    /// The request has no caller.
    pub async fn admit(&self, headers: &HeaderMap) -> Result<AdmittedCaller, AuthError> {
        self.admit_from(headers, None).await
    }

    /// Verifies the caller of a request from this address. It decides nothing but whose share of
    /// the questions to issuers the request has, where its token must be asked about.
    ///
    /// # Errors
    /// As [`Tenancy::admit`].
    pub async fn admit_from(
        &self,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Result<AdmittedCaller, AuthError> {
        let source = RequestSource::from_address(address);
        let (principal, bearer) = match credentials(headers) {
            Credentials::Bearer(token) => (
                self.principal(token, source).await?,
                Some(Bearer::new(token)),
            ),
            Credentials::Malformed(why) => return Err(AuthError::Malformed(why)),
            Credentials::OtherScheme => return Err(self.missing_token_error()),
            Credentials::None => match &self.development {
                Some(principal) => (Arc::clone(principal), None),
                None => return Err(self.missing_token_error()),
            },
        };
        let tree = tree_for(self.directory.as_ref(), &principal).await?;
        let attribution = self.machines.check(&principal, headers, &tree)?;
        let caller = self.caller(&principal, tree).await?;
        let bearer = bearer.map(Arc::new);
        Ok(AdmittedCaller {
            caller,
            presented: VerifiedCaller { principal, bearer },
            attribution,
        })
    }

    /// The caller of a token that came another way: `--token` of stdio and `host call`. There are
    /// no headers then, and none that could be sent again with another tenant's name, so a
    /// machine's token speaks for itself.
    ///
    /// # Errors
    /// The token is not believed, or has no tenant that is served here.
    pub async fn authenticate_token(&self, token: &str) -> Result<AuthenticatedCaller, AuthError> {
        let binding = self.admit_token(token).await?.caller.binding()?;
        Ok(AuthenticatedCaller { binding })
    }

    /// Verifies a token for a transport with sessions.
    ///
    /// # Errors
    /// The token is not believed, or names a tenant that is not served here.
    pub async fn admit_token(&self, token: &str) -> Result<AdmittedCaller, AuthError> {
        let principal = self
            .principal(token, RequestSource::from_address(None))
            .await?;
        let tree = tree_for(self.directory.as_ref(), &principal).await?;
        let caller = self.caller(&principal, tree).await?;
        let bearer = Some(Arc::new(Bearer::new(token)));
        Ok(AdmittedCaller {
            caller,
            presented: VerifiedCaller { principal, bearer },
            attribution: None,
        })
    }

    /// Whom a token speaks for, by what was verified lately or by its issuer.
    async fn principal(
        &self,
        token: &str,
        source: RequestSource,
    ) -> Result<Arc<Principal>, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge.into());
        }
        let key = TokenCache::key(token);
        if let Some(verified) = self.tokens.get(&key) {
            if self.still_holds(&verified).await {
                return Ok(verified.principal);
            }
            self.tokens.remove(&key);
        }
        let verified = self.verify(key, token, source).await?;
        self.tokens.insert(key, verified.clone());
        Ok(verified.principal)
    }

    /// The caller at home, or tenantless. A tenant that nobody has seen is admitted here if its
    /// issuer may, and one that has no space yet is set up.
    async fn caller(
        &self,
        principal: &Arc<Principal>,
        tree: Arc<Tree>,
    ) -> Result<Caller, AuthError> {
        let mut tree = tree;
        if let Some(provisioner) = &self.provisioner
            && principal.tenant_key().is_some()
            && tree.tenant_of(principal).is_none()
            && provisioner.admit(principal).await
        {
            tree = tree_for(self.directory.as_ref(), principal).await?;
        }
        let caller = Caller::from_principal(Arc::clone(principal), &tree)?;
        if let (Some(provisioner), Caller::Home(binding)) = (&self.provisioner, &caller) {
            provisioner.ensure(binding).await.map_err(|error| match error {
                ProvisionError::Removed => AuthError::TenantUnavailable,
                error => {
                    tracing::warn!(tenant = %binding.tenant(), %error, "a tenant could not be set up");
                    AuthError::NotProvisioned
                }
            })?;
        }
        Ok(caller)
    }

    /// The development principal's caller, for a transport that has no headers (stdio).
    ///
    /// # Errors
    /// There is none.
    pub fn development(&self) -> Result<AuthenticatedCaller, AuthError> {
        let principal = self
            .development
            .as_ref()
            .ok_or_else(|| self.missing_token_error())?;
        let tree = self.directory.cached_tree(principal);
        let tree = tree.ok_or(AuthError::DirectoryUnavailable)?;
        let binding = Binding::home(Arc::clone(principal), &tree)?;
        Ok(AuthenticatedCaller { binding })
    }

    /// The document that says which issuers' tokens this resource takes (RFC 9728 section 2).
    /// Members without a value are left out, as its section 3.2 wants; so is a template, which no
    /// client could ask.
    #[must_use]
    pub fn resource_metadata(&self, resource: &Url) -> Value {
        let mut document =
            json!({ "resource": resource.as_str(), "bearer_methods_supported": ["header"] });
        let named = self.issuers.iter().map(|issuer| &issuer.rules.issuer);
        let issuers: Vec<_> = named
            .filter(|issuer| issuer.claim().is_none())
            .map(IssuerName::as_str)
            .collect();
        if let Some(members) = document.as_object_mut() {
            if !issuers.is_empty() {
                members.insert("authorization_servers".into(), json!(issuers));
            }
            if !self.scopes.is_empty() {
                members.insert("scopes_supported".into(), json!(self.scopes));
            }
        }
        document
    }

    /// Whether a token that was verified would be verified again: it has not expired, and the
    /// issuer's keys are the same. So a key that its issuer removed ends its tokens here too (T25).
    async fn still_holds(&self, verified: &VerifiedToken) -> bool {
        if self.clock.unix() >= verified.principal.expires_at() {
            return false;
        }
        let Some(issuer) = self.issuers.get(verified.issuer) else {
            return false;
        };
        match verified.proof {
            Proof::Introspection(at) => {
                self.clock.elapsed().saturating_sub(at) < INTROSPECTION_MAX_AGE
            }
            Proof::Keys(generation) => issuer
                .keys
                .current()
                .await
                .is_ok_and(|loaded| loaded.generation == generation),
        }
    }

    async fn verify(
        &self,
        key: [u8; 32],
        text: &str,
        source: RequestSource,
    ) -> Result<VerifiedToken, AuthError> {
        // What has the three parts of a JWT is one, and is believed by its signature or not at all.
        if let Some(introspector) = self
            .introspector
            .as_ref()
            .filter(|_| text.split('.').count() != 3)
        {
            return self.ask(introspector, key, text, source).await;
        }
        let token = UnverifiedToken::parse(text)?;
        let place = self.place_of(token.issuer()?).ok_or(TokenError::Issuer)?;
        let issuer = self.issuers.get(place).ok_or(TokenError::Issuer)?;
        let (principal, generation) = issuer.verify(&token, key).await?;
        Ok(VerifiedToken {
            principal: Arc::new(principal),
            issuer: place,
            proof: Proof::Keys(generation),
        })
    }

    /// The issuer whose tokens have this `iss`: the one of that very name, or the first template
    /// that covers it.
    fn place_of(&self, iss: &str) -> Option<usize> {
        let exact = self.by_name.get(iss).copied();
        exact.or_else(|| {
            self.issuers
                .iter()
                .position(|issuer| issuer.rules.issuer.covers(iss))
        })
    }

    async fn ask(
        &self,
        introspector: &Introspector,
        key: [u8; 32],
        text: &str,
        source: RequestSource,
    ) -> Result<VerifiedToken, AuthError> {
        let issuer = self
            .issuers
            .get(introspector.issuer)
            .ok_or(TokenError::Issuer)?;
        let asked = introspector.ask(key, text, source).await;
        let believed = asked.map_err(|error| match error {
            AuthError::InvalidToken(error) => issuer.auth_error(error),
            error => error,
        })?;
        Ok(VerifiedToken {
            principal: believed.principal,
            issuer: introspector.issuer,
            proof: Proof::Introspection(believed.at),
        })
    }

    fn missing_token_error(&self) -> AuthError {
        AuthError::MissingToken {
            scopes: Arc::clone(&self.scopes),
        }
    }
}
