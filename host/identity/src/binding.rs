use std::sync::Arc;

use crate::{Directory, OwnerId, Principal, TenantId, TenantSpace};

/// Why a caller gets no binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// The token has no tenant claim.
    #[error("the token names no tenant")]
    TenantRequired,
    /// The claim means no tenant that is served here.
    #[error("the token's tenant is not served here")]
    TenantUnavailable,
}

/// The snapshot that a call runs under: who calls, and for which tenant. Taken once at the call's entry from that
/// request's own token, never read again, never changed.
///
/// There is no `Deserialize` and no way to name a tenant from outside: the constructors ask the principal and the
/// [`Directory`].
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
    home: TenantId,
}

impl Binding {
    /// The principal at its home tenant.
    ///
    /// # Errors
    /// The token has no tenant claim, or the directory does not know it. Nothing stands in for it.
    pub fn home(principal: Arc<Principal>, directory: &dyn Directory) -> Result<Self, BindingError> {
        let key = principal.tenant_key().ok_or(BindingError::TenantRequired)?;
        let tenant = directory.tenant(key).ok_or(BindingError::TenantUnavailable)?;
        Ok(Self {
            principal,
            home: tenant.clone(),
            tenant,
        })
    }

    /// Who calls.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The active tenant.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The tenant of the caller's own token.
    #[must_use]
    pub fn home_tenant(&self) -> &TenantId {
        &self.home
    }

    /// The key of everything that is kept for the active tenant.
    #[must_use]
    pub fn space(&self) -> TenantSpace {
        TenantSpace::new(self.tenant.clone())
    }

    /// Whom a session belongs to: issuer, subject, client and home tenant together.
    #[must_use]
    pub fn owner(&self) -> OwnerId {
        OwnerId::of(&self.principal, &self.home)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Binding, BindingError};
    use crate::{LoopbackOnly, Principal, StaticDirectory, TenantId};

    fn principal(key: Option<&str>) -> Arc<Principal> {
        let tenant = TenantId::parse("acme").unwrap();
        let mut principal = Principal::development(&tenant, LoopbackOnly::of(&[]).unwrap());
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
            Binding::home(Arc::new(principal), &directory).unwrap().owner()
        };
        let base = owner(|_| ());
        assert_eq!(base, owner(|_| ()));
        assert_ne!(base, owner(|p| p.issuer = "https://other.example".into()));
        assert_ne!(base, owner(|p| p.subject = "else".into()));
        assert_ne!(base, owner(|p| p.client = Some("app".into())));
        assert_ne!(base, owner(|p| p.client = Some("".into())));
    }
}
