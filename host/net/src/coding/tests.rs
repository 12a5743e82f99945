use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::{CodingError, Decoder, decode_body};

const CAP: usize = 1 << 20;

fn headers(codings: &[&str]) -> HeaderMap {
    let fields = codings
        .iter()
        .map(|coding| (CONTENT_ENCODING, coding.parse().unwrap()));
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(name, value);
    }
    headers
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
}

/// [`TEXT`] in brotli.
const BROTLI: &[u8] = &[
    139, 20, 128, 123, 34, 105, 110, 118, 111, 105, 99, 101, 115, 34, 58, 91, 123, 34, 105, 100,
    34, 58, 34, 105, 110, 95, 49, 34, 125, 44, 123, 34, 105, 100, 34, 58, 34, 105, 110, 95, 50, 34,
    125, 93, 125, 3,
];

/// 64 MiB of zeros in brotli.
const BROTLI_BOMB: &[u8] = &[
    203, 255, 255, 63, 248, 39, 0, 226, 177, 64, 32, 247, 254, 143, 255, 255, 127, 240, 79, 0, 196,
    97, 17, 128, 238, 253, 31, 255, 255, 255, 224, 159, 0, 136, 195, 2, 0, 221, 251, 63, 254, 255,
    255, 193, 63, 1, 16, 135, 5, 0, 186, 247, 127, 252, 255, 255, 131, 127, 2, 32, 14, 11, 0, 116,
    239, 255, 248, 255, 255, 7, 255, 4, 64, 28, 22, 0, 232, 222, 255, 241, 255, 255, 15, 254, 9,
    128, 56, 44, 0, 208, 189, 255, 203, 255, 255, 63, 252, 19, 0, 113, 88, 0, 160, 123, 255, 7,
];

const TEXT: &[u8] = br#"{"invoices":[{"id":"in_1"},{"id":"in_2"}]}"#;

fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("gzip", gzip(TEXT)),
        ("X-Gzip", gzip(TEXT)),
        ("deflate", zlib(TEXT)),
        ("deflate", deflate(TEXT)),
        ("br", BROTLI.to_vec()),
        ("zstd", zstd(TEXT)),
        ("gzip, gzip", gzip(&gzip(TEXT))),
        ("deflate, identity, gzip", gzip(&zlib(TEXT))),
        ("identity", TEXT.to_vec()),
        ("", TEXT.to_vec()),
    ]
}

#[test]
fn each_coding_is_decoded_however_it_is_cut() {
    for (coding, body) in all() {
        let headers = headers(&[coding]);
        assert_eq!(
            decode_body(&headers, body.clone().into(), CAP).unwrap(),
            TEXT,
            "{coding}"
        );
        let Some(mut decoder) = Decoder::from_headers(&headers, CAP).unwrap() else {
            continue;
        };
        let mut out = Vec::new();
        for byte in body.chunks(1) {
            out.extend_from_slice(&decoder.push(byte).unwrap());
        }
        out.extend_from_slice(&decoder.finish().unwrap());
        assert_eq!(out, TEXT, "{coding} byte by byte");
    }
}

#[test]
fn members_and_frames_in_a_row_are_one_body() {
    let two = |one: Vec<u8>| [one.clone(), one].concat();
    let twice = [TEXT, TEXT].concat();
    assert_eq!(
        decode_body(&headers(&["gzip"]), two(gzip(TEXT)).into(), CAP).unwrap(),
        twice
    );
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9][..], &zstd(TEXT)].concat();
    assert_eq!(
        decode_body(&headers(&["zstd"]), two(skippable).into(), CAP).unwrap(),
        twice
    );
}

#[test]
fn a_body_without_a_byte_has_nothing_to_decode() {
    for coding in ["gzip", "deflate", "br", "zstd", "gzip, gzip"] {
        assert_eq!(
            decode_body(&headers(&[coding]), Bytes::new(), CAP).unwrap(),
            Bytes::new(),
            "{coding}"
        );
    }
}

#[test]
fn what_was_cut_off_is_of_another_coding_or_of_too_many_is_an_error() {
    let refused = |coding: &str, body: Vec<u8>| {
        decode_body(&headers(&[coding]), body.into(), CAP).unwrap_err()
    };
    for (coding, body) in all().into_iter().take(8) {
        let cut = body[..body.len() - 2].to_vec();
        assert_eq!(
            refused(coding, cut),
            CodingError::Broken,
            "{coding} cut off"
        );
        assert_eq!(
            refused(coding, TEXT.to_vec()),
            CodingError::Broken,
            "{coding} of plain text"
        );
    }
    for coding in ["compress", "gzip;q=1", "x-evil", "aes128gcm"] {
        assert_eq!(
            refused(coding, gzip(TEXT)),
            CodingError::Unknown,
            "{coding}"
        );
    }
    assert_eq!(
        refused("gzip, gzip, gzip", gzip(TEXT)),
        CodingError::Stacked
    );
    let fields = headers(&["gzip", "br", "gzip"]);
    assert_eq!(
        decode_body(&fields, Bytes::new(), CAP).unwrap_err(),
        CodingError::Stacked
    );
}

#[test]
fn a_bomb_ends_with_the_byte_that_would_be_too_many() {
    let zeros = vec![0; 64 << 20];
    let bombs = [
        ("gzip", gzip(&zeros)),
        ("deflate", zlib(&zeros)),
        ("deflate", deflate(&zeros)),
        ("br", BROTLI_BOMB.to_vec()),
        ("zstd", zstd(&zeros)),
        ("gzip, gzip", gzip(&gzip(&zeros))),
    ];
    for (coding, bomb) in bombs {
        let error = decode_body(&headers(&[coding]), bomb.clone().into(), CAP).unwrap_err();
        assert!(
            matches!(error, CodingError::TooLong(CAP) | CodingError::Ratio),
            "{coding}: {error}"
        );
        let large = 256 << 20;
        let error = decode_body(&headers(&[coding]), bomb.into(), large).unwrap_err();
        assert_eq!(error, CodingError::Ratio, "{coding}");
    }
    // A window of a terabyte, and a frame that says that it holds as much.
    for header in [
        &[0x28, 0xb5, 0x2f, 0xfd, 0, 0xf8][..],
        &[0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0],
    ] {
        let error =
            decode_body(&headers(&["zstd"]), Bytes::copy_from_slice(header), CAP).unwrap_err();
        assert_eq!(error, CodingError::TooLong(CAP));
    }
}

#[test]
fn what_a_coding_makes_for_the_next_is_bounded_also_where_nothing_comes_out_of_it() {
    // Stored blocks of deflate without a byte in them.
    let nothing = [0, 0, 0, 0xff, 0xff].repeat(4 << 20);
    let nested = gzip(&nothing);
    for cap in [CAP, 256 << 20] {
        let error =
            decode_body(&headers(&["deflate, gzip"]), nested.clone().into(), cap).unwrap_err();
        assert!(
            matches!(error, CodingError::TooLong(CAP) | CodingError::Ratio),
            "{error}"
        );
    }
    let frames = |count| zstd(b"").repeat(count);
    assert_eq!(
        decode_body(&headers(&["zstd"]), frames(1_000).into(), CAP),
        Ok(Bytes::new())
    );
    assert_eq!(
        decode_body(&headers(&["zstd"]), frames(1_001).into(), CAP),
        Err(CodingError::Broken)
    );
}
