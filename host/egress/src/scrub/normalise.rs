use unicode_normalization::char::{canonical_combining_class, decompose_compatible};

use super::escape::{self, Escape, MAX_ESCAPE};

/// One pass over a text, in chunks of any size: whitespace, NUL, backslashes and what shows as
/// nothing are dropped; escapes are decoded once; a character that is another one in a different
/// form (full-width, superscript, with an accent) becomes that one.
#[derive(Debug, Default, Clone)]
pub(crate) struct Normaliser {
    pending: [u8; MAX_ESCAPE],
    length: usize,
    quoted_printable: bool,
    reads_tags: bool,
    has_decoded: bool,
    has_seen_tags: bool,
    /// The first half of a character that is escaped as two (RFC 8259 section 7).
    high: Option<u32>,
}

impl Normaliser {
    /// One that decodes `=41`, too. By itself: in other texts `=41` is a value that follows its
    /// name.
    pub(crate) fn of_quoted_printable() -> Self {
        Self {
            quoted_printable: true,
            ..Self::default()
        }
    }

    /// One that reads what shows as nothing and stands for ASCII: tag characters, and variation
    /// selectors as bytes. By itself: in other texts they are left out.
    pub(crate) fn of_tags() -> Self {
        Self {
            reads_tags: true,
            ..Self::default()
        }
    }

    /// The one of a further pass.
    pub(crate) fn next(&self) -> Self {
        Self {
            reads_tags: self.reads_tags,
            ..Self::default()
        }
    }

    /// Whether such characters were left out since this was last asked.
    pub(crate) fn take_seen_tags(&mut self) -> bool {
        std::mem::take(&mut self.has_seen_tags)
    }

    /// Whether an escape was decoded since this was last asked, so that a further pass may find
    /// more.
    pub(crate) fn take_decoded(&mut self) -> bool {
        std::mem::take(&mut self.has_decoded)
    }

    /// Whether nothing is held back.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.length == 0
    }

    /// Takes one byte; hands each byte of the result to `emit`.
    #[inline]
    pub(crate) fn push(&mut self, byte: u8, emit: &mut impl FnMut(u8)) {
        if self.length == 0 && !escape::is_start(byte, self.quoted_printable) {
            emit_plain(byte, emit);
        } else {
            self.push_escape(byte, emit);
        }
    }

    fn push_escape(&mut self, byte: u8, emit: &mut impl FnMut(u8)) {
        // A gap within an escape is as good as one between characters.
        if is_gap(byte) && byte != b'\\' {
            return;
        }
        let Some(slot) = self.pending.get_mut(self.length) else {
            self.abandon_escape(emit);
            return self.push(byte, emit);
        };
        *slot = byte;
        self.length += 1;
        match self
            .pending
            .get(..self.length)
            .map_or(Escape::None, escape::read)
        {
            Escape::Open => {}
            Escape::None => self.abandon_escape(emit),
            Escape::Byte(byte) => {
                self.length = 0;
                self.has_decoded = true;
                emit_plain(byte, emit);
            }
            Escape::Is(code, whole) => {
                let is_escape = self.pending.first().is_some_and(u8::is_ascii);
                self.length = 0;
                self.has_decoded |= is_escape;
                let code = self.combine_surrogates(code);
                if let Some(byte) = tag(code) {
                    self.has_seen_tags = true;
                    if self.reads_tags {
                        emit_plain(byte, emit);
                    }
                } else if let Some(character) = char::from_u32(code) {
                    self.has_decoded |= decompose(character, emit);
                }
                if !whole {
                    self.push(byte, emit);
                }
            }
        }
    }

    /// Two halves of a character as one.
    fn combine_surrogates(&mut self, code: u32) -> u32 {
        match (self.high.take(), code) {
            (_, 0xd800..=0xdbff) => {
                self.high = Some(code);
                code
            }
            (Some(high), 0xdc00..=0xdfff) => 0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00),
            _ => code,
        }
    }

    /// The text ended.
    pub(crate) fn finish(&mut self, emit: &mut impl FnMut(u8)) {
        while self.length > 0 {
            self.abandon_escape(emit);
        }
    }

    /// What began like an escape is none: its first byte stands for itself, and the rest is looked
    /// at anew.
    fn abandon_escape(&mut self, emit: &mut impl FnMut(u8)) {
        let (pending, length) = (self.pending, self.length);
        self.length = 0;
        let mut bytes = pending.iter().take(length);
        if let Some(first) = bytes.next() {
            emit_plain(*first, emit);
        }
        for byte in bytes {
            self.push(*byte, emit);
        }
    }
}

fn is_gap(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0 | b'\\')
}

#[inline]
fn emit_plain(byte: u8, emit: &mut impl FnMut(u8)) {
    if !is_gap(byte) {
        emit(byte);
    }
}

