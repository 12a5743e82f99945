use std::sync::LazyLock;

use super::radix::Alphabet;

/// How many settled bytes are remembered of the chunks before: as many as a run may have before it
/// is known to be one.
const MAX_TAIL: usize = 256;

/// For each byte, in which alphabets it is a digit (the low four bits) and in which a run goes on
/// behind it (the high four).
static CLASSES: LazyLock<[u8; 256]> =
    LazyLock::new(|| std::array::from_fn(|byte| u8::try_from(byte).map_or(0, class)));

fn class(byte: u8) -> u8 {
    let alphabets = Alphabet::ALL.iter().enumerate();
    alphabets.fold(0, |class, (at, alphabet)| {
        if alphabet.digit(byte).is_some() {
            class | 1 << at
        } else if alphabet.passes_over(byte) {
            class | 16 << at
        } else {
            class
        }
    })
}

/// Finds out whether a chunk has a run of digits that is long enough to be decoded, so that text
/// without one costs a look at each byte and no more.
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
        let classes = &*CLASSES;
        for byte in text {
            let class = classes.get(usize::from(*byte)).copied().unwrap_or_default();
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
