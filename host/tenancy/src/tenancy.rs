use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderMap;
use serde_json::{Value, json};
use toolhost_identity::{
    Binding, Directory, IssuerRules, MAX_TOKEN_BYTES, Principal, TokenError, Unverified, verify,
};
use url::Url;

use crate::bearer::{Credentials, credentials};
use crate::issuer_keys::IssuerKeys;
use crate::token_cache::{TokenCache, Verified};
use crate::{AuthError, Clock, ConfigError, IssuerConfig, KeyFetch, SystemClock};

/// A request's caller, made from that request's own token.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// Who calls, and for which tenant.
    pub binding: Binding,
}

#[derive(Debug)]
struct Issuer {
    rules: IssuerRules,
    keys: Arc<IssuerKeys>,
}

/// Whose call it is: the issuers with their keys, the directory, and the tokens that were verified lately.
#[derive(Debug)]
pub struct Tenancy {
    issuers: Vec<Issuer>,
    by_name: HashMap<String, usize>,
    directory: Arc<dyn Directory>,
    development: Option<Arc<Principal>>,
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
        directory: Arc<dyn Directory>,
        development: Option<Principal>,
        fetch: Arc<dyn KeyFetch>,
    ) -> Result<Self, ConfigError> {
        Self::with_clock(
            issuers,
            directory,
            development,
            fetch,
            Arc::new(SystemClock::default()),
        )
    }

    /// The same, by another clock.
    ///
    /// # Errors
    /// As [`Tenancy::new`].
    pub fn with_clock(
        configs: Vec<IssuerConfig>,
        directory: Arc<dyn Directory>,
        development: Option<Principal>,
        fetch: Arc<dyn KeyFetch>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let mut issuers = Vec::with_capacity(configs.len());
        let mut by_name = HashMap::new();
        let mut scopes = Vec::new();
        for config in configs {
            let rules = config.rules()?;
            if by_name.insert(config.issuer.clone(), issuers.len()).is_some() {
                return Err(ConfigError::Twice(config.issuer));
            }
            scopes.extend(rules.scopes.iter().cloned());
            issuers.push(Issuer {
                rules,
                keys: IssuerKeys::new(config, Arc::clone(&fetch), Arc::clone(&clock)),
            });
        }
        scopes.sort_unstable();
        scopes.dedup();
        Ok(Self {
            issuers,
            by_name,
            directory,
            development: development.map(Arc::new),
            tokens: TokenCache::new(),
            clock,
            scopes: scopes.into(),
        })
    }

    /// Fetches the keys of all issuers at once. One that does not answer is logged and asked again with its first
    /// token; the host serves the others' tokens meanwhile.
    pub async fn start(&self) {
        futures::future::join_all(self.issuers.iter().map(|issuer| issuer.keys.current())).await;
    }

    /// Whether a caller could be verified: some issuer's keys are there, or no issuer is configured. An identity
    /// provider that is down does not take the host from the others' callers.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.issuers.is_empty() || self.issuers.iter().any(|issuer| issuer.keys.usable().is_some())
    }

    /// The issuers whose tokens cannot be verified now, for `/ready` and the log.
    #[must_use]
    pub fn issuers_without_keys(&self) -> Vec<&str> {
        let lacks = |issuer: &&Issuer| issuer.keys.usable().is_none();
        self.issuers
            .iter()
            .filter(lacks)
            .map(|issuer| issuer.rules.issuer.as_str())
            .collect()
    }

    /// The caller of a request, by its one `Authorization` header.
    ///
    /// The development principal stands in only where there is no such header at all: a bad token stays an error (A6).
    /// A token in the query is for the door to refuse.
    ///
    /// # Errors
    /// The request has no caller.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Authenticated, AuthError> {
        match credentials(headers) {
            Credentials::Bearer(token) => self.authenticate_token(token).await,
            Credentials::Malformed(why) => Err(AuthError::Malformed(why)),
            Credentials::OtherScheme => Err(self.missing()),
            Credentials::None => match &self.development {
                Some(principal) => self.bind(Arc::clone(principal)),
                None => Err(self.missing()),
            },
        }
    }

    /// The caller of a token that came another way: `--token` of stdio and `host call`.
    ///
    /// # Errors
    /// The token is not believed, or has no tenant that is served here.
    pub async fn authenticate_token(&self, token: &str) -> Result<Authenticated, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge.into());
        }
        let key = TokenCache::key(token);
        if let Some(verified) = self.tokens.get(&key) {
            if self.still_holds(&verified).await {
                return self.bind(verified.principal);
            }
            self.tokens.remove(&key);
        }
        let verified = self.verify(token).await?;
        self.tokens.insert(key, verified.clone());
        self.bind(verified.principal)
    }

    /// The development principal's caller, for a door that has no headers (stdio).
    ///
    /// # Errors
    /// There is none.
    pub fn development(&self) -> Result<Authenticated, AuthError> {
        self.development.as_ref().map_or_else(
            || Err(self.missing()),
            |principal| self.bind(Arc::clone(principal)),
        )
    }

    /// The document that says which issuers' tokens this resource takes (RFC 9728 section 2). Members without a value
    /// are left out, as its section 3.2 wants.
    #[must_use]
    pub fn resource_metadata(&self, resource: &Url) -> Value {
        let mut document = json!({ "resource": resource.as_str(), "bearer_methods_supported": ["header"] });
        let issuers: Vec<_> = self
            .issuers
            .iter()
            .map(|issuer| issuer.rules.issuer.as_str())
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

    /// Whether a token that was verified would be verified again: it has not expired, and the issuer's keys are the
    /// same. So a key that its issuer removed ends its tokens here too (T25).
    async fn still_holds(&self, verified: &Verified) -> bool {
        if self.clock.unix() >= verified.principal.expires_at() {
            return false;
        }
        let Some(issuer) = self.issuers.get(verified.issuer) else {
            return false;
        };
        issuer
            .keys
            .current()
            .await
            .is_ok_and(|loaded| loaded.generation == verified.generation)
    }

    async fn verify(&self, token: &str) -> Result<Verified, AuthError> {
        let token = Unverified::parse(token)?;
        let place = *self.by_name.get(token.issuer()?).ok_or(TokenError::Issuer)?;
        let Issuer { rules, keys } = self.issuers.get(place).ok_or(TokenError::Issuer)?;
        let mut loaded = keys.current().await.map_err(|_| AuthError::KeysUnavailable)?;
        let mut result = verify(&token, rules, &loaded.keys, self.clock.unix());
        if result == Err(TokenError::UnknownKey)
            && let Some(newer) = keys.newer_than(loaded.generation).await
        {
            result = verify(&token, rules, &newer.keys, self.clock.unix());
            loaded = newer;
        }
        match result {
            Ok(principal) => Ok(Verified {
                principal: Arc::new(principal),
                issuer: place,
                generation: loaded.generation,
            }),
            Err(TokenError::Scope) => Err(AuthError::InsufficientScope {
                scopes: rules.scopes.as_slice().into(),
            }),
            Err(error) => Err(error.into()),
        }
    }

    fn bind(&self, principal: Arc<Principal>) -> Result<Authenticated, AuthError> {
        Ok(Authenticated {
            binding: Binding::home(principal, self.directory.as_ref())?,
        })
    }

    fn missing(&self) -> AuthError {
        AuthError::MissingToken {
            scopes: Arc::clone(&self.scopes),
        }
    }
}
