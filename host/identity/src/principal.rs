use std::net::SocketAddr;
use std::sync::Arc;

use crate::{TenantId, TenantScope};

/// What kind of caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A program with its own credentials (OAuth 2.0 client credentials).
    Machine,
}

impl PrincipalKind {
    /// `user` or `machine`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Machine => "machine",
        }
    }

    /// Whether a rule lets this kind of caller through.
    #[must_use]
    pub const fn fits(self, rule: toolhost_policy::PrincipalRule) -> bool {
        use toolhost_policy::PrincipalRule;
        matches!(
            (self, rule),
            (_, PrincipalRule::Any)
                | (Self::User, PrincipalRule::User)
                | (Self::Machine, PrincipalRule::Machine)
        )
    }
}

/// How far a caller reaches in the tree of tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Its own tenant.
    Admin,
    /// Its own tenant and all below it.
    Owner,
    /// Every tenant.
    Superadmin,
}

impl Role {
    /// The role of this name, whatever the case: `admin`, `owner` or `superadmin`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Admin, Self::Owner, Self::Superadmin]
            .into_iter()
            .find(|role| role.as_str().eq_ignore_ascii_case(name))
    }

    /// `admin`, `owner` or `superadmin`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Owner => "owner",
            Self::Superadmin => "superadmin",
        }
    }
}

/// The verified caller. Made by token verification alone: the fields are private, and no
/// constructor is public but the development one, which needs a [`LoopbackOnly`].
///
/// What has one compiles:
/// ```
/// fn called_by(principal: &toolhost_identity::Principal) -> &str {
///     principal.subject()
/// }
/// ```
/// What makes one up does not, by its fields, by serde, or by [`Default`]:
/// ```compile_fail,E0451
/// fn made_up(other: toolhost_identity::Principal) -> toolhost_identity::Principal {
///     toolhost_identity::Principal { subject: "root".into(), ..other }
/// }
/// ```
/// ```compile_fail,E0277
/// let _: toolhost_identity::Principal = serde_json::from_str("{}").unwrap();
/// ```
/// ```compile_fail,E0599
/// let _ = toolhost_identity::Principal::default();
/// ```
/// Nor does the proof that a development principal needs:
/// ```compile_fail,E0423
/// let _ = toolhost_identity::LoopbackOnly(());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub(crate) issuer: Arc<str>,
    pub(crate) subject: Arc<str>,
    pub(crate) kind: PrincipalKind,
    pub(crate) client: Option<Arc<str>>,
    /// Each client that a claim names; an issuer may name several.
    pub(crate) authorized_parties: Arc<[Box<str>]>,
    pub(crate) role: Role,
    pub(crate) scopes: Arc<[String]>,
    /// The tenant claim as the token has it, before the directory has mapped it.
    pub(crate) tenant_key: Option<Arc<str>>,
    /// How far its issuer is believed about tenants.
    pub(crate) scope: Arc<TenantScope>,
    /// Unix seconds.
    pub(crate) expires_at: u64,
}

/// The issuer of development principals. No configured issuer can have this name: it is not a URL.
const DEVELOPMENT_ISSUER: &str = "development";

impl Principal {
    /// The caller of a host that was started with `--dev-tenant` and listens on loopback alone. It
    /// never expires.
    #[must_use]
    pub fn development(tenant: &TenantId, _proof: LoopbackOnly) -> Self {
        Self {
            issuer: DEVELOPMENT_ISSUER.into(),
            subject: "developer".into(),
            kind: PrincipalKind::User,
            client: None,
            authorized_parties: Arc::new([]),
            role: Role::Admin,
            scopes: Arc::new([]),
            tenant_key: Some(tenant.as_str().into()),
            scope: Arc::new(TenantScope::sole_issuer(DEVELOPMENT_ISSUER)),
            expires_at: u64::MAX,
        }
    }

    /// `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `sub`; unique within its issuer only.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Person or machine.
    #[must_use]
    pub fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// The client that the token was issued to: `client_id`, `azp`, `appid` or `cid`.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// The role, as far as the issuer is believed for it.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The scopes of RFC 8693 section 4.2 or RFC 9068.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// The tenant claim as the token has it.
    #[must_use]
    pub fn tenant_key(&self) -> Option<&str> {
        self.tenant_key.as_deref()
    }

    /// Which tenants the issuer may name.
    #[must_use]
    pub fn tenant_scope(&self) -> &TenantScope {
        &self.scope
    }

    /// When the token ends, in Unix seconds; streams end with it.
    #[must_use]
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }
}

/// Proof that every listener is on loopback, so that a development principal can be made.
#[derive(Debug, Clone, Copy)]
pub struct LoopbackOnly(());

impl LoopbackOnly {
    /// The proof, where every address is a loopback one. No address at all (stdio) is as good.
    #[must_use]
    pub fn from_listeners(listeners: &[SocketAddr]) -> Option<Self> {
        listeners
            .iter()
            .all(|address| address.ip().is_loopback())
            .then_some(Self(()))
    }
}

#[cfg(test)]
mod tests {
    use super::LoopbackOnly;

    #[test]
    fn one_listener_that_others_can_reach_is_enough_to_refuse() {
        let of = |list: &[&str]| {
            LoopbackOnly::from_listeners(
                &list.iter().map(|a| a.parse().unwrap()).collect::<Vec<_>>(),
            )
        };
        assert!(of(&["127.0.0.1:1", "[::1]:1"]).is_some() && of(&[]).is_some());
        for open in [
            "0.0.0.0:1",
            "[::]:1",
            "192.168.1.1:1",
            "[::ffff:10.0.0.1]:1",
        ] {
            assert!(of(&["127.0.0.1:1", open]).is_none(), "{open}");
        }
    }
}
