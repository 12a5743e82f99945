use std::fmt;

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::Chain;
use super::head::Position;
use crate::SinkError;

/// The key that seals a chain: 32 bytes that nobody can guess, zeroed when dropped.
pub struct ChainKey(Zeroizing<[u8; 32]>);

impl ChainKey {
    /// Takes the bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainKey(..)")
    }
}

/// Where the keys of chains come from. They outlast a tenant, so that its chain can still be
/// verified when it is gone.
pub trait ChainKeys: Send + Sync + fmt::Debug {
    /// The key of one chain; always the same.
    ///
    /// # Errors
    /// There is none, or it cannot be read. The chain is neither written nor verified.
    fn key(&self, chain: &Chain) -> Result<ChainKey, SinkError>;
}

/// HMAC-SHA-256 (RFC 2104) over a record and everything before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mac([u8; 32]);

const HEX: &[u8; 16] = b"0123456789abcdef";

impl Mac {
    /// Its length as text.
    pub(super) const TEXT: usize = 64;

    /// In lower-case hexadecimal.
    pub(super) fn text(&self) -> String {
        let digit = |value: u8| char::from(HEX.get(usize::from(value)).copied().unwrap_or(b'?'));
        self.0
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
            .collect()
    }

    /// Exactly what [`Mac::text`] gives, and nothing else.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != Self::TEXT {
            return None;
        }
        let value = |digit: &u8| HEX.iter().position(|known| known == digit);
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let (high, low) = (value(pair.first()?)?, value(pair.get(1)?)?);
            *byte = u8::try_from(high << 4 | low).ok()?;
        }
        Some(Self(bytes))
    }
}

/// The key of one chain, ready to use.
pub(super) struct Seal {
    key: hmac::Key,
    label: String,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

impl Seal {
    pub(super) fn new(chain: &Chain, keys: &dyn ChainKeys) -> Result<Self, SinkError> {
        let key = keys.key(chain)?;
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &*key.0),
            label: chain.label(),
        })
    }

    /// What stands before the first record. The first byte of what is sealed says what it is: 0
    /// this, 1 a record, 2 a head.
    pub(super) fn genesis(&self) -> Mac {
        self.mac(&[&[0], b"toolhost audit chain 1", self.label.as_bytes()])
    }

    /// Over the one before and the line up to its own `mac`.
    pub(super) fn record(&self, previous: &Mac, body: &[u8]) -> Mac {
        self.mac(&[&[1], &previous.0, body])
    }

    pub(super) fn head(&self, at: &Position) -> Mac {
        self.mac(&[
            &[2],
            &at.seq.to_be_bytes(),
            &at.segment.to_be_bytes(),
            &at.offset.to_be_bytes(),
            &at.mac.0,
            self.label.as_bytes(),
        ])
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    fn mac(&self, parts: &[&[u8]]) -> Mac {
        let mut context = hmac::Context::with_key(&self.key);
        parts.iter().for_each(|part| context.update(part));
        let mut bytes = [0; 32];
        let tag = context.sign();
        bytes
            .iter_mut()
            .zip(tag.as_ref())
            .for_each(|(byte, own)| *byte = *own);
        Mac(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Mac;

    #[test]
    fn a_mac_is_read_back_and_in_one_spelling_only() {
        let mac = Mac(std::array::from_fn(|at| at as u8 * 7));
        assert_eq!(Mac::parse(mac.text().as_bytes()), Some(mac));
        assert_eq!(Mac::parse(mac.text().to_uppercase().as_bytes()), None);
        assert_eq!(Mac::parse(&mac.text().as_bytes()[1..]), None);
    }
}
