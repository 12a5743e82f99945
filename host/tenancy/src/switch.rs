//! Switching the active tenant: ask the authority, verify its answer, prepare, and then swap once.

mod authority;
mod credentials;
mod exchange;
mod http;
mod preparation;
mod record;
mod switching;
mod tokens;

pub use authority::{Authority, AuthorityAnswer, AuthorityError, LocalAuthority};
pub use credentials::AuthorityCredentials;
pub use exchange::{ExchangeAuthority, ExchangeSettings};
pub use http::{HttpAuthority, HttpAuthoritySettings};
pub use preparation::{Preparation, PreparationError};
pub use switching::{Switch, SwitchError, SwitchOutcome, SwitchTarget};
pub use tokens::{AuthorityTokens, MAX_AUTHORITY_TOKENS};
