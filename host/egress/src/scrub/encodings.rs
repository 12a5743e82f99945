use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// RFC 3986 section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Every spelling of a part that is replaced as a whole, itself first. Some are the same for some
/// parts. Letters are searched for in either case.
pub(crate) fn all(part: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![part.to_vec(), hex(part)];
    forms.extend(compact(part));
    forms.extend([percent(part, false), percent(part, true)]);
    forms.push(unicode_escapes(part));
    forms.extend([entities(part, true), entities(part, false)]);
    forms.push(utf16(part, u16::to_le_bytes));
    forms.push(utf16(part, u16::to_be_bytes));
    forms
}

/// The spellings that stay in one run of letters and digits: what line folding, spaces and escapes
/// can still be put into, so that they are searched for in the normalised text too.
pub(crate) fn compact(part: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = base64_everywhere(part);
    forms.extend([reverse_bytes(part), rot13(part)]);
    forms.extend(base32(part));
    // Base64 of the base64: a proxy that wraps what a server has wrapped.
    forms.extend(aligned_base64(
        STANDARD_NO_PAD.encode(part).as_bytes(),
        &STANDARD_NO_PAD,
    ));
    forms.extend(aligned_base64(
        base64::engine::general_purpose::STANDARD
            .encode(part)
            .as_bytes(),
        &STANDARD_NO_PAD,
    ));
    forms
}

/// The spellings of a piece that normalising does not undo.
pub(crate) fn of_piece(piece: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = base64_everywhere(piece);
    forms.extend(base32(piece));
    forms.push(hex(piece));
    forms
}

/// RFC 4648 section 6.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// At each of the five places where the part can begin within eight characters; only the characters
/// that the part alone decides.
fn base32(part: &[u8]) -> Vec<Vec<u8>> {
    let aligned = |shift: usize| {
        let (first, end) = ((8 * shift).div_ceil(5), (8 * (shift + part.len())) / 5);
        let bit = |at: usize| {
            let byte = (at / 8).checked_sub(shift).and_then(|at| part.get(at));
            byte.map_or(0, |byte| (byte >> (7 - at % 8)) & 1)
        };
        let digit = |at: usize| (0..5).fold(0, |digit, next| digit << 1 | bit(5 * at + next));
        (first..end)
            .filter_map(|at| BASE32.get(usize::from(digit(at))).copied())
            .collect()
    };
    (0..5).map(aligned).collect()
}

/// An encoding of so many bytes in so many digits, whatever stands before and behind them.
struct BlockCode {
    bytes: usize,
    digits: usize,
    /// Its length is the radix.
    alphabet: &'static [u8],
    /// The least digit first.
    is_reversed: bool,
}

/// RFC 4648 section 7, Crockford's base32, Ascii85, ZeroMQ RFC 32, RFC 1924, uuencode, RFC 9285.
const BLOCK_CODES: &[BlockCode] = &[
    BlockCode::new(5, 8, b"0123456789ABCDEFGHIJKLMNOPQRSTUV"),
    BlockCode::new(5, 8, b"0123456789ABCDEFGHJKMNPQRSTVWXYZ"),
    BlockCode::new(
        4,
        5,
        b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstu",
    ),
    BlockCode::new(
        4,
        5,
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#",
    ),
    BlockCode::new(
        4,
        5,
        b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~",
    ),
    BlockCode::new(
        3,
        4,
        b"`!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_",
    ),
    BlockCode {
        is_reversed: true,
        ..BlockCode::new(2, 3, b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")
    },
];

impl BlockCode {
    const fn new(bytes: usize, digits: usize, alphabet: &'static [u8]) -> Self {
        Self {
            bytes,
            digits,
            alphabet,
            is_reversed: false,
        }
    }

    /// Of as many whole blocks as the part has.
    fn encode(&self, part: &[u8]) -> Vec<u8> {
        let radix = self.alphabet.len() as u64;
        let block = |block: &[u8]| {
            let mut value = block
                .iter()
                .fold(0, |value, byte| value << 8 | u64::from(*byte));
            let mut digits = Vec::with_capacity(self.digits);
            for _ in 0..self.digits {
                digits.extend(self.alphabet.get((value % radix) as usize));
                value /= radix;
            }
            if !self.is_reversed {
                digits.reverse();
            }
            digits
        };
        part.chunks_exact(self.bytes).flat_map(block).collect()
    }
}

/// A part in each block code, wherever its blocks begin.
pub(crate) fn in_blocks(part: &[u8]) -> Vec<Vec<u8>> {
    let places = |code: &'static BlockCode| {
        (0..code.bytes).filter_map(|at| Some(code.encode(part.get(at..)?)))
    };
    BLOCK_CODES.iter().flat_map(places).collect()
}

/// A piece in each block code, as it is where a block begins with it: of all pieces of a secret
/// some are.
pub(crate) fn piece_in_blocks(piece: &[u8]) -> Vec<Vec<u8>> {
    BLOCK_CODES.iter().map(|code| code.encode(piece)).collect()
}

/// Both alphabets, at each of the three places where the part can begin within four characters.
pub(crate) fn base64_everywhere(part: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = aligned_base64(part, &STANDARD_NO_PAD);
    forms.extend(aligned_base64(part, &URL_SAFE_NO_PAD));
    forms
}

