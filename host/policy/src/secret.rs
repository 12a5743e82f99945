use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes that open something: a credential, a key, a sealed state's key.
///
/// There is no `Display`, `Serialize`, `Clone` or `PartialEq`; `Debug` prints a constant; the
/// memory is zeroed on drop. [`Secret::expose`] is the one way to read it, and a test lists its
/// call sites.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Takes the bytes. A `Vec` with spare room is copied to fit and its old memory zeroed.
    #[must_use]
    pub fn new(mut bytes: Vec<u8>) -> Self {
        if bytes.len() == bytes.capacity() {
            return Self(bytes.into_boxed_slice());
        }
        let fitted: Box<[u8]> = bytes.as_slice().into();
        bytes.zeroize();
        Self(fitted)
    }

    /// The bytes themselves. Every call site is a place where a secret can leave: keep them few.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_prints_a_constant() {
        let secret = Secret::new(b"tok_live_0123456789".to_vec());
        assert_eq!(format!("{secret:?} {secret:#?}"), "Secret(…) Secret(…)");
    }

    #[test]
    fn a_vec_with_spare_room_is_taken_whole() {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(b"abc");
        assert_eq!(Secret::new(bytes).expose(), b"abc");
    }
}
