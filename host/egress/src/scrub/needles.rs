use std::collections::BTreeMap;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, BuildError, MatchKind};
use toolhost_policy::{AuthPlacement, Secret};

use super::encodings;
use super::normalise::normalised;
use super::parts::{self, Part, Spelling};

/// The length of a piece. Shorter pieces are found in text that has nothing to do with the secret; longer ones let a
/// guest collect the secret in ranges, over several calls.
const PIECE: usize = 12;

/// The most pieces of one part. A longer part is cut at every second, third, … place, so that what must come back to be
/// noticed grows by as much.
const MAX_PIECES: usize = 512;

/// The most pieces of one part that are searched for in base64, in hexadecimal and backwards, too: each makes up to nine
/// needles. A part of more is cut at every second, third, … place.
const MAX_ENCODED_PIECES: usize = 128;

/// A piece with fewer different bytes than this is filler (`000000000000`), found anywhere.
const MIN_DISTINCT: usize = 4;

/// Of a part longer than this only the end is searched for in the spellings that make it several times as long: the
/// automaton's size is bounded by it, and the end of a token is what differs from others. A hit there refuses, for what
/// stands before it would stay.
const WINDOW: usize = 512;

/// Nothing shorter is searched for within a text.
const MIN_NEEDLE: usize = 4;

/// Attached values shorter than this (`7`, `eu`) are compared with a whole header value only.
const MIN_ATTACHED: usize = 6;

/// What a matched needle calls for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    /// In bytes.
    pub(super) length: usize,
    /// More of the secret may stand around it.
    pub(super) refuse: bool,
}

/// All spellings of some parts.
///
/// The automata hold the needles in memory that is not zeroed; they live in a [`super::NeedleCache`] that drops what
/// has not been used for some minutes.
pub struct NeedleSet {
    pub(super) raw: Matcher,
    pub(super) folded: Matcher,
}

/// An automaton that is stepped byte by byte, so that its state is all that a chunk leaves for the next.
pub(super) struct Matcher {
    nfa: NFA,
    start: StateID,
    refuse: Vec<bool>,
    /// How many bytes of a needle each state stands for, by state.
    depths: Vec<(StateID, u32)>,
}

impl Matcher {
    fn build(needles: &BTreeMap<Vec<u8>, bool>, with_depths: bool) -> Result<Self, BuildError> {
        // The contiguous form: a tenth of the memory of a DFA at half its speed, and there is one for each credential.
        let nfa = NFA::builder()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(needles.keys())?;
        let start = nfa.start_state(Anchored::No).unwrap_or_default();
        let mut depths = BTreeMap::from([(start, 0)]);
        for needle in needles.keys().filter(|_| with_depths) {
            let mut state = start;
            for (depth, byte) in (1..).zip(needle) {
                state = nfa.next_state(Anchored::No, state, *byte);
                depths.insert(state, depth);
            }
        }
        Ok(Self {
            nfa,
            start,
            refuse: needles.values().copied().collect(),
            depths: depths.into_iter().collect(),
        })
    }

    pub(super) fn start(&self) -> StateID {
        self.start
    }

    #[inline]
    pub(super) fn step(&self, state: StateID, byte: u8) -> StateID {
        self.nfa.next_state(Anchored::No, state, byte)
    }

    #[inline]
    pub(super) fn is_match(&self, state: StateID) -> bool {
        self.nfa.is_special(state) && self.nfa.is_match(state)
    }

    /// The longest needle that ends here, and whether any that ends here refuses.
    pub(super) fn hit(&self, state: StateID) -> Hit {
        let mut hit = Hit {
            length: 0,
            refuse: false,
        };
        for index in 0..self.nfa.match_len(state) {
            let pattern = self.nfa.match_pattern(state, index);
            hit.length = hit.length.max(self.nfa.pattern_len(pattern));
            hit.refuse |= self.refuse.get(pattern.as_usize()).copied().unwrap_or(true);
        }
        hit
    }

    /// How many of the last bytes may be the beginning of a needle.
    pub(super) fn depth(&self, state: StateID) -> usize {
        let at = self.depths.binary_search_by_key(&state, |(state, _)| *state);
        at.ok()
            .and_then(|at| self.depths.get(at))
            .map_or(self.nfa.max_pattern_len(), |(_, depth)| *depth as usize)
    }

