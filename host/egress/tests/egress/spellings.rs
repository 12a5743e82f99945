//! What of a credential passes in which spelling: measured, and held against the table of
//! `docs/src/egress.md`.
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use toolhost_egress::scrub::{Needles, REDACTED, Scrubber};
use toolhost_policy::{AuthPlacement, Secret};

/// One of each kind: mixed, a UUID, a hexadecimal key, base32, a key of a payment system, an access
/// token of a forge.
const SECRETS: &[&str] = &[
    "s3cr3t/t0ken+v4lue/Qx7Zp9w==Kd82mV",
    "550e8400-e29b-41d4-a716-446655440000",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    "JBSWY3DPEHPK3PXPGEZDGNBVGY3TQOJQ",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "github_pat_11ABCDE2Y0q8wXyZ4fG6hJ_kLmN0pQrS",
];

type Spell = fn(&str) -> Vec<u8>;

fn each(text: &str, spell: impl Fn(u8) -> String) -> Vec<u8> {
    text.bytes().map(spell).collect::<String>().into_bytes()
}

fn joined(text: &str, by: &str, spell: impl Fn(u8) -> String) -> Vec<u8> {
    text.bytes()
        .map(spell)
        .collect::<Vec<_>>()
        .join(by)
        .into_bytes()
}

