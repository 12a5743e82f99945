use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use toolhost_policy::Secret;
use zeroize::Zeroizing;

use super::LoginError;

/// Bytes of a verifier's text: 256 bits, as a URL takes them as they are; RFC 7636 section 4.1
/// wants at least as many.
const TEXT: usize = 43;

/// The code verifier of a login (RFC 7636): whoever redeems the code shows it, and nobody else has
/// it.
#[derive(Debug)]
pub struct CodeVerifier(Secret);

impl CodeVerifier {
    /// A new one.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn random() -> Result<Self, LoginError> {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *bytes).map_err(|_| LoginError::Random)?;
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes));
        Ok(Self(Secret::new(text.as_bytes().to_vec())))
    }

    /// One that was sealed with the state of its login; `None` for what is none.
    #[must_use]
    pub fn from_sealed(text: &[u8]) -> Option<Self> {
        (text.len() == TEXT).then(|| Self(Secret::new(text.to_vec())))
    }

    /// The text, to be sealed with the state of its login.
    #[must_use]
    pub fn to_sealed(&self) -> Vec<u8> {
        self.0.expose().to_vec()
    }

    /// What the token endpoint is shown.
    pub(super) fn secret(&self) -> &Secret {
        &self.0
    }

    /// What it is recognised by: `S256` of RFC 7636 section 4.2.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.expose()))
    }
}