/// The compatibility decomposition (Unicode Standard Annex #15) without marks and without what
/// shows as nothing. Whether it gave a character with which an escape begins.
fn decompose(character: char, emit: &mut impl FnMut(u8)) -> bool {
    let mut starts = false;
    let mut one = |character: char| {
        if is_dropped(character) {
            return;
        }
        let mut buffer = [0; 4];
        let bytes = character.encode_utf8(&mut buffer).as_bytes();
        starts |= bytes
            .first()
            .is_some_and(|byte| escape::is_start(*byte, true) && byte.is_ascii());
        bytes.iter().copied().for_each(&mut *emit);
    };
    if character.is_ascii() {
        one(character);
        return false;
    }
    decompose_compatible(character, one);
    starts
}

/// The ASCII character for which one that shows as nothing stands: a tag character (Unicode
/// Standard section 23.9), or a variation selector as the byte that it can carry.
fn tag(code: u32) -> Option<u8> {
    let byte = match code {
        0xe0020..=0xe007e => code - 0xe0000,
        0xe0110..=0xe016e => code - 0xe0100 + 16,
        _ => return None,
    };
    u8::try_from(byte).ok()
}

/// Characters that show as nothing, or as a mark on the one before.
fn is_dropped(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '\u{80}'..='\u{9f}')
        || canonical_combining_class(character) != 0
        || matches!(
            character,
            '\\' | '\0' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
                | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffc}' | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// How many escapes within each other are decoded; a text with more is not settled, and withheld.
/// Documents that quote documents reach three or four.
pub(crate) const MAX_PASSES: usize = 6;

/// A whole text, until another pass changes nothing or for so many passes: for needles and tests.
pub(crate) fn normalise(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    for _ in 0..MAX_PASSES {
        let mut normaliser = Normaliser::default();
        let mut next = Vec::with_capacity(out.len());
        let mut emit = |byte| next.push(byte);
        for byte in &out {
            normaliser.push(*byte, &mut emit);
        }
        normaliser.finish(&mut emit);
        out = next;
        if !normaliser.take_decoded() {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

    use super::{Normaliser, normalise};

    fn text(input: &str) -> String {
        String::from_utf8_lossy(&normalise(input.as_bytes())).into_owned()
    }

    #[test]
    fn common_escapes_are_decoded_and_gaps_dropped() {
        for spelt in [
            "ab/c",
            "a b\n/\tc",
            "a\\b\\/c",
            "%61b%2fc",
            "a%62%2Fc",
            "\\u0061b\\u002Fc",
            "&#97;b&#x2f;c",
            "ab&sol;c",
            "&#x61;&#98;/c",
            "a\\x62/c",
            "\\u{61}b/c",
            "a\\nb\\r/c",
            "&#97b&#47c",
            "a&nbsp;b/c",
            "a%00b/c",
            "a&shy;b/c",
            "a\\u200bb/c",
            "a&#00098;/c",
            "%2561b/c",
            "a&amp;amp;#98;/c",
            "\\141\\142/c",
            "a%u0062/c",
            "\\U00000061\\x{62}/c",
            "\u{ff41}\u{ff42}\u{ff0f}\u{ff43}",
            "a\u{200b}b\u{2060}/\u{fe0f}c",
            "\u{1d41a}b\u{332}/c",
            "a& #98;/c",
            "\u{ff05}61b/c",
            "a\u{1b}[1;31mb\u{1b}[0m/c",
            "a\\u001b[38;2;1;2;3mb%1b[m/c",
            "\\ud835\\udc1ab/c",
            "a\u{9b}b\u{e0041}/c",
        ] {
            assert_eq!(text(spelt), "ab/c", "{spelt}");
        }
    }

    #[test]
    fn what_is_no_escape_stands_for_itself() {
        for plain in [
            "100%",
            "a%zz",
            "a&b=c",
            "&unknown;",
            "%%41",
            "&#;",
            "&#x;",
            "R&D",
            "&&amp",
            "&#99999999999;",
        ] {
            let kept = plain.replace("%%41", "%A");
            assert_eq!(text(plain), kept, "{plain}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn chunks_make_no_difference_and_nothing_panics(input: Vec<u8>, escapes in "[%&\\\\#xu{};0-9a-fA-F ]{0,64}", cut in any::<proptest::sample::Index>()) {
            for input in [input, escapes.into_bytes()] {
                let mut normaliser = Normaliser::default();
                let mut out = Vec::new();
                let (head, tail) = input.split_at(if input.is_empty() { 0 } else { cut.index(input.len()) });
                for part in [head, tail] {
                    for byte in part { normaliser.push(*byte, &mut |byte| out.push(byte)); }
                }
                normaliser.finish(&mut |byte| out.push(byte));
                let mut whole = (Normaliser::default(), Vec::new());
                for byte in &input { whole.0.push(*byte, &mut |byte| whole.1.push(byte)); }
                whole.0.finish(&mut |byte| whole.1.push(byte));
                prop_assert_eq!(out, whole.1);
            }
        }
    }
}
