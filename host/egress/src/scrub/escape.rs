/// The longest escape that is decoded: a terminal sequence with a colour of 24 bits.
pub(super) const MAX_ESCAPE: usize = 32;

/// The longest name of a character: `ZeroWidthSpace`.
const MAX_NAME: usize = 14;

/// Names of characters that appear in credentials (HTML, section 13.5).
const NAMED: &[(&[u8], u8)] = &[
    (b"amp", b'&'),
    (b"AMP", b'&'),
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
    (b"zwj", b' '),
    (b"zwnj", b' '),
    (b"shy", b' '),
];

/// What the bytes read so far are.
pub(super) enum Escape {
    /// It may still become one.
    Open,
    /// It is not one.
    None,
    /// A character, and whether the last byte belongs to it.
    Is(u32, bool),
    /// A byte.
    Byte(u8),
}

/// Whether an escape can begin with this byte.
pub(super) const fn is_start(byte: u8, quoted_printable: bool) -> bool {
    matches!(byte, b'\\' | b'%' | b'&' | 0x1b) || byte >= 0xc2 || (quoted_printable && byte == b'=')
}

/// Reads an escape or a character of several bytes: percent-encoding, escapes of JSON, JavaScript,
/// Python and C, character references of HTML, quoted-printable (`=41`), UTF-8; sequences that
/// colour a terminal (ECMA-48 section 5.4).
pub(super) fn read(text: &[u8]) -> Escape {
    match text {
        [b'%' | b'\\' | b'&' | b'=' | 0x1b] | [0x1b, b'['] => Escape::Open,
        [0x1b, b'[', .., last] => match last {
            0x20..=0x3f => Escape::Open,
            0x40..=0x7e => Escape::Is(u32::from(' '), true),
            _ => Escape::None,
        },
        [lead, ..] if *lead >= 0x80 => character(text),
        [b'\\', b'u' | b'x', b'{', digits @ ..] => read_braced(digits),
        [b'\\' | b'%', b'u', digits @ ..] => read_fixed(digits, 4),
        [b'\\', b'U', digits @ ..] => read_fixed(digits, 8),
        [b'%' | b'=', digits @ ..] | [b'\\', b'x', digits @ ..] => byte(digits),
        [b'\\', digits @ ..] if digits.iter().all(|digit| matches!(digit, b'0'..=b'7')) => {
            octal(digits)
        }
        // A folded line within a JSON string.
        [b'\\', b'n' | b'r' | b't'] => Escape::Is(u32::from(' '), true),
        [b'&', b'#'] | [b'&', b'#', b'x' | b'X'] => Escape::Open,
        [b'&', b'#', b'x' | b'X', digits @ .., last] => reference(digits, *last, 16),
        [b'&', b'#', digits @ .., last] => reference(digits, *last, 10),
        [b'&', name @ .., b';'] => NAMED
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(Escape::None, |(_, byte)| Escape::Is(u32::from(*byte), true)),
        [b'&', name @ ..] if name.iter().all(u8::is_ascii_alphabetic) && name.len() <= MAX_NAME => {
            Escape::Open
        }
        _ => Escape::None,
    }
}

fn character(text: &[u8]) -> Escape {
    match std::str::from_utf8(text) {
        Ok(text) => text.chars().next().map_or(Escape::None, |character| {
            Escape::Is(u32::from(character), true)
        }),
        Err(error) if error.error_len().is_none() => Escape::Open,
        Err(_) => Escape::None,
    }
}

fn read_braced(digits: &[u8]) -> Escape {
    match digits {
        [digits @ .., b'}'] => {
            number(digits, 16).map_or(Escape::None, |code| Escape::Is(code, true))
        }
        // A character has six digits at most (ECMA-262 section 12.9.4).
        digits if digits.len() <= 6 && digits.iter().all(u8::is_ascii_hexdigit) => Escape::Open,
        _ => Escape::None,
    }
}

fn read_fixed(digits: &[u8], count: usize) -> Escape {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return Escape::None;
    }
    if digits.len() < count {
        return Escape::Open;
    }
    number(digits, 16).map_or(Escape::None, |code| Escape::Is(code, true))
}

fn byte(digits: &[u8]) -> Escape {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return Escape::None;
    }
    if digits.len() < 2 {
        return Escape::Open;
    }
    number(digits, 16)
        .and_then(|code| u8::try_from(code).ok())
        .map_or(Escape::None, Escape::Byte)
}

fn octal(digits: &[u8]) -> Escape {
    if digits.len() < 3 {
        return Escape::Open;
    }
    number(digits, 8)
        .and_then(|code| u8::try_from(code).ok())
        .map_or(Escape::None, Escape::Byte)
}

/// A numeric reference; browsers take one without its semicolon, where the next character is no
/// digit.
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
