//! Development keys and tokens: an issuer in two files, for demos and tests. Never for production:
//! whoever can read the key file is every caller of every tenant.

mod inspect;
mod key;
mod mint;

pub use inspect::{TokenCheck, TokenInspection, inspect};
pub use key::{DevKey, DevKeyError};
pub use mint::{MAX_TTL, MintRequest};