/// Only the characters that the part alone decides: the first and last depend on its neighbours.
fn aligned_base64(part: &[u8], engine: &impl base64::Engine) -> Vec<Vec<u8>> {
    (0..3_usize)
        .filter_map(|shift| {
            let mut padded = vec![0; shift];
            padded.extend_from_slice(part);
            let text = engine.encode(&padded);
            let first = (8 * shift).div_ceil(6);
            let end = (8 * padded.len()) / 6;
            text.as_bytes().get(first..end).map(<[u8]>::to_vec)
        })
        .collect()
}

fn push_hex(into: &mut Vec<u8>, byte: u8) {
    for nibble in [byte >> 4, byte & 15] {
        into.extend(b"0123456789abcdef".get(usize::from(nibble)));
    }
}

/// Percent-encoding (RFC 3986 section 2.1) of what must be, or of every byte.
pub(crate) fn percent(part: &[u8], every: bool) -> Vec<u8> {
    let mut form = Vec::with_capacity(part.len() * 3);
    for &byte in part {
        if is_unreserved(byte) && !every {
            form.push(byte);
        } else {
            form.push(b'%');
            push_hex(&mut form, byte);
        }
    }
    form
}

pub(crate) fn hex(part: &[u8]) -> Vec<u8> {
    let mut form = Vec::with_capacity(part.len() * 2);
    for &byte in part {
        push_hex(&mut form, byte);
    }
    form
}

pub(crate) fn reverse_bytes(part: &[u8]) -> Vec<u8> {
    part.iter().rev().copied().collect()
}

pub(crate) fn rot13(part: &[u8]) -> Vec<u8> {
    let turn = |byte: u8, first: u8| (byte - first + 13) % 26 + first;
    part.iter()
        .map(|&byte| match byte {
            b'a'..=b'z' => turn(byte, b'a'),
            b'A'..=b'Z' => turn(byte, b'A'),
            _ => byte,
        })
        .collect()
}

/// Characters where the part is UTF-8, else bytes as Latin-1.
fn characters(part: &[u8]) -> Vec<char> {
    match std::str::from_utf8(part) {
        Ok(text) => text.chars().collect(),
        Err(_) => part.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// The escapes of JSON (RFC 8259 section 7) for every character.
pub(crate) fn unicode_escapes(part: &[u8]) -> Vec<u8> {
    let mut form = Vec::with_capacity(part.len() * 6);
    let mut units = [0; 2];
    for character in characters(part) {
        for unit in character.encode_utf16(&mut units) {
            form.extend_from_slice(b"\\u");
            for byte in unit.to_be_bytes() {
                push_hex(&mut form, byte);
            }
        }
    }
    form
}

/// Numeric character references of HTML: hexadecimal or decimal.
pub(crate) fn entities(part: &[u8], hexadecimal: bool) -> Vec<u8> {
    let mut form = String::with_capacity(part.len() * 6);
    for character in characters(part) {
        let code = u32::from(character);
        form.push_str(&if hexadecimal {
            format!("&#x{code:x};")
        } else {
            format!("&#{code};")
        });
    }
    form.into_bytes()
}

pub(crate) fn utf16(part: &[u8], order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let mut units = [0; 2];
    characters(part)
        .into_iter()
        .flat_map(|character| {
            character
                .encode_utf16(&mut units)
                .iter()
                .flat_map(|unit| order(*unit))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::{aligned_base64, all, base32, entities, percent, unicode_escapes};

    #[test]
    fn base32_is_as_its_standard_says_wherever_it_begins() {
        // RFC 4648 section 10.
        assert_eq!(base32(b"foobar")[0], b"mzxw6ytbo");
        let needles = base32(b"s3cr3t/t0ken");
        for before in ["", "x", "xy", "xyz", "wxyz", "vwxyz"] {
            let text = base32(format!("{before}s3cr3t/t0ken and more").as_bytes()).swap_remove(0);
            let found =
                |needle: &Vec<u8>| text.windows(needle.len()).any(|window| window == needle);
            assert!(needles.iter().any(found), "{before:?}");
        }
    }

    #[test]
    fn aligned_base64_is_found_at_any_offset_and_whatever_stands_around() {
        let needles = aligned_base64(b"s3cr3t/t0ken+value==", &STANDARD);
        for before in ["", "x", "xy", "xyz", "\u{7f}\u{7f}", "user:"] {
            for after in ["", "\0", "zz", "\u{7f}abc"] {
                let text = STANDARD.encode(format!("{before}s3cr3t/t0ken+value=={after}"));
                let found = needles
                    .iter()
                    .any(|needle| text.contains(std::str::from_utf8(needle).unwrap()));
                assert!(found, "{before:?} {after:?}");
            }
        }
    }

    #[test]
    fn escapes_are_spelt_as_their_standards_say() {
        assert_eq!(percent(b"a/b", false), b"a%2fb");
        assert_eq!(percent(b"a/", true), b"%61%2f");
        assert_eq!(unicode_escapes(b"k/"), b"\\u006b\\u002f");
        assert_eq!(entities(b"k", false), b"&#107;");
        assert_eq!(entities(b"k", true), b"&#x6b;");
    }

    #[test]
    fn bytes_that_are_no_text_have_their_forms_too() {
        assert!(
            all(&[0xff, 0xfe, 0x00, 0x80, 0x81, 0x82, 0x83, 0x84])
                .iter()
                .all(|form| !form.is_empty())
        );
    }
}
