//! The search for a credential in a text: in every spelling, wherever the text is cut.
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use toolhost_egress::scrub::{Needles, REDACTED, Scrubber};
use toolhost_policy::{AuthPlacement, Secret};

/// 28 bytes with `/`, `+` and `=`.
const SECRET: &str = "s3cr3t/t0ken+v4lue/Qx7Zp9w==";

fn needles(secret: &str, auth: &AuthPlacement) -> Needles {
    Needles::build(Some(&Secret::from(secret.to_owned())), auth, &[]).unwrap()
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

/// The 27 forms of the measurement that the needle set follows.
fn encodings(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let around = |before: &str, after: &str| format!("{before}{secret}{after}");
    let wide =
        |order: fn(u16) -> [u8; 2]| secret.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let folded: Vec<u8> = STANDARD
        .encode(secret)
        .as_bytes()
        .chunks(7)
        .collect::<Vec<_>>()
        .join(&b"\r\n"[..]);
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
        ("\\u lower", each(secret, |b| format!("\\u{b:04x}"))),
        ("\\u upper", each(secret, |b| format!("\\u{b:04X}"))),
        ("entities decimal", each(secret, |b| format!("&#{b};"))),
        ("entities hex", each(secret, |b| format!("&#x{b:x};"))),
        ("reversed", secret.bytes().rev().collect()),
        ("UTF-16LE", wide(u16::to_le_bytes)),
        ("UTF-16BE", wide(u16::to_be_bytes)),
        ("first half", secret.as_bytes()[..14].to_vec()),
        ("last half", secret.as_bytes()[14..].to_vec()),
        (
            "spaces between",
            each(secret, |b| format!("{} ", char::from(b))),
        ),
        ("JSON escaped slashes", secret.replace('/', "\\/").into()),
        (
            "named entities",
            secret
                .replace('/', "&sol;")
                .replace('+', "&plus;")
                .replace('=', "&equals;")
                .into(),
        ),
        ("folded base64", folded),
        (
            "base64 of base64",
            STANDARD.encode(STANDARD.encode(secret)).into(),
        ),
    ]
}

/// More than the measurement had.
fn further(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let rot13 = |b: u8| match b {
        b'a'..=b'z' => (b - b'a' + 13) % 26 + b'a',
        b'A'..=b'Z' => (b - b'A' + 13) % 26 + b'A',
        _ => b,
    };
    vec![
        ("rot13", secret.bytes().map(rot13).collect()),
        (
            "mixed escapes",
            each(secret, |b| {
                if b % 2 == 0 {
                    format!("%{b:02x}")
                } else {
                    format!("\\u{b:04x}")
                }
            }),
        ),
        ("\\x escapes", each(secret, |b| format!("\\x{b:02x}"))),
        (
            "UTF-32LE",
            secret.bytes().flat_map(|b| [b, 0, 0, 0]).collect(),
        ),
        ("hex with spaces", each(secret, |b| format!("{b:02x} "))),
        (
            "zero width",
            each(secret, |b| format!("{}&#x200b;", char::from(b))),
        ),
        (
            "backslashes",
            each(secret, |b| format!("\\\\{}", char::from(b))),
        ),
        (
            "lines in JSON",
            each(secret, |b| format!("{}\\n", char::from(b))),
        ),
    ]
}