fn hex(text: &[u8]) -> Vec<u8> {
    text.iter()
        .flat_map(|b| format!("{b:02x}").into_bytes())
        .collect()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn percent(text: &str) -> Vec<u8> {
    each(text, |b| format!("%{b:02X}"))
}

fn base64(text: &[u8]) -> Vec<u8> {
    STANDARD.encode(text).into()
}

fn base32(text: &[u8], alphabet: &[u8; 32]) -> Vec<u8> {
    let bits: Vec<u8> = text
        .iter()
        .flat_map(|b| (0..8).rev().map(move |bit| b >> bit & 1))
        .collect();
    bits.chunks(5)
        .map(|five| {
            let digit = (0..5).fold(0, |digit, at| {
                digit << 1 | five.get(at).copied().unwrap_or(0)
            });
            alphabet[usize::from(digit)]
        })
        .collect()
}

fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

fn chars(text: &str, spell: impl Fn(char) -> char) -> Vec<u8> {
    text.chars().map(spell).collect::<String>().into_bytes()
}

const UPPER32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const LOWER32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

const HEX32: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
const CROCKFORD32: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ASCII85: &[u8; 85] =
    b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstu";
const RFC1924: &[u8; 85] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
const Z85: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// A last block that is not whole loses as many digits as it lacks bytes.
fn base85(text: &[u8], alphabet: &[u8; 85]) -> Vec<u8> {
    let block = |block: &[u8]| {
        let padded: Vec<u8> = block.iter().copied().chain([0; 4]).take(4).collect();
        let value = u32::from_be_bytes(padded.try_into().unwrap());
        let digits = (0..5)
            .rev()
            .map(|at| alphabet[(value / 85_u32.pow(at) % 85) as usize]);
        digits.take(block.len() + 1).collect::<Vec<_>>()
    };
    text.chunks(4).flat_map(block).collect()
}

fn uuencode(text: &[u8]) -> Vec<u8> {
    let line = |line: &[u8]| {
        let digit = |bits: u8| if bits == 0 { b'`' } else { bits + 32 };
        let body = line.chunks(3).flat_map(|three| {
            let at = |at: usize| three.get(at).copied().unwrap_or(0);
            [
                digit(at(0) >> 2),
                digit((at(0) & 3) << 4 | at(1) >> 4),
                digit((at(1) & 15) << 2 | at(2) >> 6),
                digit(at(2) & 63),
            ]
        });
        [digit(line.len() as u8)]
            .into_iter()
            .chain(body)
            .chain(*b"\n")
            .collect::<Vec<_>>()
    };
    text.chunks(45).flat_map(line).collect()
}

fn rot13(b: u8) -> char {
    match b {
        b'a'..=b'z' => char::from((b - b'a' + 13) % 26 + b'a'),
        b'A'..=b'Z' => char::from((b - b'A' + 13) % 26 + b'A'),
        _ => char::from(b),
    }
}

/// Each spelling by the name that the page gives it.
const SPELLINGS: &[(&str, Spell)] = &[
    ("as it is", |s| s.into()),
    ("in upper case", |s| s.to_uppercase().into()),
    ("in lower case", |s| s.to_lowercase().into()),
    ("percent-encoded", percent),
    ("percent-encoded twice", |s| percent(&text(percent(s)))),
    ("percent-encoded five times", |s| {
        each(s, |b| format!("%25252525{b:02x}"))
    }),
    ("JSON escapes `\\u0073`", |s| {
        each(s, |b| format!("\\u{b:04x}"))
    }),
    ("`\\x73`, `%u0073`, `\\u{73}`, `\\U00000073`", |s| {
        let forms: [fn(u8) -> String; 4] = [
            |b| format!("\\x{b:02x}"),
            |b| format!("%u{b:04x}"),
            |b| format!("\\u{{{b:x}}}"),
            |b| format!("\\U{b:08x}"),
        ];
        s.bytes()
            .enumerate()
            .map(|(at, b)| forms[at % 4](b))
            .collect::<String>()
            .into()
    }),
    ("octal escapes `\\163`", |s| {
        each(s, |b| format!("\\{b:03o}"))
    }),
    ("character references", |s| each(s, |b| format!("&#{b};"))),
    ("character references within references", |s| {
        each(s, |b| format!("&amp;amp;#x{b:x};"))
    }),
    ("quoted-printable", |s| each(s, |b| format!("={b:02X}"))),
    ("quoted-printable, every second byte", |s| {
        s.bytes()
            .enumerate()
            .map(|(at, b)| {
                if at % 2 == 0 {
                    format!("={b:02X}")
                } else {
                    char::from(b).to_string()
                }
            })
            .collect::<String>()
            .into()
    }),
    ("base64, base64url", |s| base64(s.as_bytes())),
    ("base64 behind other bytes", |s| {
        URL_SAFE_NO_PAD.encode(format!("x{s}yz")).into()
    }),
    ("base64 in lines of seven", |s| {
        base64(s.as_bytes())
            .chunks(7)
            .collect::<Vec<_>>()
            .join(&b"\r\n"[..])
    }),
    ("base64 with spaces and dots", |s| {
        base64(s.as_bytes())
            .chunks(3)
            .collect::<Vec<_>>()
            .join(&b" . "[..])
    }),
    ("base64 of base64", |s| base64(&base64(s.as_bytes()))),
    ("base64 of base64 of base64", |s| {
        base64(&base64(&base64(s.as_bytes())))
    }),
    ("base64 of hexadecimal", |s| base64(&hex(s.as_bytes()))),
    ("base64 of percent-encoding", |s| base64(&percent(s))),
    ("base64 of UTF-16 (UTF-7)", |s| {
        base64(&utf16(s, u16::to_be_bytes))
    }),
    ("hexadecimal", |s| hex(s.as_bytes())),
    ("hexadecimal in upper case", |s| {
        text(hex(s.as_bytes())).to_uppercase().into()
    }),
    ("hexadecimal with separators", |s| {
        joined(s, ":", |b| format!("{b:02x}"))
    }),
    ("hexadecimal in groups", |s| {
        hex(s.as_bytes())
            .chunks(8)
            .collect::<Vec<_>>()
            .join(&b"-"[..])
    }),
    ("`0x73, 0x33`", |s| joined(s, ", ", |b| format!("0x{b:x}"))),
    ("hexadecimal of base64", |s| hex(&base64(s.as_bytes()))),
    ("hexadecimal of hexadecimal", |s| hex(&hex(s.as_bytes()))),
    ("hexadecimal of base64 of hexadecimal", |s| {
        hex(&base64(&hex(s.as_bytes())))
    }),
    ("base32", |s| base32(s.as_bytes(), UPPER32)),
    ("base32 in lower case", |s| base32(s.as_bytes(), LOWER32)),
    ("base32 of hexadecimal", |s| {
        base32(&hex(s.as_bytes()), UPPER32)
    }),
    ("base32hex", |s| base32(s.as_bytes(), HEX32)),
    ("Crockford's base32", |s| base32(s.as_bytes(), CROCKFORD32)),
    ("Ascii85", |s| base85(s.as_bytes(), ASCII85)),
    ("base85 (RFC 1924, git)", |s| base85(s.as_bytes(), RFC1924)),
    ("Z85", |s| base85(s.as_bytes(), Z85)),
    ("uuencode", |s| uuencode(s.as_bytes())),
    ("base64 of base32", |s| {
        base64(&base32(s.as_bytes(), UPPER32))
    }),
    ("a list of decimal numbers", |s| {
        joined(s, ", ", |b| b.to_string())
    }),
    ("`chr(115) + chr(51)`", |s| {
        joined(s, " + ", |b| format!("chr({b})"))
    }),
    ("`U+0073 U+0033`", |s| {
        joined(s, " ", |b| format!("U+{b:04X}"))
    }),
    ("`_x0073__x0033_`", |s| each(s, |b| format!("_x{b:04x}_"))),
    ("`{\"0\":115,\"1\":51}`", |s| {
        let pairs = s.bytes().enumerate().map(|(at, b)| format!("\"{at}\":{b}"));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(",")).into()
    }),
    ("a list of octal numbers", |s| {
        joined(s, " ", |b| format!("{b:03o}"))
    }),
    ("binary", |s| joined(s, " ", |b| format!("{b:08b}"))),
    ("binary without spaces", |s| each(s, |b| format!("{b:08b}"))),
    ("spaces between", |s| {
        joined(s, " ", |b| char::from(b).to_string())
    }),
    ("punctuation between", |s| {
        joined(s, "\", \"", |b| char::from(b).to_string())
    }),
    ("zero-width characters between", |s| {
        joined(s, "\u{200b}", |b| char::from(b).to_string())
    }),
    ("markup between", |s| {
        joined(s, "<b class=x></b>", |b| char::from(b).to_string())
    }),
    ("escaped markup between", |s| {
        joined(s, "&lt;i&gt;", |b| char::from(b).to_string())
    }),
    ("markup with sections between", |s| {
        joined(s, "<![CDATA[]]>", |b| char::from(b).to_string())
    }),
    ("colours of a terminal between", |s| {
        each(s, |b| {
            format!("\u{1b}[1;38;2;255;0;0m{}\u{1b}[0m", char::from(b))
        })
    }),
    ("bullets and pictures between", |s| {
        joined(s, "•\u{1f600}", |b| char::from(b).to_string())
    }),
    ("letters of another script between", |s| {
        joined(s, "ж", |b| char::from(b).to_string())
    }),
    ("control characters between", |s| {
        joined(s, "\u{1}\u{9b}", |b| char::from(b).to_string())
    }),
    ("tag characters", |s| {
        chars(s, |c| char::from_u32(u32::from(c) + 0xe0000).unwrap())
    }),
    ("bytes as variation selectors", |s| {
        let hidden = chars(s, |c| char::from_u32(u32::from(c) - 16 + 0xe0100).unwrap());
        ["\u{1f600}".as_bytes(), &hidden].concat()
    }),
    ("full-width", |s| {
        chars(s, |c| char::from_u32(u32::from(c) + 0xfee0).unwrap())
    }),
    ("with accents", |s| {
        joined(s, "\u{301}", |b| char::from(b).to_string())
    }),
    ("mathematical letters", |s| {
        chars(s, |c| match c {
            'a'..='z' => char::from_u32(0x1d41a + u32::from(c) - 97).unwrap(),
            'A'..='Z' => char::from_u32(0x1d400 + u32::from(c) - 65).unwrap(),
            c => c,
        })
    }),
    ("mathematical letters as JSON escapes", |s| {
        s.chars()
            .map(|c| match c {
                'a'..='z' => format!("\\ud835\\u{:04x}", 0xdc1a + u32::from(c) - 97),
                c => c.to_string(),
            })
            .collect::<String>()
            .into()
    }),
    ("UTF-16", |s| utf16(s, u16::to_le_bytes)),
    ("UTF-32", |s| s.bytes().flat_map(|b| [b, 0, 0, 0]).collect()),
    ("backwards", |s| s.bytes().rev().collect()),
    ("ROT13", |s| s.bytes().map(rot13).collect::<String>().into()),
];

