//! Which credential: the one of this tenant (and user) for this connection, or none.
//!
//! This room decides what a [`CredentialKey`] opens.
//! What must never happen here: a credential for a key that nobody stored it under, whatever stands in for it; a secret
//! in an error, a log line or a `Debug`; a stale secret after its file has changed or gone.
//!
//! # Tour
//!
//! - [`CredentialKey`]: tenant, connection and, where the connection says so, the user. A [`Binding`] makes it.
//! - [`Credential`]: the secret, with the routing attributes, expiry and version that go with it.
//! - [`CredentialProvider`]: key to credential. [`CredentialError`]: all that it says otherwise.
//! - [`StaticProvider`], [`StaticCredential`], [`Source`]: credentials that the operator keeps in files and in the
//!   environment.
//! - [`SecretRefused`], [`SourceProblem`]: why a text or a file is not taken.
//!
//! [`Binding`]: toolhost_identity::Binding

mod credential;
mod file;
mod key;
mod provider;
mod secret_text;
mod source;
mod static_provider;

pub use credential::Credential;
pub use key::{CredentialKey, UserId};
pub use provider::{CredentialError, CredentialProvider};
pub use secret_text::{MIN_SECRET_BYTES, SecretRefused};
pub use source::{MAX_SECRET_FILE_BYTES, Source, SourceProblem};
pub use static_provider::{Problem, StaticCredential, StaticProvider, StaticProviderError};
