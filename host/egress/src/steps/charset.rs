use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use http::HeaderMap;

use super::scrub::text_type;

/// How much of a body is looked at for the encoding that an XML document names of itself, in bytes.
const PROLOG: usize = 128;

/// Makes UTF-8 of a text in another encoding, piece by piece, and takes a byte order mark off. For
/// adapters, which make text and JSON of what comes; a plugin gets the bytes as they came.
#[derive(Debug)]
pub(super) struct Charset {
    state: CharsetState,
}

#[derive(Debug)]
enum CharsetState {
    /// The first bytes say which it is: a byte order mark, the prolog of XML, or where their zeros
    /// are.
    Unknown { first: Vec<u8>, kind: Kind },
    /// The text as it is.
    Plain,
    /// By this decoder.
    Decoding(Box<UnicodeDecoder>),
}

/// What of its encoding a text shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It begins with a character of ASCII (RFC 4627 section 3).
    Json,
    /// So does it, and may name its encoding.
    Xml,
    Other,
}

/// A decoder of `encoding_rs`, which has no `Debug`.
struct UnicodeDecoder(Decoder);

impl std::fmt::Debug for UnicodeDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.encoding().name())
    }
}

impl Charset {
    /// By the header fields of the response; what is no text stays as it is.
    #[must_use]
    pub(super) fn from_headers(headers: &HeaderMap) -> Self {
        let state = match text_type(headers) {
            None => CharsetState::Plain,
            Some((media, charset)) => match charset
                .map(|label| Encoding::for_label(label.as_bytes()))
            {
                // A label that nobody knows: the bytes as they are.
                Some(None) => CharsetState::Plain,
                Some(Some(encoding)) if encoding != UTF_8 => CharsetState::from_encoding(encoding),
                _ => CharsetState::Unknown {
                    first: Vec::new(),
                    kind: match &*media {
                        media if media.ends_with("/xml") || media.ends_with("+xml") => Kind::Xml,
                        media if media.ends_with("/json") || media.ends_with("+json") => Kind::Json,
                        _ => Kind::Other,
                    },
                },
            },
        };
        Self { state }
    }

    /// One that leaves everything as it is.
    #[must_use]
    pub(super) fn none() -> Self {
        Self {
            state: CharsetState::Plain,
        }
    }

    /// Whether UTF-8 is made of something else.
    #[must_use]
    pub(super) fn is_converted(&self) -> bool {
        matches!(self.state, CharsetState::Decoding(_))
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, data: bytes::Bytes, is_end: bool) -> bytes::Bytes {
        if let CharsetState::Unknown { first, kind } = &mut self.state {
            first.extend_from_slice(&data);
            let least = if *kind == Kind::Xml { PROLOG } else { 3 };
            if first.len() < least && !is_end && may_go_on(first, *kind) {
                return bytes::Bytes::new();
            }
            let (first, kind) = (std::mem::take(first), *kind);
            self.state = CharsetState::by_content(&first, kind);
            let rest = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first);
            return self.convert(bytes::Bytes::copy_from_slice(rest), is_end);
        }
        self.convert(data, is_end)
    }

    fn convert(&mut self, data: bytes::Bytes, is_end: bool) -> bytes::Bytes {
        match &mut self.state {
            CharsetState::Decoding(decoder) => decode(&mut decoder.0, &data, is_end).into(),
            _ => data,
        }
    }
}

impl CharsetState {
    fn from_encoding(encoding: &'static Encoding) -> Self {
        Self::Decoding(Box::new(UnicodeDecoder(encoding.new_decoder())))
    }

    fn by_content(first: &[u8], kind: Kind) -> Self {
        match Encoding::for_bom(first) {
            Some((encoding, _)) if encoding != UTF_8 => return Self::from_encoding(encoding),
            Some(_) => return Self::Plain,
            None => {}
        }
        match first {
            [0, second, ..] if *second != 0 && kind != Kind::Other => {
                return Self::from_encoding(UTF_16BE);
            }
            [first, 0, ..] if *first != 0 && kind != Kind::Other => {
                return Self::from_encoding(UTF_16LE);
            }
            _ => {}
        }
        match declared_encoding(first).filter(|_| kind == Kind::Xml) {
            Some(encoding) if encoding != UTF_8 => Self::from_encoding(encoding),
            _ => Self::Plain,
        }
    }
}

/// Whether what there is so far may be the beginning of a byte order mark or of a prolog.
fn may_go_on(first: &[u8], kind: Kind) -> bool {
    let begins = |mark: &[u8]| mark.starts_with(first);
    let is_xml = kind == Kind::Xml;
    (first.len() < 2 && kind != Kind::Other)
        || begins(b"\xef\xbb\xbf")
        || begins(b"\xff\xfe")
        || begins(b"\xfe\xff")
        || (is_xml && (begins(b"<?xml") || (first.starts_with(b"<?xml") && !first.contains(&b'>'))))
}