/// What nobody searches for, so that the page says so.
const NOT_SEARCHED: &[(&str, Spell)] = &[
    ("every second byte", |s| s.bytes().step_by(2).collect()),
    ("a cipher of one's own (each byte plus one)", |s| {
        s.bytes().map(|b| b + 1).collect()
    }),
    ("letters that look alike", |s| {
        chars(s, |c| match c {
            'a'..='z' => char::from_u32(u32::from(c) - 97 + 0x430).unwrap(),
            c => c,
        })
    }),
    ("letters between the bytes", |s| {
        joined(s, "z", |b| char::from(b).to_string())
    }),
    ("backwards in hexadecimal pairs of base64 of ROT13", |s| {
        let turned: String = s.bytes().map(rot13).collect();
        hex(&base64(
            &turned
                .into_bytes()
                .into_iter()
                .map(|b| b ^ 1)
                .collect::<Vec<_>>(),
        ))
    }),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Passes,
    Redacted,
    Withheld,
}

fn end_in(needles: &Needles, body: &[u8], size: usize) -> End {
    let mut scrubber = Scrubber::new(&needles.secret, true);
    let mut out = Vec::new();
    let mut chunks = body.chunks(size).map(Bytes::copy_from_slice);
    let mut take =
        |released: Result<Bytes, _>| released.map(|bytes| out.extend_from_slice(&bytes)).is_err();
    if chunks.any(|chunk| take(scrubber.push(chunk))) || take(scrubber.finish()) {
        End::Withheld
    } else if out == body {
        End::Passes
    } else {
        assert!(String::from_utf8_lossy(&out).contains(REDACTED));
        End::Redacted
    }
}

