/// The longest escape that is decoded: `&#x0010FFFF;`.
const MAX_ESCAPE: usize = 12;

/// Names of characters that appear in credentials (HTML, section 13.5).
const NAMED: &[(&[u8], u8)] = &[
    (b"amp", b'&'),
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"quot", b'"'),
    (b"apos", b'\''),
    (b"sol", b'/'),
    (b"bsol", b'\\'),
    (b"plus", b'+'),
    (b"equals", b'='),
    (b"lowbar", b'_'),
    (b"hyphen", b'-'),
    (b"dash", b'-'),
    (b"period", b'.'),
    (b"colon", b':'),
    (b"semi", b';'),
    (b"comma", b','),
    (b"num", b'#'),
    (b"percnt", b'%'),
    (b"excl", b'!'),
    (b"quest", b'?'),
    (b"dollar", b'$'),
    (b"ast", b'*'),
    (b"lpar", b'('),
    (b"rpar", b')'),
    (b"commat", b'@'),
    (b"verbar", b'|'),
    (b"grave", b'`'),
    (b"Hat", b'^'),
    (b"lsqb", b'['),
    (b"rsqb", b']'),
    (b"lcub", b'{'),
    (b"rcub", b'}'),
    (b"Tab", b'\t'),
    (b"NewLine", b'\n'),
    (b"nbsp", b' '),
    (b"ZeroWidthSpace", b' '),
    (b"shy", b' '),
];

/// One pass over a text, in chunks of any size: whitespace, NUL and backslashes are dropped; percent-encoding, JSON and
/// C escapes and character references are decoded once.
#[derive(Debug, Default, Clone)]
pub(crate) struct Normaliser {
    pending: [u8; MAX_ESCAPE],
    length: usize,
}

enum Escape {
    /// It may still become one.
    Open,
    /// It is not one.
    None,
    /// A character, and whether the last byte belongs to it.
    Is(u32, bool),
    /// A byte.
    Byte(u8),
}

impl Normaliser {
    /// Takes one byte; hands each byte of the result to `emit`.
    #[inline]
    pub(crate) fn push(&mut self, byte: u8, emit: &mut impl FnMut(u8)) {
        if self.length == 0 && !matches!(byte, b'\\' | b'%' | b'&') {
            plain(byte, emit);
        } else {
            self.push_escape(byte, emit);
        }
    }

    fn push_escape(&mut self, byte: u8, emit: &mut impl FnMut(u8)) {
        let Some(slot) = self.pending.get_mut(self.length) else {
            self.give_up(emit);
            return self.push(byte, emit);
        };
        *slot = byte;
        self.length += 1;
        let escape = self.pending.get(..self.length).map_or(Escape::None, read);
        match escape {
            Escape::Open => {}
            Escape::None => self.give_up(emit),
            Escape::Byte(byte) => {
                self.length = 0;
                plain(byte, emit);
            }
            Escape::Is(code, whole) => {
                self.length = 0;
                let mut buffer = [0; 4];
                if let Some(character) = char::from_u32(code).filter(|character| !is_dropped(*character)) {
                    character.encode_utf8(&mut buffer).bytes().for_each(&mut *emit);
                }
                if !whole {
                    self.push(byte, emit);
                }
            }
        }
    }

    /// The text ended.
    pub(crate) fn finish(&mut self, emit: &mut impl FnMut(u8)) {
        while self.length > 0 {
            self.give_up(emit);
        }
    }

    /// What began like an escape is none: its first byte stands for itself, and the rest is looked at anew.
    fn give_up(&mut self, emit: &mut impl FnMut(u8)) {
        let (pending, length) = (self.pending, self.length);
        self.length = 0;
        let mut bytes = pending.iter().take(length);
        if let Some(first) = bytes.next() {
            plain(*first, emit);
        }
        for byte in bytes {
            self.push(*byte, emit);
        }
    }
}

fn plain(byte: u8, emit: &mut impl FnMut(u8)) {
    if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | 0 | b'\\') {
        emit(byte);
    }
}

/// Characters that show as nothing.
fn is_dropped(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\\' | '\0' | '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}'
        )
}

fn read(text: &[u8]) -> Escape {
    match text {
        [b'%' | b'\\' | b'&'] => Escape::Open,
        [b'%', digits @ ..] | [b'\\', b'x', digits @ ..] => match fixed(digits, 2) {
            Some(code) => u8::try_from(code).map_or(Escape::None, Escape::Byte),
            None => open(digits, 2),
        },
        [b'\\', b'u', b'{', digits @ .., b'}'] => {
            number(digits, 16).map_or(Escape::None, |code| Escape::Is(code, true))
        }
        [b'\\', b'u', b'{', digits @ ..] => open(digits, 6),
        [b'\\', b'u', digits @ ..] => match fixed(digits, 4) {
            Some(code) => Escape::Is(code, true),
            None => open(digits, 4),
        },
        // A folded line within a JSON string.
        [b'\\', b'n' | b'r' | b't'] => Escape::Is(u32::from(' '), true),
        [b'&', b'#'] | [b'&', b'#', b'x' | b'X'] => Escape::Open,
        [b'&', b'#', b'x' | b'X', digits @ .., last] => reference(digits, *last, 16),
        [b'&', b'#', digits @ .., last] => reference(digits, *last, 10),
        [b'&', name @ .., b';'] => NAMED
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(Escape::None, |(_, byte)| Escape::Is(u32::from(*byte), true)),
        [b'&', name @ ..] if name.iter().all(u8::is_ascii_alphabetic) && name.len() + 1 < MAX_ESCAPE => {
            Escape::Open
        }
        _ => Escape::None,
    }
}

/// A numeric reference; browsers take one without its semicolon, where the next character is no digit.
fn reference(digits: &[u8], last: u8, radix: u32) -> Escape {
    let is_digit = char::from(last).is_digit(radix);
    if is_digit && digits.len() + 3 < MAX_ESCAPE {
        return if digits.iter().all(|byte| char::from(*byte).is_digit(radix)) {
            Escape::Open
        } else {
            Escape::None
        };
    }
    if is_digit {
        return Escape::None;
    }
    number(digits, radix).map_or(Escape::None, |code| Escape::Is(code, last == b';'))
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let text = std::str::from_utf8(digits)
        .ok()
        .filter(|text| !text.starts_with('+'))?;
    u32::from_str_radix(text, radix).ok()
}

fn fixed(digits: &[u8], count: usize) -> Option<u32> {
    (digits.len() == count).then(|| number(digits, 16)).flatten()
}

fn open(digits: &[u8], most: usize) -> Escape {
    if digits.len() <= most && digits.iter().all(u8::is_ascii_hexdigit) && (digits.len() < most || most == 6)
    {
        Escape::Open
    } else {
        Escape::None
    }
}

/// A whole text, for needles and tests.
pub(crate) fn normalised(text: &[u8]) -> Vec<u8> {
    let mut normaliser = Normaliser::default();
    let mut out = Vec::with_capacity(text.len());
    let mut emit = |byte| out.push(byte);
    for byte in text {
        normaliser.push(*byte, &mut emit);
    }
    normaliser.finish(&mut emit);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

    use super::{Normaliser, normalised};

    fn text(input: &str) -> String {
        String::from_utf8_lossy(&normalised(input.as_bytes())).into_owned()
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
                prop_assert_eq!(out, normalised(&input));
            }
        }
    }
}
