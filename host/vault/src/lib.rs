//! Which credential: the one of this tenant (and user) for this connection, or none.
//!
//! This room decides what a [`CredentialKey`] opens, and how a secret is kept at rest.
//! What must never happen here: a credential for a key that nobody stored it under, whatever stands in for it; a secret
//! in an error, a log line or a `Debug`; a stale secret after its file or its record has changed or gone; an earlier
//! state of the records that is taken for the present one.
//!
//! # Tour
//!
//! - [`CredentialKey`]: tenant, connection and, where the connection says so, the user. A [`Binding`] makes it.
//! - [`Credential`]: the secret, with the routing attributes, expiry and version that go with it.
//! - [`CredentialProvider`]: key to credential. [`CredentialError`]: all that it says otherwise. Which provider a
//!   connection has is its `credentials`, and none stands in for another.
//! - [`SealedVault`]: credentials that the host keeps, sealed in the store. [`CredentialName`] is what the operator
//!   calls one, [`NewCredential`] what is given, [`Listing`] what is shown, [`VaultError`] what goes wrong.
//! - [`StaticProvider`], [`StaticCredential`], [`Source`]: credentials that the operator keeps in files and in the
//!   environment.
//! - [`SecretRefused`], [`SourceProblem`], [`AttributeRefused`]: why a text or a file is not taken.
//! - [`hygiene`]: what keeps secrets from leaving with the process's memory.
//!
//! [`Binding`]: toolhost_identity::Binding

mod attributes;
mod credential;
mod file;
pub mod hygiene;
mod key;
mod provider;
mod sealed;
mod secret_text;
mod source;
mod static_provider;

pub use attributes::AttributeRefused;
pub use credential::Credential;
pub use key::{CredentialKey, UserId};
pub use provider::{CredentialError, CredentialProvider};
pub use sealed::{
    CredentialInfo, CredentialName, Listing, MAX_CREDENTIALS, NewCredential, RECHECK, Resealed, SealedVault,
    Unusable, VaultError,
};
pub use secret_text::{MIN_SECRET_BYTES, SecretRefused};
pub use source::{MAX_SECRET_FILE_BYTES, Source, SourceProblem};
pub use static_provider::{Problem, StaticCredential, StaticProvider, StaticProviderError};
