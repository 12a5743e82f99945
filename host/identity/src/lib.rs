//! Who is calling: ids, principals, bindings, and verification of a token against given keys.
//!
//! This crate decides whether a token is genuine and whom it speaks for. What must never happen
//! here: I/O; a [`Principal`] that no verified token stands behind; a [`Binding`] to a tenant that
//! its principal does not reach; a fallback to any tenant.
//!
//! # Tour
//!
//! - [`TenantId`]: the grammar of a tenant's name.
//! - [`UnverifiedToken`]: a token taken apart, so that its issuer's keys can be found;
//!   [`IssuerRules`]: what is believed of that issuer, [`ProviderProfile`] the rules of well-known
//!   ones, [`TenantScope`] which tenants it may name; [`KeySet`]: its public keys, by
//!   [`Algorithm`].
//! - [`verify`]: the checks in their order, and the only way to a caller; [`examine`] names each
//!   for a person.
//! - [`Principal`]: the verified caller, made by token verification alone.
//! - [`Tree`]: the tenants at one moment, how they belong together, which key of an identity
//!   provider means which, and how far a [`Role`] reaches; [`Directory`]: where the tree comes
//!   from.
//! - [`Caller`]: the principal at its home tenant, or [`TenantlessCaller`].
//! - [`AuthorityGrant`]: a remote authority's yes to a switch.
//! - [`Binding`]: principal and active tenant, the immutable snapshot that a call runs under.
//! - [`TenantSpace`]: the only key under which anything is kept for a tenant.

mod algorithm;
mod attribution;
mod authority_grant;
mod binding;
mod caller;
mod caller_home;
mod checks;
mod claim_rule;
mod directory;
mod issuer_name;
mod json;
mod key;
mod key_index;
mod key_set;
mod pointer;
mod principal;
mod principal_kind;
mod profile;
mod reach;
mod rules;
mod space;
mod tenant;
mod tenant_key;
mod tenant_lookup;
mod tenant_scope;
mod token_error;
mod token_kind;
mod tree;
mod tree_error;
mod tree_position;
mod tree_tenant;
mod unverified_token;
mod verify;

pub use algorithm::Algorithm;
pub use attribution::Attribution;
pub use authority_grant::{AuthorityGrant, AuthorityGrantError, GrantId, GrantRules};
pub use binding::{Binding, BindingError};
pub use caller_home::{Caller, TenantlessCaller};
pub use checks::LEEWAY_SECONDS;
pub use claim_rule::{ClaimRule, ClaimTest};
pub use directory::{Directory, StaticDirectory};
pub use issuer_name::{IssuerName, IssuerNameError};
pub use json::{StrictJsonError, object as strict_object, without_bom};
pub use key::SkipReason;
pub use key_set::{KeySet, KeySetError, MAX_KEY_SET_BYTES, SkippedKey};
pub use pointer::{ClaimPointer, ClaimPointerError};
pub use principal::{LoopbackOnly, Principal, PrincipalKind, Role};
pub use profile::{ProviderProfile, ProviderRules};
pub use rules::{AcceptedType, IssuerRules, MissingSubjectRule};
pub use space::{Operator, OwnerId, TenantSpace};
pub use tenant::{TenantId, TenantIdError};
pub use tenant_key::TenantKey;
pub use tenant_scope::{NamedTenants, TenantScope};
pub use token_error::TokenError;
pub use tree::Tree;
pub use tree_error::{MAX_DEPTH, TreeError};
pub use tree_tenant::{Tenant, TenantState};
pub use unverified_token::{MAX_TOKEN_BYTES, UnverifiedToken};
pub use verify::{TokenFinding, examine, verify, verify_introspection};
