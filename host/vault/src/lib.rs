//! Which credential: the one of this tenant (and user) for this connection, or none.
//!
//! This crate decides what a [`CredentialKey`] opens, and how a secret is kept at rest. What must
//! never happen here: a credential for a key that nobody stored it under, whatever stands in for
//! it; a secret in an error, a log line or a `Debug`; a stale secret after its file or its record
//! has changed or gone; an earlier state of the records that is taken for the present one.
//!
//! # Tour
//!
//! - [`CredentialKey`]: tenant, connection and, where the connection says so, the user. A
//!   [`Binding`] makes it.
//! - [`Credential`]: the secret, with the routing attributes, expiry and version that go with it.
//! - [`CredentialProvider`]: key to credential. [`CredentialError`]: all that it says otherwise.
//!   Which provider a connection has is its `credentials`, and none stands in for another.
//! - [`SealedVault`]: credentials that the host keeps, sealed in the store. [`CredentialName`] is
//!   what the operator calls one, [`NewCredential`] what is given, [`CredentialListing`] what is
//!   shown, [`VaultError`] what goes wrong.
//! - [`StaticProvider`], [`StaticCredential`], [`SecretSource`]: credentials that the operator
//!   keeps in files and in the environment.
//! - [`Broker`], [`AwsSecretsManager`], [`KvStore`]: credentials that an application or a secret
//!   manager keeps. [`ProviderEndpoint`] says where, [`NameTemplates`] under which name,
//!   [`Grammar`] how they are written.
//! - [`ClientCredentials`], [`RefreshToken`], [`TokenExchange`]: access tokens for what the vault
//!   keeps.
//! - [`Login`], [`UserAccounts`]: a user connects an account of their own, and its refresh token is
//!   sealed in the vault.
//! - [`SharedCredential`]: what tenants should not share.
//! - [`SourceProblem`], [`AttributeError`]: why a text or a file is not taken.
//! - [`hygiene`]: what keeps secrets from leaving with the process's memory.
//!
//! [`Binding`]: toolhost_identity::Binding

#[macro_use]
mod cached_provider;

mod attributes;
mod aws;
mod broker;
mod credential;
mod file;
pub mod hygiene;
mod key;
mod kv;
mod login;
mod name_template;
mod oauth;
mod own_secret;
mod provider;
mod provider_endpoint;
mod sealed;
mod secret_comparison;
mod secret_source;
mod static_provider;

pub use attributes::AttributeError;
pub use aws::{AwsIdentity, AwsSecretsManager, AwsSettings};
pub use broker::{Broker, BrokerSettings};
pub use cached_provider::{CachedProvider, FRESH_FOR, Grammar, MAX_FRESH_FOR};
pub use credential::Credential;
pub use file::read_capped;
pub use key::{CredentialKey, UserId};
pub use kv::{KvAuth, KvSettings, KvStore};
pub use login::{
    CodeVerifier, LOGIN_TIME, Login, LoginAnswer, LoginError, LoginSettings, StoredLogin,
    UserAccounts,
};
pub use name_template::{NameTemplate, NameTemplateError, NameTemplates, user_name};
pub use oauth::{
    ClientCredentials, ClientCredentialsSettings, ClientSettings, RefreshToken,
    RefreshTokenSettings, TokenExchange, TokenExchangeSettings,
};
pub use provider::{CredentialError, CredentialProvider, CredentialRequest};
pub use provider_endpoint::{ProviderEndpoint, ProviderSettingsError};
pub use sealed::{
    CredentialInfo, CredentialListing, CredentialName, MAX_CREDENTIALS, NewCredential, RECHECK,
    ResealReport, SealedVault, UnusableCredential, VaultError,
};
pub use secret_comparison::{SharedCredential, shared_sources};
pub use secret_source::{MAX_SECRET_FILE_BYTES, SecretSource, SourceProblem};
pub use static_provider::{
    CredentialProblem, StaticCredential, StaticProvider, StaticProviderError,
};