/// Pushes the chunks; what came out, and whether the text was refused.
fn through(needles: &Needles, is_text: bool, chunks: &[&[u8]]) -> (Vec<u8>, bool) {
    let mut scrubber = Scrubber::new(&needles.secret, is_text);
    let mut out = Vec::new();
    for chunk in chunks {
        match scrubber.push(Bytes::copy_from_slice(chunk)) {
            Ok(bytes) => out.extend_from_slice(&bytes),
            Err(_) => return (out, true),
        }
    }
    match scrubber.finish() {
        Ok(bytes) => out.extend_from_slice(&bytes),
        Err(_) => return (out, true),
    }
    (out, false)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[test]
fn every_spelling_is_caught_wherever_the_chunks_are_cut() {
    let needles = needles(SECRET, &AuthPlacement::Bearer);
    for (name, spelt) in encodings(SECRET).into_iter().chain(further(SECRET)) {
        let text = [
            b"{\"echo\":\"".as_slice(),
            &spelt,
            b"\",\"more\":\"text behind it\"}",
        ]
        .concat();
        for cut in 0..=text.len() {
            let (head, tail) = text.split_at(cut);
            let (out, refused) = through(&needles, true, &[head, tail]);
            assert!(
                refused || contains(&out, REDACTED.as_bytes()),
                "{name} cut at {cut} passed"
            );
            assert!(!contains(&out, &spelt), "{name} cut at {cut} came out");
            let (out, refused) = through(&needles, false, &[head, tail]);
            assert!(
                refused && !contains(&out, &spelt),
                "{name} cut at {cut} passed in a body that is no text"
            );
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        let (out, refused) = through(&needles, true, &bytes);
        assert!(
            refused || (contains(&out, REDACTED.as_bytes()) && !contains(&out, &spelt)),
            "{name} byte by byte"
        );
        let (whole, whole_refused) = through(&needles, true, &[&text]);
        assert!(
            refused == whole_refused && (refused || out == whole),
            "{name}: chunks made a difference"
        );
    }
}

#[test]
fn never_more_than_eleven_bytes_of_the_secret_come_out_in_a_row() {
    let needles = needles(SECRET, &AuthPlacement::Bearer);
    for length in 1..=SECRET.len() {
        for start in 0..=SECRET.len() - length {
            let part = &SECRET.as_bytes()[start..start + length];
            let text = [b"a ".as_slice(), part, b" z"].concat();
            let (out, refused) = through(&needles, true, &[&text]);
            assert_eq!(
                refused || !contains(&out, part),
                length >= 12,
                "{length} bytes from {start}"
            );
        }
    }
}

#[test]
fn a_part_of_the_secret_is_caught_in_base64_hexadecimal_and_backwards() {
    let needles = needles(SECRET, &AuthPlacement::Bearer);
    let wide = [
        STANDARD.encode(format!("x{SECRET}")),
        STANDARD.encode(SECRET),
        URL_SAFE_NO_PAD.encode(format!("xy{SECRET}")),
    ];
    for text in wide {
        for cut in text.as_bytes().windows(24) {
            let (_, refused) = through(&needles, true, &[b"a ", cut, b" z"]);
            assert!(refused, "{}", String::from_utf8_lossy(cut));
        }
    }
    for start in 0..SECRET.len() - 16 {
        let part = &SECRET[start..start + 16];
        let hex = |upper: bool| {
            each(part, |b| {
                if upper {
                    format!("{b:02X}")
                } else {
                    format!("{b:02x}")
                }
            })
        };
        for spelt in [
            hex(false),
            hex(true),
            hex(false)[1..31].to_vec(),
            part.bytes().rev().collect(),
        ] {
            let bytes: Vec<&[u8]> = spelt.chunks(1).collect();
            let (out, refused) = through(&needles, true, &bytes);
            assert!(
                refused && out.len() <= 24,
                "{}",
                String::from_utf8_lossy(&spelt)
            );
        }
    }
}

#[test]
fn what_surrounds_a_reflection_stays_as_it_is() {
    let needles = needles(SECRET, &AuthPlacement::Bearer);
    let text = format!("before {SECRET}{SECRET} between {SECRET}! s3cr3t/ after");
    let expected = format!("before {REDACTED} between {REDACTED}! s3cr3t/ after");
    for size in 1..text.len() {
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
        let (out, refused) = through(&needles, true, &chunks);
        assert_eq!(
            (String::from_utf8(out).unwrap(), refused),
            (expected.clone(), false),
            "chunks of {size}"
        );
    }
}

#[test]
fn texts_that_merely_share_short_parts_pass_unchanged() {
    let jwt = |payload: &str, signature: &str| {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!(
            "{}.{}.{signature}",
            part(r#"{"alg":"ES256","typ":"JWT"}"#),
            part(payload)
        )
    };
    let own = jwt(
        r#"{"iss":"https://idp.example.com/","sub":"acme","aud":"billing"}"#,
        "MEUCIQDx0Kq7own0signature1aaaBBBccc",
    );
    let other = jwt(
        r#"{"iss":"https://idp.example.com/","sub":"globex","aud":"billing"}"#,
        "MEQCIF7other2signature9zzzYYYxxxWWW",
    );
    let cases = [
        (own.as_str(), AuthPlacement::Bearer, other.as_str()),
        (
            "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
            AuthPlacement::Bearer,
            "use sk_live_… or sk_live_XXXXXXXXXXXX, say sk_live_4eC",
        ),
        (
            "sk-ant-api03-AbCdEfGhIjKlMnOpQrSt",
            AuthPlacement::Bearer,
            "keys begin with sk-ant-api03-xxxx",
        ),
        (
            "alice@example.com:correct-horse-7",
            AuthPlacement::Basic,
            "{\"email\":\"alice@example.com\",\"hint\":\"correct\"}",
        ),
        (
            SECRET,
            AuthPlacement::Bearer,
            "s3cr3t/t0k s3cr3t/t0ke v4l %73%33 \\u0073 &#115; s3cr3t",
        ),
        (
            SECRET,
            AuthPlacement::Bearer,
            "100% & more; a\\b \\u00e9 &amp; &#8364; C:\\temp\\new &unknown; %zz",
        ),
    ];
    for (secret, auth, text) in cases {
        let needles = needles(secret, &auth);
        let (out, refused) = through(&needles, true, &[text.as_bytes()]);
        assert_eq!(
            (String::from_utf8(out).unwrap(), refused),
            (text.to_owned(), false)
        );
    }
    let needles = needles(&own, &AuthPlacement::Bearer);
    let (out, _) = through(&needles, true, &[own.as_bytes()]);
    assert_eq!(out, REDACTED.as_bytes());
}

#[test]
fn a_basic_credential_is_found_whole_encoded_and_by_its_password() {
    let needles = needles("alice:correct-horse-7", &AuthPlacement::Basic);
    let wire = STANDARD.encode("alice:correct-horse-7");
    for text in [
        "alice:correct-horse-7",
        &wire,
        "correct-horse-7",
        &URL_SAFE_NO_PAD.encode("xcorrect-horse-7y"),
    ] {
        let (out, refused) = through(&needles, true, &[text.as_bytes()]);
        assert!(refused || contains(&out, REDACTED.as_bytes()), "{text}");
    }
}

#[test]
fn a_long_token_is_found_in_every_spelling_too() {
    let long: String = (0..3_000_u32)
        .map(|at| char::from(b'A' + (at.wrapping_mul(2_654_435_761) >> 16) as u8 % 26))
        .collect();
    let needles = needles(&long, &AuthPlacement::Bearer);
    for (name, spelt) in encodings(&long) {
        let (out, refused) = through(&needles, true, &[&spelt]);
        assert!(
            refused || (contains(&out, REDACTED.as_bytes()) && out.len() < 2_600),
            "{name}: {} bytes came out",
            out.len()
        );
    }
}

/// Bodies of one mebibyte that make the search do as much as any do.
#[test]
fn what_is_encoded_without_end_is_withheld_in_linear_time() {
    let needles = needles(SECRET, &AuthPlacement::Bearer);
    let deep = |encode: fn(String) -> String, times: usize| {
        let plain = "an ordinary text of Some Words, and 1234567890 digits".to_owned();
        (0..times).fold(plain, |text, _| encode(text))
    };
    let base64 = |text: String| STANDARD.encode(text);
    assert!(
        through(&needles, true, &[deep(base64, 5).as_bytes()]).1,
        "base64 without end"
    );
    assert!(!through(&needles, true, &[deep(base64, 3).as_bytes()]).1);
    let percent = |text: String| text.replace('%', "%25");
    let escaped =
        |times| deep(percent, 0) + &(0..times).fold("%41".to_owned(), |text, _| percent(text));
    assert!(
        through(&needles, true, &[escaped(6).as_bytes()]).1,
        "escapes without end"
    );
    assert!(!through(&needles, true, &[escaped(4).as_bytes()]).1);
    let repeated = |text: &str| text.repeat((1 << 20) / text.len());
    let slowest = [
        repeated("%2525"),
        repeated("&amp;#x26;"),
        repeated("\\"),
        repeated("<b>x"),
        repeated("=3D"),
        repeated("01 "),
        repeated("Aa1B"),
        repeated("\u{ff21}\u{301}"),
        STANDARD.encode(repeated("Aa1B")),
        STANDARD.encode(STANDARD.encode(repeated("%41Bb"))),
        repeated("4142"),
    ];
    for text in slowest {
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(4_096).collect();
        let (out, refused) = through(&needles, true, &chunks);
        assert!(refused || out == text.as_bytes(), "{}", &text[..20]);
    }
}

#[test]
fn a_stream_hands_on_whole_lines_at_once() {
    let needles = needles(SECRET, &AuthPlacement::Bearer);
    let mut scrubber = Scrubber::new(&needles.secret, true);
    let event = Bytes::from_static(b"data: {\"delta\":\"hello\"}\n\n");
    assert_eq!(scrubber.push(event.clone()).unwrap(), event);
    assert_eq!(
        scrubber.push(Bytes::from_static(b"data: s3cr")).unwrap(),
        &b""[..]
    );
    assert_eq!(
        scrubber.push(Bytes::from_static(b"ecy\n\n")).unwrap(),
        &b"data: s3crecy\n\n"[..]
    );
    assert!(needles.secret.longest() < 256);
}

/// Else a mirror that answers in pieces tells, by where the host cuts them, whether a guess begins
/// the secret.
#[test]
fn where_a_stream_is_cut_says_nothing_of_the_secret() {
    let needles = needles(SECRET, &AuthPlacement::Bearer);
    let cuts = |guess: &str| {
        let mut scrubber = Scrubber::new(&needles.secret, true);
        let filler = ".".repeat(300);
        ["a guess: ", guess, "\n", guess, &filler, guess, "x"].map(|piece| {
            scrubber
                .push(Bytes::copy_from_slice(piece.as_bytes()))
                .unwrap()
                .len()
        })
    };
    for at in 0..SECRET.len() - 11 {
        let right = &SECRET[at..at + 11];
        for length in 1..=right.len() {
            assert_eq!(
                cuts(&right[..length]),
                cuts(&"?".repeat(length)),
                "{length} bytes from {at}"
            );
        }
    }
}
