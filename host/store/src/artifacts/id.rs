use std::fmt;

use aws_lc_rs::rand;

use crate::StoreError;

/// Bytes of an id.
const BYTES: usize = 16;

/// The name of an artifact in its tenant: 128 random bits, as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArtifactId([u8; BYTES]);

impl ArtifactId {
    /// A new one.
    ///
    /// # Errors
    /// There is no randomness to be had; nothing is kept then.
    pub(super) fn random() -> Result<Self, StoreError> {
        let mut bytes = [0; BYTES];
        rand::fill(&mut bytes).map_err(|_| {
            StoreError::Unavailable("the system has no randomness to give".to_owned())
        })?;
        Ok(Self(bytes))
    }

    /// What a guest or a caller gave; anything but 32 lower-case hexadecimal digits names nothing.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 2 * BYTES {
            return None;
        }
        let mut bytes = [0; BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let value = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return None,
                };
                *byte = (*byte << 4) | value;
            }
        }
        Some(Self(bytes))
    }

    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for ArtifactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ArtifactId {
    /// Not the id: a log is read by others than its tenant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ArtifactId(…)")
    }
}
