use std::fmt;
use std::io::Write as _;

use brotli_decompressor::writer::DecompressorWriter;
use flate2::write::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};

use super::CodingError;
use super::output::CappedOutput;

/// What is decoded at once, in bytes.
const BUFFER: usize = 16 << 10;

/// gzip (RFC 1952), of one member or several.
#[derive(Debug)]
pub(super) struct Gzip(MultiGzDecoder<CappedOutput>);

impl Gzip {
    pub(super) fn new(cap: usize) -> Self {
        Self(MultiGzDecoder::new(CappedOutput::new(cap)))
    }

    pub(super) fn push(
        &mut self,
        data: &[u8],
        is_end: bool,
        out: &mut CappedOutput,
    ) -> Result<(), CodingError> {
        let written = self.0.write_all(data).and_then(|()| {
            if is_end {
                self.0.try_finish()
            } else {
                self.0.flush()
            }
        });
        written.map_err(|_| self.0.get_ref().error())?;
        out.add(&self.0.get_mut().take())
    }
}

/// Brotli (RFC 7932).
pub(super) struct Brotli(DecompressorWriter<CappedOutput>);

impl fmt::Debug for Brotli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Brotli")
    }
}

impl Brotli {
    pub(super) fn new(cap: usize) -> Self {
        Self(DecompressorWriter::new(CappedOutput::new(cap), BUFFER))
    }

    pub(super) fn push(
        &mut self,
        data: &[u8],
        is_end: bool,
        out: &mut CappedOutput,
    ) -> Result<(), CodingError> {
        let written = self
            .0
            .write_all(data)
            .and_then(|()| if is_end { self.0.close() } else { Ok(()) });
        written.map_err(|_| self.0.get_ref().error())?;
        out.add(&self.0.get_mut().take())
    }
}

/// "deflate": zlib (RFC 1950) as it is meant, and bare DEFLATE (RFC 1951) as some servers have it.
#[derive(Debug)]
pub(super) struct Inflate {
    /// Chosen by the first two bytes.
    inner: Option<Decompress>,
    first: Vec<u8>,
    has_ended: bool,
}

impl Inflate {
    pub(super) fn new() -> Self {
        Self {
            inner: None,
            first: Vec::new(),
            has_ended: false,
        }
    }

    pub(super) fn push(
        &mut self,
        data: &[u8],
        is_end: bool,
        out: &mut CappedOutput,
    ) -> Result<(), CodingError> {
        let joined;
        let mut data = data;
        if self.inner.is_none() {
            self.first.extend_from_slice(data);
            if self.first.len() < 2 && !is_end {
                return Ok(());
            }
            joined = std::mem::take(&mut self.first);
            self.inner = Some(Decompress::new(is_zlib(&joined)));
            data = &joined;
        }
        let Some(inner) = &mut self.inner else {
            return Err(CodingError::Broken);
        };
        let mut buffer = vec![0; BUFFER];
        while !self.has_ended && !data.is_empty() {
            let (read, made) = (inner.total_in(), inner.total_out());
            let status = inner.decompress(data, &mut buffer, FlushDecompress::None);
            let status = status.map_err(|_| CodingError::Broken)?;
            let read = usize::try_from(inner.total_in() - read).unwrap_or(usize::MAX);
            let made = usize::try_from(inner.total_out() - made).unwrap_or(usize::MAX);
            out.add(buffer.get(..made).unwrap_or_default())?;
            data = data.get(read..).unwrap_or_default();
            match status {
                Status::StreamEnd => self.has_ended = true,
                Status::BufError if read == 0 && made == 0 => break,
                Status::Ok | Status::BufError => {}
            }
        }
        // What a full buffer has held back.
        while !self.has_ended {
            let made = inner.total_out();
            let status = inner.decompress(&[], &mut buffer, FlushDecompress::None);
            let made = usize::try_from(inner.total_out() - made).unwrap_or(usize::MAX);
            out.add(buffer.get(..made).unwrap_or_default())?;
            match status {
                Ok(Status::StreamEnd) => self.has_ended = true,
                Ok(_) if made > 0 => {}
                _ => break,
            }
        }
        if is_end && !self.has_ended {
            return Err(CodingError::Broken);
        }
        Ok(())
    }
}

/// Whether there is the header of zlib: method 8 and a checksum of its two bytes (RFC 1950 section
/// 2.2).
fn is_zlib(text: &[u8]) -> bool {
    matches!(text, [method, flags, ..]
        if method & 15 == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0)
}
