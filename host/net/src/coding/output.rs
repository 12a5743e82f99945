use std::io;

use super::CodingError;

/// What a decoder has made, never more than the cap.
#[derive(Debug)]
pub(super) struct CappedOutput {
    bytes: Vec<u8>,
    cap: usize,
    is_full: bool,
}

impl CappedOutput {
    pub(super) fn new(cap: usize) -> Self {
        Self {
            bytes: Vec::new(),
            cap,
            is_full: false,
        }
    }

    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// # Errors
    /// It would be more than the cap.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), CodingError> {
        if bytes.len() > self.cap.saturating_sub(self.bytes.len()) {
            self.is_full = true;
            return Err(CodingError::TooLong(self.cap));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// What a decoder's error means: it was stopped, or what it read is broken.
    pub(super) fn error(&self) -> CodingError {
        if self.is_full {
            CodingError::TooLong(self.cap)
        } else {
            CodingError::Broken
        }
    }
}

impl io::Write for CappedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.add(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
