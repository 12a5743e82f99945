use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use toolhost_identity::Binding;
use toolhost_policy::Secret;

/// A person answers within this, or the call is made anew.
const LIFETIME: Duration = Duration::from_secs(600);

/// Used states that are remembered; each for its lifetime.
const REMEMBERED: u64 = 100_000;

/// XChaCha20-Poly1305's nonce (draft-irtf-cfrg-xchacha-03): long enough to be random.
const NONCE: usize = 24;

/// Length of the expiry before the sealed bytes.
const EXPIRY: usize = 8;

/// Longer texts are not ours.
const MAX_TEXT: usize = 128 << 10;

/// Seals the state of a call that waits for input. The client carries it and can neither read nor change it, nor use it
/// for another caller, tenant, plugin, tool or arguments, nor twice, nor late.
pub(crate) struct Sealer {
    key: Secret,
    used: moka::sync::Cache<[u8; NONCE], ()>,
}

/// What a state is good for.
pub(crate) struct Purpose<'a> {
    pub(crate) binding: &'a Binding,
    pub(crate) digest: &'a str,
    pub(crate) tool: &'a str,
    pub(crate) arguments: &'a str,
}

impl Purpose<'_> {
    fn associated_data(&self, expires_at: u64) -> Vec<u8> {
        use sha2::{Digest, Sha256};

        let mut digest = Sha256::new();
        digest.update(self.binding.owner().as_bytes());
        for part in [
            self.binding.tenant().as_str(),
            self.digest,
            self.tool,
            self.arguments,
        ] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        digest.update(expires_at.to_be_bytes());
        digest.finalize().to_vec()
    }
}

impl Sealer {
    /// With a key of its own: states end with the process.
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut key = vec![0; 32];
        getrandom::fill(&mut key)?;
        let used = moka::sync::Cache::builder()
            .max_capacity(REMEMBERED)
            .time_to_live(LIFETIME)
            .build();
        Ok(Self {
            key: Secret::new(key),
            used,
        })
    }

    fn cipher(&self) -> Option<XChaCha20Poly1305> {
        Some(XChaCha20Poly1305::new(&Key::try_from(self.key.expose()).ok()?))
    }

    pub(crate) fn seal(&self, purpose: &Purpose<'_>, state: &[u8], now: u64) -> Option<String> {
        let expires_at = now.saturating_add(LIFETIME.as_secs());
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).ok()?;
        let aad = purpose.associated_data(expires_at);
        let sealed = self
            .cipher()?
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: state,
                    aad: &aad,
                },
            )
            .ok()?;
        let mut bytes = nonce.to_vec();
        bytes.extend_from_slice(&expires_at.to_be_bytes());
        bytes.extend_from_slice(&sealed);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The state, once. `None` for one that is not ours, not for this purpose, used or late; which of them is nobody's
    /// business.
    pub(crate) fn open(&self, purpose: &Purpose<'_>, text: &str, now: u64) -> Option<Vec<u8>> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE>()?;
        let (expiry, sealed) = rest.split_first_chunk::<EXPIRY>()?;
        let expires_at = u64::from_be_bytes(*expiry);
        let aad = purpose.associated_data(expires_at);
        let state = self
            .cipher()?
            .decrypt(
                &XNonce::from(*nonce),
                Payload {
                    msg: sealed,
                    aad: &aad,
                },
            )
            .ok()?;
        if now >= expires_at {
            return None;
        }
        // Only now: a forged text must not be able to use up somebody's state.
        let first = self.used.entry(*nonce).or_insert(()).is_fresh();
        first.then_some(state)
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use toolhost_identity::{Binding, LoopbackOnly, Principal, StaticDirectory, TenantId};

    use super::{LIFETIME, Purpose, Sealer};

    fn binding(tenant: &str) -> Binding {
        let tenant = TenantId::parse(tenant).unwrap();
        let directory = StaticDirectory::new([(tenant.clone(), vec![])]).unwrap();
        let principal = Principal::development(&tenant, LoopbackOnly::of(&[]).unwrap());
        Binding::home(Arc::new(principal), &directory).unwrap()
    }

    #[test]
    fn a_state_opens_once_in_time_and_for_its_own_purpose() {
        let (acme, globex, sealer) = (binding("acme"), binding("globex"), Sealer::new().unwrap());
        let purpose = Purpose {
            binding: &acme,
            digest: "d",
            tool: "t",
            arguments: "{}",
        };
        let text = sealer.seal(&purpose, b"state", 1_000).unwrap();
        for other in [
            Purpose {
                binding: &globex,
                ..purpose
            },
            Purpose {
                digest: "e",
                ..purpose
            },
            Purpose { tool: "u", ..purpose },
            Purpose {
                arguments: "{\"a\":1}",
                ..purpose
            },
        ] {
            assert_eq!(sealer.open(&other, &text, 1_000), None);
        }
        assert_eq!(
            sealer.open(&purpose, &text, 1_000 + LIFETIME.as_secs()),
            None,
            "late"
        );
        assert_eq!(
            Sealer::new().unwrap().open(&purpose, &text, 1_000),
            None,
            "another key"
        );
        let mut forged = text.clone().into_bytes();
        let middle = forged.len() / 2;
        forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
        assert_eq!(
            sealer.open(&purpose, &String::from_utf8(forged).unwrap(), 1_000),
            None
        );
        assert_eq!(sealer.open(&purpose, &text, 1_001).unwrap(), b"state");
        assert_eq!(sealer.open(&purpose, &text, 1_001), None, "twice");
        for rubbish in ["", "A", "%", &"A".repeat(200_000)] {
            assert_eq!(sealer.open(&purpose, rubbish, 1_000), None);
        }
    }
}
