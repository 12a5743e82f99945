use super::NeedleSet;
use super::decode_budget::{DecodeBudget, MAX_DEPTH, WithholdReason};
use super::text_search::Layer;

/// How many printable characters in a row what a run stands for has before it is read as a text of
/// its own. Sixteen characters of base64 are twelve bytes, and by chance twelve bytes are printable
/// in one case of a hundred thousand.
const MIN_PRINTABLE: usize = 12;

/// The most of a run that is held before it is known to be one.
const MAX_PENDING: usize = 256;

/// An alphabet whose digits stand for some bits each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// One bit, most significant first.
    Binary,
    /// RFC 4648 section 8, in either case, with any separators.
    Hexadecimal,
    /// RFC 4648 section 6, in one case.
    Base32,
    /// RFC 4648 sections 4 and 5, both alphabets.
    Base64,
}

impl Alphabet {
    pub(super) const ALL: [Self; 4] = [Self::Binary, Self::Hexadecimal, Self::Base32, Self::Base64];

    const fn bits(self) -> u32 {
        match self {
            Self::Binary => 1,
            Self::Hexadecimal => 4,
            Self::Base32 => 5,
            Self::Base64 => 6,
        }
    }

    /// At how many places of a run a byte can begin.
    const fn phases(self) -> usize {
        match self {
            Self::Binary | Self::Base32 => 8,
            Self::Hexadecimal => 2,
            Self::Base64 => 4,
        }
    }

    /// How many digits there are before a run is decoded. Less than a piece has in any of them.
    pub(super) const fn least(self) -> usize {
        match self {
            Self::Binary => 88,
            Self::Hexadecimal | Self::Base64 => 20,
            Self::Base32 => 28,
        }
    }

    pub(super) const fn digit(self, byte: u8) -> Option<u8> {
        Some(match (self, byte) {
            (Self::Binary | Self::Hexadecimal, b'0'..=b'1') => byte - b'0',
            (Self::Hexadecimal, b'2'..=b'9') => byte - b'0',
            (Self::Hexadecimal, b'a'..=b'f') => byte - b'a' + 10,
            (Self::Hexadecimal, b'A'..=b'F') => byte - b'A' + 10,
            (Self::Base32, b'a'..=b'z') => byte - b'a',
            (Self::Base32 | Self::Base64, b'A'..=b'Z') => byte - b'A',
            (Self::Base32, b'2'..=b'7') => byte - b'2' + 26,
            (Self::Base64, b'a'..=b'z') => byte - b'a' + 26,
            (Self::Base64, b'0'..=b'9') => byte - b'0' + 52,
            (Self::Base64, b'+' | b'-') => 62,
            (Self::Base64, b'/' | b'_') => 63,
            _ => return None,
        })
    }

    /// Whether a run goes on behind this byte, which is no digit.
    pub(super) const fn passes_over(self, byte: u8) -> bool {
        match self {
            Self::Binary | Self::Hexadecimal => !byte.is_ascii_alphanumeric(),
            Self::Base32 => matches!(byte, b'-' | b'='),
            Self::Base64 => false,
        }
    }
}

/// Finds runs of digits of one alphabet, and reads what they stand for as texts of their own, at
/// each place where a byte can begin.
#[derive(Debug)]
pub(super) struct Radix {
    alphabet: Alphabet,
    depth: u8,
    /// Digits of a run that is not decoded yet.
    pending: Vec<u8>,
    /// What the run has had so far: digits, upper case, lower case.
    seen: [usize; 3],
    /// While a run is decoded.
    phases: Vec<Phase>,
}

#[derive(Debug)]
struct Phase {
    bits: u32,
    have: u32,
    /// Digits before the first byte of this phase.
    skip: usize,
    out: Vec<u8>,
    /// How many of the last bytes are printable.
    printable: usize,
    text: Option<Box<Layer>>,
}

impl Radix {
    pub(super) fn new(alphabet: Alphabet, depth: u8) -> Self {
        Self {
            alphabet,
            depth,
            pending: Vec::new(),
            seen: [0; 3],
            phases: Vec::new(),
        }
    }

    /// Whether a run is being decoded.
    pub(super) fn is_active(&self) -> bool {
        !self.phases.is_empty()
    }

    /// Forgets the beginning of what may be a run: whoever keeps the text gives it again.
    pub(super) fn forget(&mut self) {
        self.pending.clear();
        self.seen = [0; 3];
    }