    fn memory(&self) -> usize {
        self.nfa.memory_usage() + self.refuse.len() + self.depths.len() * size_of::<(StateID, u32)>()
    }
}

impl NeedleSet {
    pub(crate) fn of(parts: &[Part]) -> Result<Self, BuildError> {
        let mut raw = BTreeMap::new();
        let mut folded = BTreeMap::new();
        for part in parts {
            for (needle, refuse) in spellings(part) {
                add(&mut raw, needle, refuse);
            }
            for needle in folded_spellings(part) {
                add(&mut folded, needle, true);
            }
        }
        Ok(Self {
            raw: Matcher::build(&raw, true)?,
            folded: Matcher::build(&folded, false)?,
        })
    }

    /// How many needles are searched for in the text as it is.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.refuse.len()
    }

    /// Whether there is nothing to search for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.refuse.is_empty()
    }

    /// The longest needle, in bytes: the most that a stream holds back.
    #[must_use]
    pub fn longest(&self) -> usize {
        if self.is_empty() {
            0
        } else {
            self.raw.nfa.max_pattern_len()
        }
    }
}

impl std::fmt::Debug for NeedleSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NeedleSet")
            .field("needles", &self.len())
            .finish_non_exhaustive()
    }
}

fn add(needles: &mut BTreeMap<Vec<u8>, bool>, needle: Vec<u8>, refuse: bool) {
    if needle.len() >= MIN_NEEDLE {
        // One spelling that replaces is enough: the whole of it is known.
        needles
            .entry(needle)
            .and_modify(|old| *old &= refuse)
            .or_insert(refuse);
    }
}

fn spellings(part: &Part) -> Vec<(Vec<u8>, bool)> {
    let whole = part.bytes.as_slice();
    let mut list = vec![(whole.to_vec(), false)];
    if part.spelling == Spelling::Plain {
        list.extend(
            encodings::base64_everywhere(whole)
                .into_iter()
                .map(|form| (form, false)),
        );
        return list;
    }
    match whole
        .len()
        .checked_sub(WINDOW)
        .filter(|cut| *cut > 0)
        .and_then(|cut| whole.get(cut..))
    {
        None => list.extend(encodings::all(whole).into_iter().map(|form| (form, false))),
        Some(tail) => {
            list.extend(
                encodings::base64_everywhere(whole)
                    .into_iter()
                    .map(|form| (form, false)),
            );
            list.extend(encodings::all(tail).into_iter().map(|form| (form, true)));
        }
    }
    list.extend(pieces(part, MAX_PIECES).map(|piece| (piece.to_vec(), false)));
    list
}

fn folded_spellings(part: &Part) -> Vec<Vec<u8>> {
    let mut list = vec![part.bytes.clone()];
    if part.spelling != Spelling::Plain {
        let from = part.bytes.len().saturating_sub(WINDOW);
        list.extend(encodings::compact(part.bytes.get(from..).unwrap_or_default()));
        list.extend(pieces(part, MAX_PIECES).map(<[u8]>::to_vec));
        list.extend(encoded_pieces(part));
    }
    list.into_iter()
        .map(|needle| normalised(&needle))
        .filter(|needle| needle.len() >= PIECE.min(part.bytes.len()))
        .collect()
}

/// Pieces of what only this secret has, at most so many.
fn pieces(part: &Part, most: usize) -> impl Iterator<Item = &[u8]> {
    let unshared = match part.spelling {
        Spelling::Pieces(from) => part.bytes.get(from..).unwrap_or_default(),
        Spelling::Plain | Spelling::Encoded => &[],
    };
    let step = unshared.len().div_ceil(most).max(1);
    let is_filler = |piece: &[u8]| {
        let mut seen = piece.to_vec();
        seen.sort_unstable();
        seen.dedup();
        seen.len() < MIN_DISTINCT
    };
    unshared
        .windows(PIECE)
        .step_by(step)
        .filter(move |piece| !is_filler(piece))
}

/// The same in the encodings that normalising does not undo: a part of an echo in base64 is as good as a part of it in
/// plain text (T11). They are searched for in the normalised text alone, where a hit refuses: what stands around a part
/// is the rest of it.
fn encoded_pieces(part: &Part) -> impl Iterator<Item = Vec<u8>> {
    pieces(part, MAX_ENCODED_PIECES).flat_map(encodings::of_piece)
}