/// `encoding` of a prolog (XML 1.0 section 4.3.3).
fn declared_encoding(first: &[u8]) -> Option<&'static Encoding> {
    let end = first.iter().position(|byte| *byte == b'>')?;
    let prolog = std::str::from_utf8(first.get(..end)?)
        .ok()?
        .strip_prefix("<?xml")?;
    let value = prolog
        .split_once("encoding")?
        .1
        .trim_start()
        .strip_prefix('=')?
        .trim_start();
    let quote = value
        .chars()
        .next()
        .filter(|quote| matches!(quote, '"' | '\''))?;
    let label = value.get(1..)?.split_once(quote)?.0;
    // A document that is read as bytes of ASCII here is in no encoding of two bytes a character.
    Encoding::for_label(label.as_bytes()).filter(|encoding| encoding.is_ascii_compatible())
}

fn decode(decoder: &mut Decoder, data: &[u8], is_end: bool) -> Vec<u8> {
    // At most three bytes of UTF-8 for each byte; the bound of the body was held before.
    let room = decoder
        .max_utf8_buffer_length(data.len())
        .unwrap_or(3 * data.len() + 16);
    let mut out = vec![0; room];
    let (mut read, mut written) = (0, 0);
    loop {
        let rest = data.get(read..).unwrap_or_default();
        let space = out.get_mut(written..).unwrap_or_default();
        let (result, more, made, _) = decoder.decode_to_utf8(rest, space, is_end);
        read += more;
        written += made;
        match result {
            CoderResult::InputEmpty => break,
            CoderResult::OutputFull => out.resize(out.len() + rest.len() + 64, 0),
        }
    }
    out.truncate(written);
    out
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;
    use http::header::CONTENT_TYPE;

    use super::Charset;

    fn read(kind: &str, body: &[u8]) -> Vec<u8> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())]);
        let whole = Charset::from_headers(&headers).push(Bytes::copy_from_slice(body), true);
        let mut pieces = Charset::from_headers(&headers);
        let mut out = Vec::new();
        for byte in body {
            out.extend_from_slice(&pieces.push(Bytes::copy_from_slice(&[*byte]), false));
        }
        out.extend_from_slice(&pieces.push(Bytes::new(), true));
        assert_eq!(out, whole, "{kind}");
        out
    }

    fn utf16(text: &str, order: fn(u16) -> [u8; 2], mark: &[u8]) -> Vec<u8> {
        let mut bytes = mark.to_vec();
        bytes.extend(text.encode_utf16().flat_map(order));
        bytes
    }

    #[test]
    fn a_text_is_read_by_its_charset_its_mark_or_its_prolog() {
        let json = r#"{"name":"Zoë – €"}"#;
        let little = utf16(json, u16::to_le_bytes, b"\xff\xfe");
        let big = utf16(json, u16::to_be_bytes, b"\xfe\xff");
        let bare = |order| utf16(json, order, b"");
        let xml = "<a>ë</a>";
        for (kind, body, text) in [
            ("text/plain; charset=ISO-8859-1", b"Zo\xeb".to_vec(), "Zoë"),
            (
                "text/csv; charset=\"windows-1252\"",
                b"\x80 5".to_vec(),
                "€ 5",
            ),
            ("text/csv; Charset='CP1252'", b"\x80 5".to_vec(), "€ 5"),
            ("application/json; charset=utf-16", little.clone(), json),
            ("application/json; charset=UTF-16LE", little.clone(), json),
            ("application/json", little, json),
            ("application/problem+json", big, json),
            (
                "application/json; charset=utf-16be",
                utf16(json, u16::to_be_bytes, b""),
                json,
            ),
            (
                "application/json",
                [b"\xef\xbb\xbf", json.as_bytes()].concat(),
                json,
            ),
            (
                "application/json; charset=utf-8",
                [b"\xef\xbb\xbf", json.as_bytes()].concat(),
                json,
            ),
            ("application/json; charset=utf-8", json.into(), json),
            (
                "application/xml",
                b"<?xml version='1.0' encoding='latin1'?><a>\xeb</a>".to_vec(),
                "<?xml version='1.0' encoding='latin1'?><a>ë</a>",
            ),
            ("text/plain; charset=Shift_JIS", b"\x83\x65".to_vec(), "テ"),
            ("application/json", bare(u16::to_le_bytes), json),
            ("application/vnd.api+json", bare(u16::to_be_bytes), json),
            ("application/json", b"1".to_vec(), "1"),
            ("application/xml", utf16(xml, u16::to_le_bytes, b""), xml),
            ("text/plain", b"a\0".to_vec(), "a\0"),
            ("text/plain", b"ab".to_vec(), "ab"),
            ("text/plain", b"".to_vec(), ""),
        ] {
            assert_eq!(
                String::from_utf8(read(kind, &body)).unwrap(),
                text,
                "{kind}"
            );
        }
    }

    #[test]
    fn what_is_no_text_or_of_no_known_charset_stays_as_it_is() {
        for kind in [
            "image/png",
            "application/octet-stream; charset=utf-16",
            "text/plain; charset=x-nobody",
            "application/xml",
        ] {
            assert_eq!(read(kind, b"\xefPNG\x00"), b"\xefPNG\x00", "{kind}");
        }
    }
}
