use std::io::Read as _;

use ruzstd::decoding::StreamingDecoder;

use super::CodingError;
use super::output::CappedOutput;

/// The largest window in bytes: what RFC 8878 section 3.1.1.1.2 recommends, and RFC 9659 requires
/// of HTTP.
const MAX_WINDOW: u64 = 8 << 20;

/// Frames of one body. Each takes a decoder of its own, and may be empty; what is written in
/// parallel has one for some megabytes.
const MAX_FRAMES: usize = 1_000;

/// What is decoded at once, in bytes.
const BUFFER: usize = 16 << 10;

/// Zstandard (RFC 8878), of one frame or several. Decoded once it is there: its blocks are long,
/// and nobody streams it.
#[derive(Debug, Default)]
pub(super) struct Zstd {
    received: Vec<u8>,
}

impl Zstd {
    pub(super) fn push(
        &mut self,
        data: &[u8],
        is_end: bool,
        cap: usize,
        out: &mut CappedOutput,
    ) -> Result<(), CodingError> {
        if data.len() > cap.saturating_sub(self.received.len()) {
            return Err(CodingError::TooLong(cap));
        }
        self.received.extend_from_slice(data);
        if !is_end {
            return Ok(());
        }
        let received = std::mem::take(&mut self.received);
        let mut rest = received.as_slice();
        let mut frames = 0;
        while !rest.is_empty() {
            frames += 1;
            if frames > MAX_FRAMES {
                return Err(CodingError::Broken);
            }
            match Frame::parse(rest).ok_or(CodingError::Broken)? {
                Frame::Skippable(length) => rest = rest.get(length..).ok_or(CodingError::Broken)?,
                Frame::Window(window) if window > MAX_WINDOW.max(cap as u64) => {
                    return Err(CodingError::TooLong(cap));
                }
                Frame::Window(_) => frame(&mut rest, out)?,
            }
        }
        Ok(())
    }
}

fn frame(rest: &mut &[u8], out: &mut CappedOutput) -> Result<(), CodingError> {
    let mut decoder = StreamingDecoder::new(rest).map_err(|_| CodingError::Broken)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => out.add(buffer.get(..read).unwrap_or_default())?,
            Err(_) => return Err(CodingError::Broken),
        }
    }
}

/// What a frame's header says.
enum Frame {
    /// Of so many bytes, with its header.
    Skippable(usize),
    /// How much memory it takes, in bytes.
    Window(u64),
}

impl Frame {
    /// RFC 8878 sections 3.1.1.1 and 3.1.2.
    fn parse(text: &[u8]) -> Option<Self> {
        let number = |at: usize, length: usize| {
            let bytes = text.get(at..at.checked_add(length)?)?;
            Some(
                bytes
                    .iter()
                    .rev()
                    .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)),
            )
        };
        match number(0, 4)? {
            0x184d_2a50..=0x184d_2a5f => {
                let length = usize::try_from(number(4, 4)?).ok()?;
                Some(Self::Skippable(length.checked_add(8)?))
            }
            0xfd2f_b528 => {
                let descriptor = *text.get(4)?;
                if descriptor & 0x20 == 0 {
                    let window = *text.get(5)?;
                    let base = 1_u64 << (10 + (window >> 3));
                    return Some(Self::Window(base + base / 8 * u64::from(window & 7)));
                }
                let dictionary = [0, 1, 2, 4].get(usize::from(descriptor & 3)).copied()?;
                let (length, more) = [(1, 0), (2, 256), (4, 0), (8, 0)]
                    .get(usize::from(descriptor >> 6))
                    .copied()?;
                Some(Self::Window(
                    number(5 + dictionary, length)?.saturating_add(more),
                ))
            }
            _ => None,
        }
    }
}
