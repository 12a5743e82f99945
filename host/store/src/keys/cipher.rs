use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

use super::KeyFileError;

/// Bytes of every key.
pub(crate) const KEY: usize = 32;

/// Bytes of the random nonce before what is sealed (NIST SP 800-38D, section 8.2.2).
pub(crate) const NONCE: usize = NONCE_LEN;

/// Bytes of the tag after it.
pub(crate) const TAG: usize = 16;

/// Bytes that sealing adds.
pub(crate) const OVERHEAD: usize = NONCE + TAG;

/// What is not ours, was changed, or was sealed with another key or other associated data. Which of
/// them is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not open with this key")]
pub struct UnsealError;

/// A key for one purpose: seals with AES-256-GCM and authenticates with HMAC-SHA256, each under a
/// key of its own.
///
/// Nonces are random, so a subkey seals at most 2^32 times (NIST SP 800-38D, section 8.3): rotate a
/// tenant's key before.
pub struct Subkey {
    aead: LessSafeKey,
    mac: hmac::Key,
}

impl std::fmt::Debug for Subkey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Subkey(…)")
    }
}

impl Subkey {
    pub(super) fn from_secret(secret: &[u8]) -> Result<Self, KeyFileError> {
        let aead = derive(secret, &[b"seal"])?;
        let mac = derive(secret, &[b"mac"])?;
        let aead =
            UnboundKey::new(&AES_256_GCM, aead.as_slice()).map_err(|_| KeyFileError::Crypto)?;
        Ok(Self {
            aead: LessSafeKey::new(aead),
            mac: hmac::Key::new(hmac::HMAC_SHA256, mac.as_slice()),
        })
    }

    /// One that nobody else has, and that ends with the process.
    pub(crate) fn random() -> Result<Self, KeyFileError> {
        Self::from_secret(random()?.as_slice())
    }

    /// A random nonce, the ciphertext and the tag: 28 bytes more than the plaintext.
    ///
    /// # Errors
    /// The random source failed.
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, KeyFileError> {
        let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD);
        self.seal_onto(aad, plaintext, &mut sealed)?;
        Ok(sealed)
    }

    /// As [`Subkey::seal`], after what is there.
    pub(crate) fn seal_onto(
        &self,
        aad: &[u8],
        plaintext: &[u8],
        onto: &mut Vec<u8>,
    ) -> Result<(), KeyFileError> {
        let mut nonce = [0; NONCE];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| KeyFileError::Crypto)?;
        onto.extend_from_slice(&nonce);
        let start = onto.len();
        onto.extend_from_slice(plaintext);
        let text = onto.get_mut(start..).ok_or(KeyFileError::Crypto)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .aead
            .seal_in_place_separate_tag(nonce, Aad::from(aad), text)
            .map_err(|_| KeyFileError::Crypto)?;
        onto.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// What was sealed, in memory that is zeroed.
    ///
    /// # Errors
    /// [`UnsealError`].
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
        let mut plaintext = Zeroizing::new(Vec::new());
        self.open_onto(aad, sealed, &mut plaintext)?;
        Ok(plaintext)
    }

    /// As [`Subkey::open`], after what is there. Nothing is added where it does not open.
    pub(crate) fn open_onto(
        &self,
        aad: &[u8],
        sealed: &[u8],
        onto: &mut Vec<u8>,
    ) -> Result<(), UnsealError> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or(UnsealError)?;
        let (text, tag) = rest.split_last_chunk::<TAG>().ok_or(UnsealError)?;
        let start = onto.len();
        onto.resize(start + text.len(), 0);
        let plaintext = onto.get_mut(start..).ok_or(UnsealError)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self
            .aead
            .open_separate_gather(nonce, Aad::from(aad), text, tag, plaintext);
        if opened.is_err() {
            onto.truncate(start);
            return Err(UnsealError);
        }
        Ok(())
    }

    /// HMAC-SHA256 over the parts, each with its length, so that no two lists of parts are the
    /// same.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; KEY] {
        let mut context = hmac::Context::with_key(&self.mac);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut mac = [0; KEY];
        for (to, from) in mac.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        mac
    }

    /// Whether this is the [`Subkey::mac`] of the parts, in a time that does not tell how much of
    /// it is.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.mac(parts), mac).is_ok()
    }
}

/// A key from a key (HKDF-SHA256, RFC 5869), another one for every list of words.
pub(super) fn derive(secret: &[u8], words: &[&[u8]]) -> Result<Zeroizing<[u8; KEY]>, KeyFileError> {
    let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, b"toolhost 1").extract(secret);
    let mut key = Zeroizing::new([0; KEY]);
    pseudorandom
        .expand(words, hkdf::HKDF_SHA256)
        .and_then(|expanded| expanded.fill(key.as_mut_slice()))
        .map_err(|_| KeyFileError::Crypto)?;
    Ok(key)
}

/// A new key.
pub(super) fn random() -> Result<Zeroizing<[u8; KEY]>, KeyFileError> {
    let mut key = Zeroizing::new([0; KEY]);
    aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| KeyFileError::Crypto)?;
    Ok(key)
}
