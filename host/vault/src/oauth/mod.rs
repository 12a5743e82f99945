//! Access tokens that an authorization server gives for what the vault keeps. Forms and answers are
//! those of `toolhost_oauth`.
//!
//! ```text
//! ClientCredentials   a tenant's client secret             -> access token      RFC 6749 section 4.4
//! RefreshToken        a tenant's or user's refresh token   -> access token      RFC 6749 section 6
//! TokenExchange       a tenant's or user's subject token   -> access token      RFC 8693
//! ```
//!
//! What must never happen here: a caller's own bearer on the way to a token endpoint, since the
//! tenant authority is the only place for that; an access token in use whose refresh token, if it
//! came with another one, is not stored yet; a token endpoint that an answer named.

mod client_credentials;
mod endpoint;
mod exchange;
mod refresh;

pub use client_credentials::{ClientCredentials, ClientCredentialsSettings};
pub use endpoint::ClientSettings;
pub(crate) use endpoint::{TokenEndpoint, TokenFailure};
pub use exchange::{TokenExchange, TokenExchangeSettings};
pub use refresh::{RefreshToken, RefreshTokenSettings};
