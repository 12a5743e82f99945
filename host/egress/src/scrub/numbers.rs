use aho_corasick::automaton::StateID;

use super::NeedleSet;
use super::decode_budget::WithholdReason;

/// The longest number that is a byte: eight binary digits, or `0b` before them.
const MAX_DIGITS: usize = 10;

/// How a number may be written: decimal (`115`), octal (`163`), hexadecimal (`73`, `0x73`), binary
/// (`01110011`).
const RADIXES: [u32; 4] = [10, 8, 16, 2];

/// Reads a text as a list of bytes, each a number: what a buffer becomes in JSON, and dumps of all
/// kinds. What is no number is passed over: `chr(115) + chr(51)`, `U+0073`, `{"0":115,"1":51}`.
#[derive(Debug)]
pub(super) struct Numbers {
    /// Of the search in what each radix gives.
    states: [StateID; RADIXES.len()],
    token: [u8; MAX_DIGITS],
    /// Of the token; more than fits for one that is no number.
    length: usize,
}

impl Numbers {
    pub(super) fn new(set: &NeedleSet) -> Self {
        Self {
            states: [set.folded.start(); RADIXES.len()],
            token: [0; MAX_DIGITS],
            length: 0,
        }
    }

    /// # Errors
    /// The credential is in it.
    pub(super) fn push(
        &mut self,
        set: &NeedleSet,
        text: &[u8],
        is_end: bool,
    ) -> Result<(), WithholdReason> {
        for &byte in text {
            if byte.is_ascii_alphanumeric() {
                if let Some(slot) = self.token.get_mut(self.length) {
                    *slot = byte;
                }
                self.length = (self.length + 1).min(MAX_DIGITS + 1);
            } else {
                self.end_token(set)?;
            }
        }
        if is_end { self.end_token(set) } else { Ok(()) }
    }

    fn end_token(&mut self, set: &NeedleSet) -> Result<(), WithholdReason> {
        let length = std::mem::take(&mut self.length);
        if length == 0 {
            return Ok(());
        }
        let token = self.token.get(..length).unwrap_or_default();
        let matcher = &set.folded;
        for (state, radix) in self.states.iter_mut().zip(RADIXES) {
            let Some(byte) = value(token, radix) else {
                continue;
            };
            if byte != 0 && !set.gaps.has(byte) && !byte.is_ascii_whitespace() {
                *state = matcher.step(*state, byte);
                if matcher.is_match(*state) {
                    return Err(WithholdReason::Found);
                }
            }
        }
        Ok(())
    }
}

/// The byte that a token is in this radix.
fn value(token: &[u8], radix: u32) -> Option<u8> {
    let (prefix, digits) = match radix {
        10 => (None, 1..=3),
        8 => (Some(b'o'), 1..=4),
        16 => (Some(b'x'), 1..=2),
        _ => (Some(b'b'), 7..=8),
    };
    let token = match token {
        [b'0', letter, rest @ ..] if prefix == Some(letter.to_ascii_lowercase()) => rest,
        // `\x73`, `\o163`: what stands before the letter is a separator.
        [letter, rest @ ..] if radix != 2 && prefix == Some(letter.to_ascii_lowercase()) => rest,
        token => token,
    };
    // Padded, as code points are.
    let zeros = token.len().saturating_sub(*digits.start());
    let zeros = token
        .iter()
        .take(zeros)
        .take_while(|digit| **digit == b'0')
        .count();
    let token = token.get(zeros..).unwrap_or_default();
    if !digits.contains(&token.len()) {
        return None;
    }
    let text = std::str::from_utf8(token).ok()?;
    u8::from_str_radix(text, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn a_token_is_a_byte_in_the_radixes_it_may_be_in() {
        assert_eq!(value(b"115", 10), Some(115));
        assert_eq!(value(b"163", 8), Some(115));
        assert_eq!(value(b"0x73", 16), Some(115));
        assert_eq!(value(b"x73", 16), Some(115));
        assert_eq!(value(b"01110011", 2), Some(115));
        assert_eq!(value(b"0x0073", 16), Some(115));
        assert_eq!(value(b"00115", 10), Some(115));
        assert_eq!(value(b"0", 10), Some(0));
        for (token, radix) in [(&b"256"[..], 10), (b"1000", 10), (b"999", 8), (b"word", 16)] {
            assert_eq!(value(token, radix), None, "{token:?}");
        }
    }
}
