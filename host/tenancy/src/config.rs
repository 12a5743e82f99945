use std::path::PathBuf;
use std::sync::Arc;

use toolhost_identity::{
    AcceptedType, Algorithm, ClaimPointer, ClaimRule, IssuerName, IssuerRules, MissingSubjectRule,
    NamedTenants, Role, TenantScope,
};
use url::Url;

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A JWK set at this URL.
    Url(Url),
    /// The `jwks_uri` of the issuer's metadata (RFC 8414, OpenID Connect Discovery).
    Discovery,
    /// A JWK set in a file, which is read again like a URL.
    File(PathBuf),
}

/// One issuer, as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// `iss`, byte for byte: an `https` URL without query and fragment. Or a template of it
    /// ([`IssuerName`]).
    pub issuer: String,
    /// `aud` must have one of these: the host's own canonical URL, as a rule.
    pub audience: Vec<String>,
    /// Where the audience is; the first that is there. `/aud` as a rule.
    pub audience_claims: Vec<ClaimPointer>,
    /// Where its keys come from.
    pub keys: KeySource,
    /// What its tokens may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// JSON pointer to the tenant; `None` where the issuer's tokens name none, as in single-tenant
    /// mode they need not.
    pub tenant_claim: Option<String>,
    /// Which member of the tenant claim's only entry is the tenant, where that is an object.
    pub tenant_member: Option<String>,
    /// The tenants that it may name. `None`: all, which is for the only issuer of a host.
    pub tenants: Option<NamedTenants>,
    /// Other issuers name tenants of the same directory, so that only keys that say whose they are
    /// count.
    pub shares_directory: bool,
    /// Where the subject is, where not in `sub`.
    pub subject_claim: Option<ClaimPointer>,
    /// What becomes of a token without one.
    pub without_subject: MissingSubjectRule,
    /// JSON pointer to the role.
    pub role_claim: Option<String>,
    /// The roles it is believed for.
    pub may_grant: Vec<Role>,
    /// Signs of a machine, beside those that are always looked for.
    pub machine: Vec<ClaimRule>,
    /// Signs of an ID token, beside those that are always looked for.
    pub id_token: Vec<ClaimRule>,
    /// Scopes that each of its tokens must have.
    pub scopes: Vec<String>,
    /// What `typ` its tokens may have.
    pub typ: AcceptedType,
    /// `http://` is acceptable for the issuer and its keys.
    pub allow_http: bool,
    /// A loopback address is acceptable for its keys.
    pub allow_loopback: bool,
    /// A private address is acceptable for its keys.
    pub allow_private: bool,
}

/// Why an issuer's configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerConfigError {
    /// Not an issuer's name.
    #[error(
        "issuers.issuer {0:?} is not an https url without query and fragment (http needs allow_http)"
    )]
    Issuer(String),
    /// Two issuers of one name: keys and rules would be a matter of order.
    #[error("issuers.issuer {0:?} is there twice")]
    Twice(String),
    /// Every token would be refused, or, worse, none.
    #[error("issuers.audience of {0:?} is empty")]
    Audience(String),
    /// No algorithm is listed.
    #[error("issuers.algorithms of {0:?} is empty")]
    Algorithms(String),
    /// Not a JSON pointer.
    #[error("issuers.{key} of {issuer:?} is not a json pointer, such as /tenantId")]
    Pointer {
        /// The key.
        key: &'static str,
        /// Whose.
        issuer: String,
    },
    /// One issuer could name another's tenants.
    #[error(
        "issuers.tenants of {0:?} is missing: with more than one issuer each says which tenants it may name"
    )]
    Tenants(String),
    /// Braces that are no placeholder.
    #[error(
        "issuers.issuer {0:?} has braces that are not one placeholder, such as {{tid}}, that is a whole segment of the path"
    )]
    Template(String),
    /// One set of metadata, and so of keys, is for one issuer.
    #[error(
        "issuers.discovery of {0:?} cannot be used for a template; name the provider's key set in jwks_url"
    )]
    TemplateDiscovery(String),
    /// The tenant would be whatever some directory of the provider writes, and not the directory
    /// that has signed.
    #[error(
        "issuers.tenant_claim of {issuer:?} is not \"/{claim}\": of a template the directory is the tenant, since anybody may have one"
    )]
    TemplateTenant {
        /// Whose.
        issuer: String,
        /// The template's.
        claim: String,
    },
    /// A setting for an issuer that is not configured.
    #[error("{setting} names the issuer {issuer:?}, which is not configured (issuers)")]
    Unknown {
        /// Which setting.
        setting: &'static str,
        /// Whose.
        issuer: String,
    },
    /// An opaque token does not say whose it is, and no issuer may learn another's tokens.
    #[error(
        "issuers.introspection stands at {0:?} and at another issuer; an opaque token does not say whose it is"
    )]
    Introspections(String),
    /// What is sent there opens something.
    #[error("{setting} {url} is not https (http needs allow_http)")]
    Cleartext {
        /// Which setting.
        setting: &'static str,
        /// Where to.
        url: Url,
    },
    /// The keys would come over a line that anybody can change.
    #[error("issuers.jwks_url of {0:?} is not https (http needs allow_http)")]
    KeysUrl(String),
}

