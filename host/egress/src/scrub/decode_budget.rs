/// Why a text is withheld.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WithholdReason {
    /// It holds the credential.
    Found,
    /// It is encoded more often within itself than is decoded, or decoding it takes more than it
    /// may.
    Unsettled,
}

/// How deep texts within texts are decoded: base64 of hexadecimal of base64 is three.
pub(super) const MAX_DEPTH: u8 = 3;

/// How many bytes all passes together may look at for each byte of the text. Ordinary text takes
/// three; JSON in JSON with base64 in it some ten.
const WORK_PER_BYTE: usize = 32;

/// What a text may take whatever its length: the passes over what is held back.
const WORK_AT_LEAST: usize = 16 << 10;

/// How much decoding is left to a text: linear in its length, whatever it holds.
#[derive(Debug)]
pub(super) struct DecodeBudget(usize);

impl Default for DecodeBudget {
    fn default() -> Self {
        Self(WORK_AT_LEAST)
    }
}

impl DecodeBudget {
    /// Adds what a text of so many bytes may take.
    pub(super) fn add(&mut self, bytes: usize) {
        self.0 = self.0.saturating_add(bytes.saturating_mul(WORK_PER_BYTE));
    }

    /// Takes the bytes of one pass.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), WithholdReason> {
        self.0 = self.0.checked_sub(bytes).ok_or(WithholdReason::Unsettled)?;
        Ok(())
    }
}
