use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use toolhost_policy::Secret;
use zeroize::Zeroizing;

use super::LoginError;

/// 256 bits as 43 characters that a URL takes as they are; RFC 7636 section 4.1 wants at least as many.
pub(super) fn random_text() -> Result<Zeroizing<String>, LoginError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(&mut *bytes).map_err(|_| LoginError::Random)?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)))
}

/// A verifier, and what it is recognised by: `S256` of RFC 7636 section 4.2.
pub(super) fn verifier() -> Result<(Secret, String), LoginError> {
    let text = random_text()?;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()));
    Ok((Secret::new(text.as_bytes().to_vec()), challenge))
}
