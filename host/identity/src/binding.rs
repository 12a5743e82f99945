use std::sync::Arc;

use crate::{
    Attribution, AuthorityGrant, Directory, GrantId, OwnerId, Principal, TenantId, TenantSpace,
    Tree,
};

/// Why a caller gets no binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// The token has no tenant claim.
    #[error("the token names no tenant")]
    TenantRequired,
    /// The tenant is unknown, suspended, or not within the caller's reach. From outside these are
    /// one (N21).
    #[error("the tenant is not available to this caller")]
    TenantUnavailable,
}

/// The snapshot that a call runs under: who calls, and for which tenant. Taken once at the call's
/// entry from that request's own token, never read again, never changed.
///
/// There is no `Deserialize` and no way to name a tenant from outside: the constructors ask the
/// principal and the [`Directory`].
///
/// What has one compiles:
/// ```
/// fn for_tenant(binding: &toolhost_identity::Binding) -> &str {
///     binding.tenant().as_str()
/// }
/// ```
/// What names a tenant of its own does not, and neither does what reads one from a request:
/// ```compile_fail,E0451
/// fn moved(tenant: toolhost_identity::TenantId, other: toolhost_identity::Binding) -> toolhost_identity::Binding {
///     toolhost_identity::Binding { tenant, ..other }
/// }
/// ```
/// ```compile_fail,E0277
/// let _: toolhost_identity::Binding = serde_json::from_str("{}").unwrap();
/// ```
/// ```compile_fail,E0277
/// let _: toolhost_identity::TenantId = serde_json::from_str("\"acme\"").unwrap();
/// ```
/// ```compile_fail,E0277
/// let _ = toolhost_identity::TenantId::from("acme".to_owned());
/// ```
#[derive(Debug, Clone)]
pub struct Binding {
    principal: Arc<Principal>,
    tenant: TenantId,
    incarnation: u64,
    home: Option<TenantId>,
    generation: u64,
    grant: Option<GrantId>,
    attribution: Option<Attribution>,
}

impl Binding {
    /// The principal at its home tenant, as it is before any switch: generation 0.
    ///
    /// # Errors
    /// The token has no tenant claim, or the directory does not serve it. Nothing stands in for it.
    pub fn home(
        principal: Arc<Principal>,
        directory: &dyn Directory,
    ) -> Result<Self, BindingError> {
        let tree = directory.tree();
        let home = tree.home_of(&principal)?.clone();
        Ok(Self::new(principal, home.clone(), Some(home), 0, &tree))
    }

    /// The principal at a tenant that was chosen, where its role reaches that tenant from its home
    /// now. `generation` is the choice's.
    ///
    /// # Errors
    /// [`BindingError::TenantUnavailable`], whatever the reason: the tenant is unknown, suspended
    /// or out of reach, or the caller's own tenant is not served.
    pub fn active(
        principal: Arc<Principal>,
        tenant: &TenantId,
        generation: u64,
        directory: &dyn Directory,
    ) -> Result<Self, BindingError> {
        let tree = directory.tree();
        let home = home_if_any(&principal, &tree)?;
        let is_named = principal.scope.allows(&tree, tenant);
        if !(tree.reaches(principal.role(), home.as_ref(), tenant) & is_named) {
            return Err(BindingError::TenantUnavailable);
        }
        Ok(Self::new(
            principal,
            tenant.clone(),
            home,
            generation,
            &tree,
        ))
    }

    /// The principal at the tenant that its authority has granted it: what [`Binding::active`] asks
    /// of the tree is asked of the grant, which has to be this caller's own and not yet over. The
    /// directory still has to serve the tenant.
    ///
    /// # Errors
    /// [`BindingError::TenantUnavailable`], whatever the reason.
    pub fn from_grant(
        principal: Arc<Principal>,
        grant: &AuthorityGrant,
        generation: u64,
        directory: &dyn Directory,
        now: u64,
    ) -> Result<Self, BindingError> {
        let tree = directory.tree();
        let home = home_if_any(&principal, &tree)?;
        let owner = OwnerId::from_principal(&principal, home.as_ref());
        let is_named = principal.scope.allows(&tree, grant.tenant());
        if !grant.holds_for(&owner, now) || !tree.is_available(grant.tenant()) || !is_named {
            return Err(BindingError::TenantUnavailable);
        }
        Ok(Self {
            grant: Some(grant.id()),
            ..Self::new(principal, grant.tenant().clone(), home, generation, &tree)
        })
    }