/// What one credential, attached in one way, makes needles of.
#[derive(Debug)]
pub struct Needles {
    /// The secret: looked for everywhere.
    pub secret: NeedleSet,
    /// Values of headers that were filled from attributes: looked for in header values and error texts.
    pub attached: NeedleSet,
    /// Those too short to be looked for within a text.
    pub(super) short: Vec<Secret>,
}

impl Needles {
    /// Builds both automata.
    ///
    /// # Errors
    /// The automaton would be larger than the crate allows; a bound on the secret's length comes before that.
    pub fn build(
        secret: Option<&Secret>,
        auth: &AuthPlacement,
        attached: &[String],
    ) -> Result<Self, BuildError> {
        let parts = secret
            .map(|secret| parts::of(secret.expose(), auth))
            .unwrap_or_default();
        let (long, short): (Vec<_>, Vec<_>) = attached.iter().partition(|value| value.len() >= MIN_ATTACHED);
        let long: Vec<Part> = long
            .iter()
            .map(|value| Part {
                bytes: value.as_bytes().to_vec(),
                spelling: Spelling::Encoded,
            })
            .collect();
        Ok(Self {
            secret: NeedleSet::of(&parts)?,
            attached: NeedleSet::of(&long)?,
            short: short
                .into_iter()
                .filter(|value| !value.is_empty())
                .cloned()
                .map(Secret::from)
                .collect(),
        })
    }

    /// An estimate in bytes, for the cache's bound.
    pub(super) fn memory(&self) -> usize {
        [&self.secret, &self.attached]
            .iter()
            .map(|set| set.raw.memory() + set.folded.memory())
            .sum()
    }

    /// Whether a header value is one of the attached values that are too short to be looked for within a text.
    pub(super) fn is_short_attached(&self, value: &[u8]) -> bool {
        self.short.iter().any(|short| short.expose() == value)
    }
}

#[cfg(test)]
mod tests {
    use toolhost_policy::{AuthPlacement, Secret};

    use super::{MAX_PIECES, Needles, WINDOW};

    fn needles(secret: &[u8]) -> Needles {
        Needles::build(Some(&Secret::new(secret.to_vec())), &AuthPlacement::Bearer, &[]).unwrap()
    }

    #[test]
    fn a_token_of_28_bytes_makes_some_dozens_of_needles() {
        let needles = needles(b"tok/live+0123456789abcdefg==");
        assert!(
            (33..=64).contains(&needles.secret.len()),
            "{}",
            needles.secret.len()
        );
        assert_eq!(needles.secret.longest(), 6 * 28);
    }

    #[test]
    fn the_longest_secret_makes_a_bounded_number_of_needles_and_bytes() {
        let long: Vec<u8> = (0..8_192_u32)
            .map(|at| b'!' + (at.wrapping_mul(2_654_435_761) >> 13) as u8 % 90)
            .collect();
        let needles = needles(&long);
        assert!(
            needles.secret.len() <= MAX_PIECES + 48,
            "{}",
            needles.secret.len()
        );
        assert!(needles.memory() < 8 << 20, "{} bytes", needles.memory());
        assert!(needles.secret.longest() <= (8_192 * 4_usize).div_ceil(3).max(6 * WINDOW));
    }

    #[test]
    fn a_common_token_takes_some_hundred_kilobytes() {
        let needles = needles(b"tok_live_4eC39HqLyjWDarjtT1zdp7dc0123456");
        assert!(needles.memory() < 300 << 10, "{} bytes", needles.memory());
    }

    #[test]
    fn filler_is_no_piece() {
        let needles = needles(b"000000000000000000000000a1b2c3");
        let state = b"0000000000000000"
            .iter()
            .fold(needles.secret.raw.start(), |state, byte| {
                needles.secret.raw.step(state, *byte)
            });
        assert!(!needles.secret.raw.is_match(state));
    }

    #[test]
    fn nothing_to_hide_makes_no_needles() {
        let needles = Needles::build(None, &AuthPlacement::None, &[]).unwrap();
        assert!(needles.secret.is_empty() && needles.attached.is_empty() && needles.secret.longest() == 0);
    }
}
