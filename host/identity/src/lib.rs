//! Who is calling: ids, principals, bindings, and verification of a token against given keys.
//!
//! This room decides whether a token is genuine and whom it speaks for.
//! What must never happen here: I/O; a [`Principal`] that no verified token stands behind; a [`Binding`] to a tenant
//! that its principal does not reach; a fallback to any tenant.
//!
//! # Tour
//!
//! - [`TenantId`]: the grammar of a tenant's name.
//! - [`Principal`]: the verified caller, made by token verification alone.
//! - [`Directory`]: which tenants there are, and which key of an identity provider means which.
//! - [`Binding`]: principal and active tenant, the immutable snapshot that a call runs under.
//! - [`TenantSpace`]: the only key under which anything is kept for a tenant.

mod binding;
mod directory;
mod principal;
mod space;
mod tenant;

pub use binding::{Binding, BindingError};
pub use directory::{Directory, StaticDirectory, StaticDirectoryError};
pub use principal::{LoopbackOnly, Principal, PrincipalKind, Role};
pub use space::{OwnerId, TenantSpace};
pub use tenant::{TenantId, TenantIdError};