impl IssuerConfig {
    /// An issuer with the defaults: the usual algorithms, `/tenantId`, no role, `https` and public
    /// addresses alone.
    #[must_use]
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>, keys: KeySource) -> Self {
        Self {
            issuer: issuer.into(),
            audience: vec![audience.into()],
            audience_claims: ClaimPointer::parse("/aud").into_iter().collect(),
            keys,
            algorithms: Algorithm::USUAL.to_vec(),
            tenant_claim: Some("/tenantId".into()),
            tenant_member: None,
            tenants: None,
            shares_directory: false,
            subject_claim: None,
            without_subject: MissingSubjectRule::default(),
            role_claim: None,
            may_grant: vec![],
            machine: vec![],
            id_token: vec![],
            scopes: vec![],
            typ: AcceptedType::Usual,
            allow_http: false,
            allow_loopback: false,
            allow_private: false,
        }
    }

    /// Checks the configuration and gives what is believed of the issuer's tokens.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn rules(&self) -> Result<IssuerRules, IssuerConfigError> {
        let name = || self.issuer.clone();
        let issuer =
            IssuerName::parse(&self.issuer).map_err(|_| IssuerConfigError::Template(name()))?;
        if issuer.claim().is_some() && self.keys == KeySource::Discovery {
            return Err(IssuerConfigError::TemplateDiscovery(name()));
        }
        let url = Url::parse(&self.issuer).map_err(|_| IssuerConfigError::Issuer(name()))?;
        if !self.permits_scheme(&url)
            || !url.has_host()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            return Err(IssuerConfigError::Issuer(name()));
        }
        if matches!(&self.keys, KeySource::Url(keys) if !self.permits_scheme(keys)) {
            return Err(IssuerConfigError::KeysUrl(name()));
        }
        if self.audience.iter().all(String::is_empty) || self.audience.iter().any(String::is_empty)
        {
            return Err(IssuerConfigError::Audience(name()));
        }
        if self.algorithms.is_empty() {
            return Err(IssuerConfigError::Algorithms(name()));
        }
        let pointer = |key, text: &str| {
            ClaimPointer::parse(text).map_err(|_| IssuerConfigError::Pointer {
                key,
                issuer: name(),
            })
        };
        if let Some(claim) = issuer.claim()
            && self.tenant_claim.as_deref() != Some(&format!("/{claim}"))
        {
            return Err(IssuerConfigError::TemplateTenant {
                issuer: name(),
                claim: claim.to_owned(),
            });
        }
        let named = self.tenants.clone().unwrap_or(NamedTenants::All);
        let tenants = if self.shares_directory {
            TenantScope::among_others(&self.issuer, named)
        } else {
            TenantScope::sole_issuer_limited(&self.issuer, named)
        };
        Ok(IssuerRules {
            issuer,
            audience: self.audience.clone(),
            audience_claims: self.audience_claims.clone(),
            algorithms: self.algorithms.clone(),
            tenant_claim: self
                .tenant_claim
                .as_deref()
                .map(|text| pointer("tenant_claim", text))
                .transpose()?,
            tenant_member: self.tenant_member.clone(),
            tenants: Arc::new(tenants),
            subject_claim: self.subject_claim.clone(),
            without_subject: self.without_subject,
            role_claim: self
                .role_claim
                .as_deref()
                .map(|text| pointer("role_claim", text))
                .transpose()?,
            may_grant: self.may_grant.clone(),
            machine: self.machine.clone(),
            id_token: self.id_token.clone(),
            scopes: self.scopes.clone(),
            typ: self.typ,
        })
    }

    /// `https`, or `http` where the operator allows it.
    pub(crate) fn permits_scheme(&self, url: &Url) -> bool {
        url.scheme() == "https" || (self.allow_http && url.scheme() == "http")
    }
}
