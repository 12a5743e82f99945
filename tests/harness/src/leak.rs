//! Looks for a secret the other way round than the host does: the host encodes the secret and
//! searches for that, this decodes the text in every way and searches for the secret. What one
//! forgets the other may know.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

/// So many bytes of a secret in a row are a leak; shorter runs are in many texts by chance.
pub const RUN: usize = 12;

/// What is looked for: every run of so many bytes of each secret, [`RUN`] where nothing else is
/// said.
#[derive(Debug)]
pub struct LeakDetector {
    runs: HashSet<Vec<u8>>,
    run: usize,
    /// A quick answer for most places of a text: whether two bytes begin any run.
    begins: Vec<bool>,
}

impl LeakDetector {
    #[must_use]
    pub fn new<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>) -> Self {
        Self::of_runs(secrets, RUN)
    }

    #[must_use]
    pub fn of_runs<S: AsRef<str>>(secrets: impl IntoIterator<Item = S>, run: usize) -> Self {
        let mut runs = HashSet::new();
        let mut begins = vec![false; 1 << 16];
        for secret in secrets {
            for part in secret.as_ref().as_bytes().windows(run) {
                begins[pair(part[0], part[1])] = true;
                runs.insert(part.to_vec());
            }
        }
        Self { runs, run, begins }
    }

    /// How a text gives a secret away, if it does: the ways of decoding that show it, outermost
    /// first.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<String> {
        self.find_within(text, 2)
    }

    /// Looks for the secret with one decoding less: for texts of many megabytes.
    #[must_use]
    pub fn find_quickly(&self, text: &[u8]) -> Option<String> {
        self.find_within(text, 1)
    }

    fn find_within(&self, text: &[u8], depth: u32) -> Option<String> {
        if self.is_in(text) {
            return Some(String::from("plain"));
        }
        let depth = depth.checked_sub(1)?;
        for (name, decode) in DECODERS {
            for decoded in decode(text) {
                if let Some(rest) = self.find_within(&decoded, depth) {
                    return Some(format!("{name}, {rest}"));
                }
            }
        }
        None
    }

    fn is_in(&self, text: &[u8]) -> bool {
        text.windows(self.run)
            .any(|part| self.begins[pair(part[0], part[1])] && self.runs.contains(part))
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

type Decoder = (&'static str, fn(&[u8]) -> Vec<Vec<u8>>);

const DECODERS: [Decoder; 7] = [
    ("without gaps", |text| vec![without_gaps(text)]),
    ("reversed", |text| {
        vec![text.iter().rev().copied().collect()]
    }),
    ("percent", |text| vec![escapes(text, b"%", 2)]),
    ("backslash u", |text| {
        vec![escapes(text, b"\\u00", 2), escapes(text, b"\\x", 2)]
    }),
    ("character references", |text| vec![references(text)]),
    ("hexadecimal", |text| {
        vec![hexadecimal(text, 0), hexadecimal(text, 1)]
    }),
    ("base64", base64s),
];

/// NULs too, which makes ASCII of UTF-16 and UTF-32.
fn without_gaps(text: &[u8]) -> Vec<u8> {
    let is_gap = |byte: u8| byte.is_ascii_whitespace() || matches!(byte, 0 | b'\\');
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        // The escapes of line ends in JSON.
        let escaped = byte == b'\\' && matches!(after.first(), Some(b'r' | b'n'));
        rest = if escaped { &after[1..] } else { after };
        if !is_gap(byte) {
            out.push(byte);
        }
    }
    out
}

fn escapes(text: &[u8], mark: &[u8], digits: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let code = text[at..]
            .strip_prefix(mark)
            .and_then(|rest| rest.get(..digits));
        let byte =
            code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                at += mark.len() + digits;
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

fn references(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text)
        .replace("&sol;", "/")
        .replace("&plus;", "+")
        .replace("&equals;", "=")
        .replace("&lowbar;", "_")
        .replace("&amp;", "&");
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("&#") {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let after = &rest[at + 2..];
        let (after, radix) = after
            .strip_prefix(['x', 'X'])
            .map_or((after, 10), |hex| (hex, 16));
        let end = after
            .find(|c: char| !c.is_digit(radix))
            .unwrap_or(after.len());
        match u8::from_str_radix(&after[..end], radix) {
            Ok(byte) => out.push(byte),
            Err(_) => out.extend_from_slice(b"&#"),
        }
        rest = after[end..].strip_prefix(';').unwrap_or(&after[end..]);
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn hexadecimal(text: &[u8], shift: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for run in text
        .split(|byte| !byte.is_ascii_hexdigit())
        .filter(|run| run.len() >= RUN)
    {
        let run = run.get(shift..).unwrap_or_default();
        out.extend(
            run.chunks_exact(2)
                .filter_map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()),
        );
        out.push(b'|');
    }
    out
}

/// Every run of base64 characters, of either alphabet, decoded from each of its first four
/// characters on.
fn base64s(text: &[u8]) -> Vec<Vec<u8>> {
    let is_base64 =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    (0..4)
        .map(|shift| {
            let mut out = Vec::new();
            for run in text
                .split(|byte| !is_base64(byte))
                .filter(|run| run.len() >= RUN)
            {
                let run = run.get(shift..).unwrap_or_default();
                let run: Vec<u8> = run
                    .iter()
                    .map(|byte| match byte {
                        b'+' => b'-',
                        b'/' => b'_',
                        other => *other,
                    })
                    .collect();
                let whole = &run[..run.len() / 4 * 4];
                out.extend(URL_SAFE_NO_PAD.decode(whole).unwrap_or_default());
                out.push(b'|');
            }
            out
        })
        .collect()
}

fn each(secret: &str, spell: impl Fn(u8) -> String) -> Vec<u8> {
    secret.bytes().map(spell).collect::<String>().into_bytes()
}

fn minimal(secret: &str, spell: impl Fn(u8) -> String) -> Vec<u8> {
    each(secret, |b| {
        if b.is_ascii_alphanumeric() {
            char::from(b).to_string()
        } else {
            spell(b)
        }
    })
}

/// The forms in which an outside system may send a secret back, each under its name.
#[must_use]
pub fn encodings(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let around = |before: &str, after: &str| format!("{before}{secret}{after}");
    let wide =
        |order: fn(u16) -> [u8; 2]| secret.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let lines = |text: &[u8], length: usize, joint: &[u8]| {
        text.chunks(length).collect::<Vec<_>>().join(joint)
    };
    vec![
        ("raw", secret.into()),
        (
            "percent minimal, upper",
            minimal(secret, |b| format!("%{b:02X}")),
        ),
        (
            "percent minimal, lower",
            minimal(secret, |b| format!("%{b:02x}")),
        ),
        ("percent all, upper", each(secret, |b| format!("%{b:02X}"))),
        ("percent all, lower", each(secret, |b| format!("%{b:02x}"))),
        ("base64", STANDARD.encode(secret).into()),
        (
            "base64 after one byte",
            STANDARD.encode(around("x", "yz")).into(),
        ),
        (
            "base64 after two bytes",
            STANDARD.encode(around("xy", "z")).into(),
        ),
        (
            "base64 of the header",
            STANDARD.encode(around("Bearer ", "")).into(),
        ),
        ("base64url", URL_SAFE.encode(secret).into()),
        (
            "base64url after one byte",
            URL_SAFE_NO_PAD.encode(around("?", "??")).into(),
        ),
        (
            "base64url after two bytes",
            URL_SAFE_NO_PAD.encode(around("??", "?")).into(),
        ),
        ("hex lower", each(secret, |b| format!("{b:02x}"))),
        ("hex upper", each(secret, |b| format!("{b:02X}"))),
        ("backslash u lower", each(secret, |b| format!("\\u{b:04x}"))),
        ("backslash u upper", each(secret, |b| format!("\\u{b:04X}"))),
        ("references decimal", each(secret, |b| format!("&#{b};"))),
        ("references hex", each(secret, |b| format!("&#x{b:x};"))),
        ("reversed", secret.bytes().rev().collect()),
        ("UTF-16LE", wide(u16::to_le_bytes)),
        ("UTF-16BE", wide(u16::to_be_bytes)),
        ("first half", secret.as_bytes()[..secret.len() / 2].to_vec()),
        ("last half", secret.as_bytes()[secret.len() / 2..].to_vec()),
        ("over lines", lines(secret.as_bytes(), 5, b"\r\n")),
        (
            "spaces between",
            each(secret, |b| format!("{} ", char::from(b))),
        ),
        ("escaped slashes", secret.replace('/', "\\/").into()),
        (
            "backslashes",
            minimal(secret, |b| format!("\\{}", char::from(b))),
        ),
        ("over lines in JSON", lines(secret.as_bytes(), 5, b"\\r\\n")),
        (
            "named references",
            secret
                .replace('/', "&sol;")
                .replace('+', "&plus;")
                .replace('=', "&equals;")
                .into(),
        ),
        (
            "base64 over lines",
            lines(STANDARD.encode(secret).as_bytes(), 7, b"\r\n"),
        ),
        (
            "base64 of base64",
            STANDARD.encode(STANDARD.encode(secret)).into(),
        ),
    ]
}

/// The encodings of a part of the secret: what an outside system sends that cuts what it echoes.
#[must_use]
pub fn encodings_of_parts(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let part = &secret[4..4 + RUN + 8];
    let of_part = encodings(part)
        .into_iter()
        .filter(|(name, _)| !name.ends_with("half") && *name != "base64 of base64");
    let mut cut: Vec<_> = of_part.collect();
    let whole = STANDARD.encode(secret);
    cut.push(("base64, cut", whole.as_bytes()[3..3 + 24].to_vec()));
    cut.push((
        "hex, cut",
        each(secret, |b| format!("{b:02x}"))[9..9 + 32].to_vec(),
    ));
    cut
}

#[cfg(test)]
mod tests {
    use super::{LeakDetector, encodings, encodings_of_parts};

    const SECRET: &str = "s3cr3t/t0ken+v4lue/Qx7Zp9w==Kd82mV";

    #[test]
    fn every_encoding_is_found_and_ordinary_text_is_not() {
        let detector = LeakDetector::new([SECRET]);
        for (name, spelt) in encodings(SECRET)
            .into_iter()
            .chain(encodings_of_parts(SECRET))
        {
            let text = [b"{\"echo\":\"".as_slice(), &spelt, b"\"}"].concat();
            assert!(detector.find(&text).is_some(), "{name}");
        }
        for text in [
            "",
            "{\"status\":200}",
            "s3cr3t/t0ke",
            "[redacted]",
            &"QUJD".repeat(100),
        ] {
            assert_eq!(detector.find(text.as_bytes()), None, "{text}");
        }
    }
}
