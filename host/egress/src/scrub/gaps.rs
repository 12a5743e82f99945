/// What may stand between the characters of a credential and is left out of a normalised text
/// before it is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gaps {
    /// Whitespace and what shows as nothing, which the normaliser has dropped already.
    Invisible,
    /// Whatever is neither a letter nor a digit of ASCII: separators, quotes, brackets, the signs
    /// of base64 in both alphabets, bullets, pictures and letters of other scripts.
    Punctuation,
}

impl Gaps {
    /// The most that can be left out where each of the parts still has `least` bytes then.
    pub(super) fn widest_for<'a>(mut parts: impl Iterator<Item = &'a [u8]>, least: usize) -> Self {
        let stays = |part: &[u8]| Self::Punctuation.strip(part).len();
        if parts.all(|part| stays(part) >= least && 4 * stays(part) >= 3 * part.len()) {
            Self::Punctuation
        } else {
            Self::Invisible
        }
    }

    /// Whether this byte is left out.
    #[inline]
    pub(super) fn has(self, byte: u8) -> bool {
        self == Self::Punctuation && !byte.is_ascii_alphanumeric()
    }

    pub(super) fn strip(self, text: &[u8]) -> Vec<u8> {
        text.iter()
            .copied()
            .filter(|byte| !self.has(*byte))
            .collect()
    }
}
