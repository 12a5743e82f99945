use http::{HeaderMap, HeaderName};
use toolhost_identity::{Attribution, Principal, PrincipalKind, Tree};

/// Why a machine's request has no caller. From outside they are one status and one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MachineRefusal {
    /// The token has no tenant claim: the header alone names nobody's tenant.
    #[error("a machine's token needs a tenant claim (issuers.tenant_claim)")]
    Claim,
    /// The tenant header is missing, there more than once, or not the claim byte for byte.
    #[error(
        "a machine's request needs one tenant header that equals its token's tenant claim (tenancy.machine.tenant_header)"
    )]
    Tenant,
    /// The user header is missing, there more than once, or not 1 to 128 visible characters.
    #[error(
        "a machine's request needs one user header of 1 to 128 visible characters (tenancy.machine.user_header)"
    )]
    User,
}

/// The headers of machine callers (OAuth 2.0 client credentials). A person's request may have them;
/// nobody reads them then (A2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineHeaders {
    /// Which tenant the machine means: `snc-tenant` unless the operator says otherwise. It proves
    /// that who sends the token also knows whose it is; it chooses nothing.
    pub tenant: HeaderName,
    /// For whom it acts: `snc-userid` unless the operator says otherwise. Attribution only.
    pub user: HeaderName,
}

impl Default for MachineHeaders {
    fn default() -> Self {
        Self {
            tenant: HeaderName::from_static("snc-tenant"),
            user: HeaderName::from_static("snc-userid"),
        }
    }
}

impl MachineHeaders {
    /// Holds a machine's headers against its token, and gives whom it says that it acts for (A3,
    /// A4, A5). `None` for a person, whatever headers there are.
    ///
    /// # Errors
    /// A header or the claim is missing, doubled or different.
    pub(crate) fn check(
        &self,
        principal: &Principal,
        headers: &HeaderMap,
        tree: &Tree,
    ) -> Result<Option<Attribution>, MachineRefusal> {
        if principal.kind() == PrincipalKind::User {
            return Ok(None);
        }
        let single = tree
            .single_tenant()
            .map(toolhost_identity::TenantId::as_str);
        let claim = principal
            .tenant_key()
            .or(single)
            .ok_or(MachineRefusal::Claim)?;
        if single_header(headers, &self.tenant) != Some(claim.as_bytes()) {
            return Err(MachineRefusal::Tenant);
        }
        single_header(headers, &self.user)
            .and_then(|value| std::str::from_utf8(value).ok())
            .and_then(Attribution::parse)
            .map(Some)
            .ok_or(MachineRefusal::User)
    }
}

/// The value of a header that is there exactly once.
fn single_header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then(|| first.as_bytes())
}
