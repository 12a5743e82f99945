use super::radix::Alphabet;

/// How many settled bytes are remembered of the chunks before: as many as a run may have before it is known to be one.
const MAX_TAIL: usize = 256;

/// For each byte, in which alphabets it is a digit (the low four bits) and in which a run goes on behind it (the high four).
const CLASSES: [u8; 256] = classes();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler; both indices are below the lengths"
)]
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut at = 0;
        while at < Alphabet::ALL.len() {
            let alphabet = Alphabet::ALL[at];
            if alphabet.digit(byte as u8).is_some() {
                classes[byte] |= 1 << at;
            } else if alphabet.passes_over(byte as u8) {
                classes[byte] |= 16 << at;
            }
            at += 1;
        }
        byte += 1;
    }
    classes
}

/// Finds out whether a chunk has a run of digits that is long enough to be decoded, so that text without one costs a look at
/// each byte and no more.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// Digits in a row so far, by alphabet.
    counts: [usize; Alphabet::ALL.len()],
    tail: Vec<u8>,
}

impl Runs {
    /// In which alphabets a run in this chunk, or one that goes on in it, is long enough.
    pub(super) fn find(&mut self, text: &[u8]) -> [bool; Alphabet::ALL.len()] {
        let mut found = [false; Alphabet::ALL.len()];
        for byte in text {
            let class = CLASSES.get(usize::from(*byte)).copied().unwrap_or_default();
            for (at, count) in self.counts.iter_mut().enumerate() {
                if class & (1 << at) != 0 {
                    *count += 1;
                } else if class & (16 << at) == 0 {
                    *count = 0;
                    continue;
                }
                if let (Some(found), Some(alphabet)) = (found.get_mut(at), Alphabet::ALL.get(at)) {
                    *found |= *count >= alphabet.least();
                }
            }
        }
        found
    }

    /// What came before this chunk, and the chunk.
    pub(super) fn with_tail(&self, text: &[u8]) -> Vec<u8> {
        [&self.tail, text].concat()
    }

    /// Remembers the end of this chunk.
    pub(super) fn remember(&mut self, text: &[u8]) {
        let new = text
            .get(text.len().saturating_sub(MAX_TAIL)..)
            .unwrap_or_default();
        self.tail.extend_from_slice(new);
        // Rarely, so that chunks of one byte do not move it each time.
        if self.tail.len() > 4 * MAX_TAIL {
            self.tail.drain(..self.tail.len() - MAX_TAIL);
        }
    }
}
