use std::sync::Arc;

use moka::sync::Cache;
use sha2::{Digest, Sha256};
use toolhost_identity::Principal;

/// How many verified tokens are kept. One has about 1 KiB.
const MAX_TOKENS: u64 = 10_000;

/// A token that was verified, and by which keys.
#[derive(Debug, Clone)]
pub(crate) struct VerifiedToken {
    pub(crate) principal: Arc<Principal>,
    /// The issuer's place in the list.
    pub(crate) issuer: usize,
    pub(crate) proof: Proof,
}

/// What a token was verified by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The issuer's keys of this generation.
    Keys(u64),
    /// The issuer's own word at this moment, in seconds of [`crate::Clock::elapsed`].
    Introspection(u64),
}

/// Verified tokens by their SHA-256: the token itself is not kept.
#[derive(Debug)]
pub(crate) struct TokenCache(Cache<[u8; 32], VerifiedToken>);

impl TokenCache {
    pub(crate) fn new() -> Self {
        Self(Cache::new(MAX_TOKENS))
    }

    pub(crate) fn key(token: &str) -> [u8; 32] {
        Sha256::digest(token.as_bytes()).into()
    }

    pub(crate) fn get(&self, key: &[u8; 32]) -> Option<VerifiedToken> {
        self.0.get(key)
    }

    pub(crate) fn insert(&self, key: [u8; 32], verified: VerifiedToken) {
        self.0.insert(key, verified);
    }

    pub(crate) fn remove(&self, key: &[u8; 32]) {
        self.0.invalidate(key);
    }
}
