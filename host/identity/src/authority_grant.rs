use std::fmt;

use crate::{Directory, OwnerId, Principal, TenantId};

/// The name of an [`AuthorityGrant`] and of the token that it came with. A name and no right: what
/// has it still has to be the caller that the grant was given to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct GrantId([u8; 16]);

impl GrantId {
    /// Of 16 random bytes.
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GrantId(…)")
    }
}

/// What an authority's tokens must have beside a signature. All of it comes from the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GrantRules {
    /// `iss`; `None` where it must be the issuer of the caller's own token.
    pub issuer: Option<String>,
    /// `client_id` or `azp`; `None` where it must be the client of the caller's own token. RFC 8693
    /// answers name the host.
    pub client: Option<String>,
}

/// Why an authority's token is no answer to what was asked. The log may tell them apart; the caller
/// learns that the tenant is not available.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityGrantError {
    /// Another issuer than the authority's.
    #[error("the authority's token is of another issuer")]
    Issuer,
    /// Another person or machine.
    #[error("the authority's token is for another subject")]
    Subject,
    /// A machine's token for a person, or the other way round.
    #[error("the authority's token is for another kind of caller")]
    Kind,
    /// Another client.
    #[error("the authority's token is for another client")]
    Client,
    /// The tenant claim is missing, or means another tenant than the one that was asked for.
    #[error("the authority's token is for another tenant")]
    Tenant,
    /// The caller's own token has no tenant that is served here.
    #[error("the caller's own tenant is not served here")]
    Home,
}

/// A tenant authority's yes: this caller may act for this tenant, until then. Made of a verified
/// token alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityGrant {
    id: GrantId,
    owner: OwnerId,
    tenant: TenantId,
    expires_at: u64,
}

impl AuthorityGrant {
    /// Holds the authority's token against who asked and what was asked (N8). Both principals were
    /// verified; what is compared here is that they belong together.
    ///
    /// # Errors
    /// The first thing that differs. The tenant is read from the token, never from the question
    /// (N11).
    pub fn try_new(
        id: GrantId,
        caller: &Principal,
        token: &Principal,
        asked: &TenantId,
        rules: &GrantRules,
        directory: &dyn Directory,
    ) -> Result<Self, AuthorityGrantError> {
        let tree = directory.tree();
        if token.issuer() != rules.issuer.as_deref().unwrap_or(caller.issuer()) {
            return Err(AuthorityGrantError::Issuer);
        }
        if token.subject() != caller.subject() {
            return Err(AuthorityGrantError::Subject);
        }
        let named_client = rules.client.as_deref();
        if caller.kind() != token.kind() {
            return Err(AuthorityGrantError::Kind);
        }
        let expected = named_client.or(caller.client());
        let mut parties = token.authorized_parties.iter();
        if token.client() != expected || parties.any(|party| Some(&**party) != expected) {
            return Err(AuthorityGrantError::Client);
        }
        let tenant = tree
            .tenant_of(token)
            .filter(|tenant| *tenant == asked && caller.scope.allows(&tree, tenant))
            .ok_or(AuthorityGrantError::Tenant)?;
        let home = match caller.tenant_key() {
            None => tree.single_tenant(),
            Some(_) => Some(tree.tenant_of(caller).ok_or(AuthorityGrantError::Home)?),
        };
        Ok(Self {
            id,
            owner: OwnerId::from_principal(caller, home),
            tenant: tenant.clone(),
            expires_at: token.expires_at(),
        })
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> GrantId {
        self.id
    }

    /// To whom it was given.
    #[must_use]
    pub fn owner(&self) -> &OwnerId {
        &self.owner
    }

    /// For which tenant.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Until when, in Unix seconds.
    #[must_use]
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// Whether it holds for this owner at this moment, in Unix seconds. There is no leeway: its end
    /// is known.
    #[must_use]
    pub fn holds_for(&self, owner: &OwnerId, now: u64) -> bool {
        self.owner == *owner && now < self.expires_at
    }
}