    /// Takes the next bytes of a settled text, or its end.
    ///
    /// # Errors
    /// The text is withheld.
    pub(super) fn push(
        &mut self,
        set: &NeedleSet,
        text: &[u8],
        is_end: bool,
        work: &mut DecodeBudget,
    ) -> Result<(), WithholdReason> {
        for &byte in text {
            match self.alphabet.digit(byte) {
                Some(digit) => self.add(set, byte, digit, work)?,
                None if self.alphabet.passes_over(byte) => {}
                None => self.end_run(set, work)?,
            }
        }
        if is_end {
            return self.end_run(set, work);
        }
        for phase in &mut self.phases {
            phase.flush(set, self.depth, false, work)?;
        }
        Ok(())
    }

    #[inline]
    fn add(
        &mut self,
        set: &NeedleSet,
        byte: u8,
        digit: u8,
        work: &mut DecodeBudget,
    ) -> Result<(), WithholdReason> {
        if !self.phases.is_empty() {
            return self.decode(set, digit, work);
        }
        let kind = if byte.is_ascii_digit() {
            0
        } else if byte.is_ascii_uppercase() {
            1
        } else {
            2
        };
        if let Some(seen) = self.seen.get_mut(kind) {
            *seen += 1;
        }
        self.pending.push(digit);
        if self.pending.len() < self.alphabet.least() {
            return Ok(());
        }
        if !self.is_run() {
            if self.pending.len() == MAX_PENDING {
                self.pending.drain(..MAX_PENDING / 2);
            }
            return Ok(());
        }
        if self.depth == MAX_DEPTH {
            return Err(WithholdReason::Unsettled);
        }
        self.phases = (0..self.alphabet.phases()).map(Phase::new).collect();
        for digit in std::mem::take(&mut self.pending) {
            self.decode(set, digit, work)?;
        }
        Ok(())
    }

    /// Whether the characters are mixed as they are in this alphabet and not in words: of base64
    /// two fifths are upper case, and base32 has digits and one case.
    fn is_run(&self) -> bool {
        let [digits, upper, lower] = self.seen;
        let all = digits + upper + lower;
        match self.alphabet {
            Alphabet::Binary | Alphabet::Hexadecimal => true,
            Alphabet::Base32 => digits > 0 && (upper == 0 || lower == 0),
            Alphabet::Base64 => 5 * upper >= all && 8 * (digits + lower) >= all,
        }
    }

    fn decode(
        &mut self,
        set: &NeedleSet,
        digit: u8,
        work: &mut DecodeBudget,
    ) -> Result<(), WithholdReason> {
        let bits = self.alphabet.bits();
        for phase in &mut self.phases {
            if let Some(byte) = phase.add(bits, digit) {
                phase.take(set, self.depth, byte, work)?;
            }
        }
        Ok(())
    }

    fn end_run(&mut self, set: &NeedleSet, work: &mut DecodeBudget) -> Result<(), WithholdReason> {
        self.forget();
        for mut phase in std::mem::take(&mut self.phases) {
            phase.flush(set, self.depth, true, work)?;
        }
        Ok(())
    }
}

impl Phase {
    fn new(skip: usize) -> Self {
        Self {
            bits: 0,
            have: 0,
            skip,
            out: Vec::new(),
            printable: 0,
            text: None,
        }
    }

    #[inline]
    fn add(&mut self, bits: u32, digit: u8) -> Option<u8> {
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.bits = (self.bits << bits | u32::from(digit)) & 0xffff;
        self.have += bits;
        self.have = self.have.checked_sub(8)?;
        Some((self.bits >> self.have & 0xff) as u8)
    }

    /// Takes a byte. NUL is left out: text in UTF-16 has it behind every character.
    #[inline]
    fn take(
        &mut self,
        set: &NeedleSet,
        depth: u8,
        byte: u8,
        work: &mut DecodeBudget,
    ) -> Result<(), WithholdReason> {
        match byte {
            0 => {}
            b'\t' | b'\n' | b'\r' | 0x20..=0x7e => {
                self.printable += 1;
                self.out.push(byte);
            }
            _ => {
                self.flush(set, depth, true, work)?;
            }
        }
        Ok(())
    }

    fn flush(
        &mut self,
        set: &NeedleSet,
        depth: u8,
        is_end: bool,
        work: &mut DecodeBudget,
    ) -> Result<(), WithholdReason> {
        if self.printable >= MIN_PRINTABLE && (is_end || !self.out.is_empty()) {
            let text = self
                .text
                .get_or_insert_with(|| Box::new(Layer::new(set, depth + 1)));
            text.push(set, &self.out, is_end, work)?;
            self.out.clear();
        }
        if is_end {
            self.out.clear();
            self.printable = 0;
            self.text = None;
        }
        Ok(())
    }
}
