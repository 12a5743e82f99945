//! What the host says to OAuth endpoints, and how their answers are read; no I/O.
//!
//! This crate decides how a grant, a client and a token are written in a form (RFC 6749, 7662,
//! 8693), and which answers of a token endpoint give a token. `vault` uses it for tenants'
//! credentials, `tenancy` for opaque tokens and tenant authorities. What must never happen here: a
//! secret in memory that is not zeroed; a token kind that cannot be sent as a bearer; an outage
//! that reads as a refusal.
//!
//! # Tour
//!
//! - [`TokenForm`]: the form of a request, one constructor per grant. [`TokenExchangeForm`]: the
//!   fields of RFC 8693.
//! - [`ClientAuth`], [`client_secret_basic`]: how a client authenticates.
//! - [`TokenKind`]: the kinds of tokens and their URNs.
//! - [`TokenAnswer`], [`TokenRefusal`]: what an answer gives, or why it gives nothing.

mod client;
mod form;
mod token_answer;
mod token_kind;

pub use client::{ClientAuth, client_secret_basic};
pub use form::{SecretNotText, TokenExchangeForm, TokenForm};
pub use token_answer::{
    AccessToken, TokenAnswer, TokenRefusal, read_token_answer, refusal_of_error,
};
pub use token_kind::TokenKind;