    fn new(
        principal: Arc<Principal>,
        tenant: TenantId,
        home: Option<TenantId>,
        generation: u64,
        tree: &Tree,
    ) -> Self {
        Self {
            incarnation: tree.incarnation(&tenant),
            principal,
            tenant,
            home,
            generation,
            grant: None,
            attribution: None,
        }
    }

    /// This binding with the name of the user for whom a machine says that it acts.
    #[must_use]
    pub fn attributed_to(self, attribution: Option<Attribution>) -> Self {
        Self {
            attribution,
            ..self
        }
    }

    /// Who calls.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Who calls, to be bound again.
    #[must_use]
    pub fn shared_principal(&self) -> Arc<Principal> {
        Arc::clone(&self.principal)
    }

    /// The active tenant.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Which tenant of its id the active one is: another number after it was removed and added
    /// again. What is kept in memory for a tenant is keyed by it.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The tenant of the caller's own token, where that names one.
    #[must_use]
    pub fn home_tenant(&self) -> Option<&TenantId> {
        self.home.as_ref()
    }

    /// Of the choice of the active tenant: 0 before any switch, and one more with each. What is
    /// cached for a session is keyed by it.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The authority's grant that the binding stands on, where it does.
    #[must_use]
    pub fn grant(&self) -> Option<GrantId> {
        self.grant
    }

    /// Whom a machine says that it acts for: for the audit record, and for nothing else.
    #[must_use]
    pub fn attribution(&self) -> Option<&Attribution> {
        self.attribution.as_ref()
    }

    /// The key of everything that is kept for the active tenant.
    #[must_use]
    pub fn space(&self) -> TenantSpace {
        TenantSpace::new(self.tenant.clone())
    }

    /// Whom a session belongs to: issuer, subject, client and home tenant together.
    #[must_use]
    pub fn owner(&self) -> OwnerId {
        OwnerId::from_principal(&self.principal, self.home.as_ref())
    }
}

/// The caller's home. A claim that means nothing here is an error; no claim is none.
fn home_if_any(principal: &Principal, tree: &Tree) -> Result<Option<TenantId>, BindingError> {
    match tree.home_of(principal) {
        Ok(home) => Ok(Some(home.clone())),
        Err(BindingError::TenantRequired) => Ok(None),
        Err(BindingError::TenantUnavailable) => Err(BindingError::TenantUnavailable),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Binding, BindingError};
    use crate::{LoopbackOnly, Principal, StaticDirectory, TenantId};

    fn principal(key: Option<&str>) -> Arc<Principal> {
        let tenant = TenantId::parse("acme").unwrap();
        let mut principal =
            Principal::development(&tenant, LoopbackOnly::from_listeners(&[]).unwrap());
        principal.tenant_key = key.map(Into::into);
        Arc::new(principal)
    }

    #[test]
    fn no_claim_and_an_unknown_claim_give_no_binding() {
        let directory = StaticDirectory::new([(TenantId::parse("acme").unwrap(), vec![])]).unwrap();
        assert_eq!(
            Binding::home(principal(None), &directory).unwrap_err(),
            BindingError::TenantRequired
        );
        assert_eq!(
            Binding::home(principal(Some("other")), &directory).unwrap_err(),
            BindingError::TenantUnavailable
        );
        assert_eq!(
            Binding::home(principal(Some("acme")), &directory)
                .unwrap()
                .tenant()
                .as_str(),
            "acme"
        );
    }

    #[test]
    fn the_same_subject_of_another_client_or_issuer_is_another_owner() {
        let directory = StaticDirectory::new([(TenantId::parse("acme").unwrap(), vec![])]).unwrap();
        let owner = |change: fn(&mut Principal)| {
            let mut principal = (*principal(Some("acme"))).clone();
            change(&mut principal);
            Binding::home(Arc::new(principal), &directory)
                .unwrap()
                .owner()
        };
        let base = owner(|_| ());
        assert_eq!(base, owner(|_| ()));
        assert_ne!(base, owner(|p| p.issuer = "https://other.example".into()));
        assert_ne!(base, owner(|p| p.subject = "else".into()));
        assert_ne!(base, owner(|p| p.client = Some("app".into())));
        assert_ne!(base, owner(|p| p.client = Some("".into())));
    }
}
