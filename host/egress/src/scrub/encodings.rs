use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// RFC 3986 section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Every spelling of a part that is searched for, itself first. Some are the same for some parts.
pub(crate) fn all(part: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![part.to_vec()];
    forms.extend(compact(part));
    for (every, upper) in [(false, true), (false, false), (true, true), (true, false)] {
        forms.push(percent(part, every, upper));
    }
    for upper in [false, true] {
        forms.push(unicode_escapes(part, upper));
        forms.push(entities(part, Some(upper)));
    }
    forms.push(entities(part, None));
    forms.push(utf16(part, u16::to_le_bytes));
    forms.push(utf16(part, u16::to_be_bytes));
    forms
}

/// The spellings that stay in one run of letters and digits: what line folding, spaces and escapes can still be put
/// into, so that they are searched for in the normalised text too.
pub(crate) fn compact(part: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = base64_everywhere(part);
    forms.extend([hex(part, false), hex(part, true), reversed(part), rot13(part)]);
    // Base64 of the base64: a proxy that wraps what a server has wrapped.
    forms.extend(aligned_base64(
        STANDARD_NO_PAD.encode(part).as_bytes(),
        &STANDARD_NO_PAD,
    ));
    forms.extend(aligned_base64(
        base64::engine::general_purpose::STANDARD.encode(part).as_bytes(),
        &STANDARD_NO_PAD,
    ));
    forms
}

/// The spellings of a piece that normalising does not undo.
pub(crate) fn of_piece(piece: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = base64_everywhere(piece);
    forms.extend([hex(piece, false), hex(piece, true), reversed(piece)]);
    forms
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

fn digits(upper: bool) -> &'static [u8; 16] {
    if upper {
        b"0123456789ABCDEF"
    } else {
        b"0123456789abcdef"
    }
}

fn push_hex(into: &mut Vec<u8>, byte: u8, upper: bool) {
    for nibble in [byte >> 4, byte & 15] {
        into.extend(digits(upper).get(usize::from(nibble)));
    }
}

/// Percent-encoding (RFC 3986 section 2.1) of what must be, or of every byte.
pub(crate) fn percent(part: &[u8], every: bool, upper: bool) -> Vec<u8> {
    let mut form = Vec::with_capacity(part.len() * 3);
    for &byte in part {
        if is_unreserved(byte) && !every {
            form.push(byte);
        } else {
            form.push(b'%');
            push_hex(&mut form, byte, upper);
        }
    }
    form
}

pub(crate) fn hex(part: &[u8], upper: bool) -> Vec<u8> {
    let mut form = Vec::with_capacity(part.len() * 2);
    for &byte in part {
        push_hex(&mut form, byte, upper);
    }
    form
}

pub(crate) fn reversed(part: &[u8]) -> Vec<u8> {
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
pub(crate) fn unicode_escapes(part: &[u8], upper: bool) -> Vec<u8> {
    let mut form = Vec::with_capacity(part.len() * 6);
    let mut units = [0; 2];
    for character in characters(part) {
        for unit in character.encode_utf16(&mut units) {
            form.extend_from_slice(b"\\u");
            for byte in unit.to_be_bytes() {
                push_hex(&mut form, byte, upper);
            }
        }
    }
    form
}

/// Numeric character references of HTML: decimal, or hexadecimal in either case.
pub(crate) fn entities(part: &[u8], hexadecimal: Option<bool>) -> Vec<u8> {
    let mut form = String::with_capacity(part.len() * 6);
    for character in characters(part) {
        let code = u32::from(character);
        form.push_str(&match hexadecimal {
            None => format!("&#{code};"),
            Some(false) => format!("&#x{code:x};"),
            Some(true) => format!("&#x{code:X};"),
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

    use super::{aligned_base64, all, entities, percent, unicode_escapes};

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
        assert_eq!(percent(b"a/b", false, true), b"a%2Fb");
        assert_eq!(percent(b"a/", true, false), b"%61%2f");
        assert_eq!(unicode_escapes(b"k/", false), b"\\u006b\\u002f");
        assert_eq!(entities(b"k", None), b"&#107;");
        assert_eq!(entities(b"k", Some(true)), b"&#x6B;");
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
