//! Content codings (RFC 9110 section 8.4) that come although none was asked for: decoded within
//! bounds, or an error.
//!
//! What comes out of each coding is never longer than the caller's cap, nor than `MAX_RATIO` times
//! what came; decoding ends with the byte that would be too many, so a bomb costs no more than an
//! honest answer of that length, once for each coding.

mod inflate;
mod output;
mod zstd;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use self::inflate::{Brotli, Gzip, Inflate};
use self::output::CappedOutput;
use self::zstd::Zstd;

/// Codings on top of each other. Two come from a proxy that compresses what a server has
/// compressed.
const MAX_STACKED: usize = 2;

/// How much longer a body may become. The best that gzip does is 1,032; documents reach some 50,
/// and lists of equal rows 200.
const MAX_RATIO: usize = 256;

/// What may come out whatever went in: short bodies of equal bytes are honest.
const RATIO_FROM: usize = 256 << 10;

/// How much is given to a decoder at once, so that what it makes of it can be counted in between.
const SLICE: usize = 4 << 10;

/// Why a body has no content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodingError {
    /// None of gzip, deflate, br, zstd and identity.
    #[error(
        "the answer has a content encoding that is not known here (known are gzip, deflate, br and zstd)"
    )]
    Unknown,
    /// More than are decoded.
    #[error("the answer has more than {MAX_STACKED} content encodings on top of each other")]
    Stacked,
    /// It is not of its coding, or ends too early.
    #[error("the answer is not of the content encoding that it has, or ends too early")]
    Broken,
    /// Longer than the cap.
    #[error("the answer is longer than {0} bytes when it is decoded")]
    TooLong(usize),
    /// More than 256 times as long as it came.
    #[error("the answer becomes more than {MAX_RATIO} times as long when it is decoded")]
    Ratio,
}

/// One decoder.
#[derive(Debug)]
enum Stage {
    Gzip(Box<Gzip>),
    Deflate(Box<Inflate>),
    Brotli(Box<Brotli>),
    Zstd(Zstd),
}

/// Decodes one body, piece by piece.
#[derive(Debug)]
pub struct Decoder {
    /// In the order in which they are taken off.
    stages: Vec<Stage>,
    cap: usize,
    received: usize,
    /// What came out of the first of two codings, and of the last.
    given: [usize; MAX_STACKED],
}

impl Decoder {
    /// The decoder of a body with these header fields; `None` where there is nothing to decode.
    /// `cap` in bytes.
    ///
    /// # Errors
    /// A coding is not known, or there are too many.
    pub fn from_headers(headers: &HeaderMap, cap: usize) -> Result<Option<Self>, CodingError> {
        let mut stages = Vec::new();
        for field in headers.get_all(CONTENT_ENCODING) {
            let field = field.to_str().map_err(|_| CodingError::Unknown)?;
            for coding in field.split(',') {
                let stage = match coding.trim().to_ascii_lowercase().as_str() {
                    "" | "identity" => continue,
                    "gzip" | "x-gzip" => Stage::Gzip(Box::new(Gzip::new(cap))),
                    "deflate" => Stage::Deflate(Box::new(Inflate::new())),
                    "br" => Stage::Brotli(Box::new(Brotli::new(cap))),
                    "zstd" => Stage::Zstd(Zstd::default()),
                    _ => return Err(CodingError::Unknown),
                };
                if stages.len() == MAX_STACKED {
                    return Err(CodingError::Stacked);
                }
                stages.push(stage);
            }
        }
        stages.reverse();
        Ok((!stages.is_empty()).then_some(Self {
            stages,
            cap,
            received: 0,
            given: [0; MAX_STACKED],
        }))
    }

    /// Takes the next bytes and returns what they stand for, as far as it is known.
    ///
    /// # Errors
    /// [`CodingError`].
    pub fn push(&mut self, data: &[u8]) -> Result<Bytes, CodingError> {
        let mut out = Vec::new();
        for slice in data.chunks(SLICE) {
            self.received += slice.len();
            let decoded = self.decode_chunk(slice, false)?;
            out.extend_from_slice(&decoded);
        }
        Ok(out.into())
    }

    /// The body ended. One without a byte has no content, and nothing to decode (204, 304, an
    /// answer to `HEAD`).
    ///
    /// # Errors
    /// [`CodingError`]; a body that was cut off is broken.
    pub fn finish(&mut self) -> Result<Bytes, CodingError> {
        if self.received == 0 {
            return Ok(Bytes::new());
        }
        self.decode_chunk(&[], true).map(Bytes::from)
    }

    fn decode_chunk(&mut self, data: &[u8], is_end: bool) -> Result<Vec<u8>, CodingError> {
        let mut current = data.to_vec();
        for (stage, given) in self.stages.iter_mut().zip(&mut self.given) {
            let mut out = CappedOutput::new(self.cap);
            match stage {
                Stage::Gzip(gzip) => gzip.push(&current, is_end, &mut out)?,
                Stage::Deflate(inflate) => inflate.push(&current, is_end, &mut out)?,
                Stage::Brotli(brotli) => brotli.push(&current, is_end, &mut out)?,
                Stage::Zstd(zstd) => zstd.push(&current, is_end, self.cap, &mut out)?,
            }
            current = out.take();
            *given += current.len();
            if *given > self.cap {
                return Err(CodingError::TooLong(self.cap));
            }
            if *given > RATIO_FROM && *given / MAX_RATIO > self.received {
                return Err(CodingError::Ratio);
            }
        }
        Ok(current)
    }
}

/// A whole body.
///
/// # Errors
/// As [`Decoder::from_headers`] and [`Decoder::push`].
pub fn decode_body(headers: &HeaderMap, body: Bytes, cap: usize) -> Result<Bytes, CodingError> {
    let Some(mut decoder) = Decoder::from_headers(headers, cap)? else {
        return Ok(body);
    };
    let head = decoder.push(&body)?;
    let tail = decoder.finish()?;
    Ok(if tail.is_empty() {
        head
    } else {
        [head, tail].concat().into()
    })
}

#[cfg(test)]
mod tests;