fn body(spelt: &[u8]) -> Vec<u8> {
    [
        b"{\"echo\":\"".as_slice(),
        spelt,
        b"\",\"more\":\"text behind it\"}",
    ]
    .concat()
}

fn end(needles: &Needles, spelt: &[u8]) -> End {
    let body = body(spelt);
    let ends = [body.len(), 1, 7].map(|size| end_in(needles, &body, size));
    assert!(
        ends.iter().all(|end| *end == ends[0]),
        "chunks make a difference: {ends:?}"
    );
    ends[0]
}

/// Each secret with its needles.
static NEEDLES: LazyLock<Vec<(&str, Needles)>> = LazyLock::new(|| {
    let build = |secret: &&'static str| {
        let kept = Secret::from((*secret).to_owned());
        let needles = Needles::build(Some(&kept), &AuthPlacement::Bearer, &[]);
        (*secret, needles.unwrap())
    };
    SECRETS.iter().map(build).collect()
});

/// The most bytes of a secret in a row that pass in a spelling, of all secrets and places. What is
/// longer than a length of which no part passes has such a part in it.
fn longest(spell: Spell) -> usize {
    let of = |(secret, needles): &(&str, Needles)| {
        let passes = |length: &usize| {
            let parts =
                (0..=secret.len() - length).map(|at| body(&spell(&secret[at..at + length])));
            let mut parts = parts.map(|body| end_in(needles, &body, body.len()));
            parts.any(|end| end == End::Passes)
        };
        (10..=secret.len()).take_while(passes).last().unwrap_or(0)
    };
    NEEDLES.iter().map(of).max().unwrap()
}

fn table() -> String {
    let mut lines = vec![
        "| spelling | the whole | the most bytes in a row that pass |".to_owned(),
        "|---|---|---|".to_owned(),
    ];
    for (name, spell) in SPELLINGS {
        let of = |(secret, needles): &(&str, Needles)| end(needles, &spell(secret));
        let ends: Vec<End> = NEEDLES.iter().map(of).collect();
        let word = match ends {
            ends if ends.contains(&End::Passes) => "**passes**",
            ends if ends.contains(&End::Withheld) && ends.contains(&End::Redacted) => {
                "redacted or withheld"
            }
            ends if ends.contains(&End::Redacted) => "redacted",
            _ => "withheld",
        };
        lines.push(format!("| {name} | {word} | {} |", longest(*spell)));
    }
    lines.join("\n")
}

#[test]
fn the_page_has_what_passes_in_each_spelling() {
    let table = table();
    println!("{table}");
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/egress.md");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.contains(&table),
        "the table of docs/src/egress.md is to be:\n{table}"
    );
    assert!(!table.contains("passes**"));
}

#[test]
fn what_the_page_says_is_not_searched_for_passes() {
    for (name, spell) in NOT_SEARCHED {
        let (secret, needles) = &NEEDLES[0];
        assert_eq!(end(needles, &spell(secret)), End::Passes, "{name}");
    }
}
