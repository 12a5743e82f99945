use toolhost_identity::{Attribution, Binding, Caller};

use crate::VerifiedCaller;

/// A request's caller, made from that request's own token.
#[derive(Debug, Clone)]
pub struct AuthenticatedCaller {
    /// Who calls, and for which tenant.
    pub binding: Binding,
}

/// A request's caller, which may come from no tenant, with what a session and a switch need of it.
#[derive(Debug, Clone)]
pub struct AdmittedCaller {
    /// Who calls, at home or tenantless.
    pub caller: Caller,
    /// The caller with its token, for the tenant authority alone.
    pub presented: VerifiedCaller,
    /// Whom a machine says that it acts for: for the audit record. Put it on each binding
    /// ([`Binding::attributed_to`]).
    pub attribution: Option<Attribution>,
}
