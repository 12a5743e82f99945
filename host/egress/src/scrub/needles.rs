use std::collections::BTreeMap;

use aho_corasick::BuildError;
use toolhost_policy::{AuthPlacement, Secret};

use super::encodings;
use super::gaps::Gaps;
use super::matcher::{Matcher, Weight};
use super::normalise::normalise;
use super::parts::{self, NeedlePart, Spelling};

/// The length of a piece in bytes. Shorter pieces are found in text that has nothing to do with the
/// secret; longer ones let a guest collect the secret in ranges, over several calls.
pub(super) const PIECE: usize = 12;

/// The most pieces of one part in plain text. A longer part is cut at every second, third, … place,
/// so that what must come back to be noticed grows by as much.
const MAX_PIECES: usize = 2_048;

/// The most pieces of the normalised text.
const MAX_NORMALISED_PIECES: usize = 512;

/// The most pieces of one part that are searched for in hexadecimal, base64, base32, ROT13 and
/// backwards: each makes up to 14 needles.
const MAX_ENCODED_PIECES: usize = 128;

/// A piece with fewer different bytes than this is filler (`000000000000`), found anywhere.
const MIN_DISTINCT: usize = 4;

/// A piece with fewer bytes that only this secret has is found in what is said about secrets of its
/// kind: 64 ^ 4 is 16 million.
const MIN_UNSHARED: usize = 4;

/// Of a part longer than this only the end is searched for in the spellings that make it several
/// times as long: the automaton's size is bounded by it, and the end of a token is what differs
/// from others. A hit there refuses, for what stands before it would stay.
const WINDOW: usize = 512;

/// Nothing shorter is searched for within a text.
const MIN_NEEDLE: usize = 4;

/// Attached values shorter than this (`7`, `eu`) are compared with a whole header value only.
const MIN_ATTACHED: usize = 6;

/// All spellings of some parts.
///
/// The automata hold the needles in memory that is not zeroed; they live in a
/// [`super::NeedleCache`] that drops what has not been used for some minutes.
pub struct NeedleSet {
    pub(super) raw: Matcher,
    pub(super) folded: Matcher,
    /// What is left out of a normalised text before it is searched.
    pub(super) gaps: Gaps,
}

impl NeedleSet {
    pub(crate) fn from_parts(parts: &[NeedlePart]) -> Result<Self, BuildError> {
        let gaps = Gaps::widest_for(parts.iter().map(|part| part.bytes.as_slice()), PIECE);
        let mut raw = BTreeMap::new();
        let mut folded = BTreeMap::new();
        for part in parts {
            for (needle, weight) in spellings(part) {
                add(&mut raw, needle, weight);
            }
            for needle in folded_spellings(part, gaps) {
                add(&mut folded, needle, Weight::Part);
            }
        }
        Ok(Self {
            raw: Matcher::build(&raw, true)?,
            folded: Matcher::build(&folded, false)?,
            gaps,
        })
    }

    /// How many needles are searched for in the text as it is.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether there is nothing to search for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.len() == 0
    }

    /// The longest needle, in bytes: the most that a stream holds back.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.raw.longest()
    }
}

impl std::fmt::Debug for NeedleSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NeedleSet")
            .field("needles", &self.len())
            .finish_non_exhaustive()
    }
}

fn add(needles: &mut BTreeMap<Vec<u8>, Weight>, mut needle: Vec<u8>, weight: Weight) {
    if needle.len() >= MIN_NEEDLE {
        needle.make_ascii_lowercase();
        // One spelling that replaces is enough: the whole of it is known.
        needles
            .entry(needle)
            .and_modify(|old| {
                *old = if *old == Weight::Part {
                    weight
                } else {
                    (*old).max(weight.min(Weight::Whole))
                };
            })
            .or_insert(weight);
    }
}

fn spellings(part: &NeedlePart) -> Vec<(Vec<u8>, Weight)> {
    let whole = part.bytes.as_slice();
    let of = |forms: Vec<Vec<u8>>, weight| forms.into_iter().map(move |form| (form, weight));
    let mut list = vec![(whole.to_vec(), Weight::Whole)];
    if part.spelling == Spelling::Plain {
        list.extend(of(encodings::base64_everywhere(whole), Weight::Whole));
        return list;
    }
    let cut = whole.len().checked_sub(WINDOW).filter(|cut| *cut > 0);
    match cut.and_then(|cut| whole.get(cut..)) {
        None => list.extend(of(encodings::all(whole), Weight::Whole)),
        Some(tail) => {
            list.extend(of(encodings::base64_everywhere(whole), Weight::Whole));
            list.extend(of(encodings::all(tail), Weight::Part));
        }
    }
    let tail = whole.get(cut.unwrap_or_default()..).unwrap_or_default();
    list.extend(of(encodings::in_blocks(tail), Weight::Part));
    if let Spelling::Pieces(shared) = part.spelling {
        for (piece, _) in pieces(whole, shared, MIN_UNSHARED, MAX_ENCODED_PIECES) {
            list.extend(of(encodings::piece_in_blocks(piece), Weight::Part));
        }
        let found = pieces(whole, shared, 1, MAX_PIECES);
        list.extend(found.map(|(piece, unshared)| {
            let weight = if unshared < MIN_UNSHARED {
                Weight::Shared
            } else {
                Weight::Whole
            };
            (piece.to_vec(), weight)
        }));
    }
    list
}

fn folded_spellings(part: &NeedlePart, gaps: Gaps) -> Vec<Vec<u8>> {
    let settled = gaps.strip(&normalise(&part.bytes));
    let mut list = vec![settled.clone()];
    if part.spelling != Spelling::Plain {
        let from = part.bytes.len().saturating_sub(WINDOW);
        let tail = part.bytes.get(from..).unwrap_or_default();
        list.extend(encodings::compact(tail).iter().map(|form| gaps.strip(form)));
    }
    if let Spelling::Pieces(shared) = part.spelling {
        let prefix = part.bytes.get(..shared).unwrap_or_default();
        let left = gaps.strip(&normalise(prefix)).len();
        for (piece, _) in pieces(&settled, left, MIN_UNSHARED, MAX_NORMALISED_PIECES) {
            list.push(piece.to_vec());
        }
        for (piece, _) in pieces(&settled, left, MIN_UNSHARED, MAX_ENCODED_PIECES) {
            list.extend([encodings::reverse_bytes(piece), encodings::rot13(piece)]);
        }
        for (piece, _) in pieces(&part.bytes, shared, MIN_UNSHARED, MAX_ENCODED_PIECES) {
            list.extend(
                encodings::of_piece(piece)
                    .iter()
                    .map(|form| gaps.strip(form)),
            );
            // Those of letters and digits alone: of the others too little is left.
            let blocks = encodings::piece_in_blocks(piece);
            list.extend(
                blocks
                    .into_iter()
                    .filter(|form| form.iter().all(u8::is_ascii_alphanumeric)),
            );
        }
    }
    let least = PIECE.min(settled.len());
    list.retain(|needle| needle.len() >= least);
    list
}

/// Pieces with at least so many bytes beyond the shared beginning, and how many each has; at most
/// `most` of them.
fn pieces(
    bytes: &[u8],
    shared: usize,
    least: usize,
    most: usize,
) -> impl Iterator<Item = (&[u8], usize)> {
    let first = (shared + least).saturating_sub(PIECE);
    let places = bytes.len().saturating_sub(first);
    let is_filler = |piece: &[u8]| {
        let mut seen = piece.to_vec();
        seen.sort_unstable();
        seen.dedup();
        seen.len() < MIN_DISTINCT
    };
    let windows = bytes.windows(PIECE).enumerate().skip(first);
    windows
        .step_by(places.div_ceil(most).max(1))
        .map(move |(at, piece)| (piece, (at + PIECE).saturating_sub(shared)))
        .filter(move |(piece, _)| !is_filler(piece))
}

/// What one credential, attached in one way, makes needles of.
#[derive(Debug)]
pub struct Needles {
    /// The secret: looked for everywhere.
    pub secret: NeedleSet,
    /// Values of headers that were filled from attributes: looked for in header values and error
    /// texts.
    pub attached: NeedleSet,
    /// Those too short to be looked for within a text.
    pub(super) short: Vec<Secret>,
}

impl Needles {
    /// Builds both automata.
    ///
    /// # Errors
    /// The automaton would be larger than the crate allows; a bound on the secret's length comes
    /// before that.
    pub fn build(
        secret: Option<&Secret>,
        auth: &AuthPlacement,
        attached: &[String],
    ) -> Result<Self, BuildError> {
        let parts = secret
            .map(|secret| parts::needle_parts(secret.expose(), auth))
            .unwrap_or_default();
        let (long, short): (Vec<_>, Vec<_>) = attached
            .iter()
            .partition(|value| value.len() >= MIN_ATTACHED);
        let long: Vec<NeedlePart> = long
            .iter()
            .map(|value| NeedlePart {
                bytes: value.as_bytes().to_vec(),
                spelling: Spelling::Encoded,
            })
            .collect();
        Ok(Self {
            secret: NeedleSet::from_parts(&parts)?,
            attached: NeedleSet::from_parts(&long)?,
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

    /// Whether a header value is one of the attached values that are too short to be looked for
    /// within a text.
    pub(super) fn is_short_attached(&self, value: &[u8]) -> bool {
        self.short.iter().any(|short| short.expose() == value)
    }
}

#[cfg(test)]
mod tests {
    use toolhost_policy::{AuthPlacement, Secret};

    use super::{MAX_ENCODED_PIECES, MAX_PIECES, Needles, WINDOW};

    fn needles(secret: &[u8]) -> Needles {
        Needles::build(
            Some(&Secret::new(secret.to_vec())),
            &AuthPlacement::Bearer,
            &[],
        )
        .unwrap()
    }

    #[test]
    fn a_token_of_28_bytes_makes_some_hundred_needles() {
        let needles = needles(b"tok/live+0123456789abcdefg==");
        assert!(
            (33..=200).contains(&needles.secret.len()),
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
            needles.secret.len() <= MAX_PIECES + 7 * MAX_ENCODED_PIECES + 80,
            "{}",
            needles.secret.len()
        );
        assert!(needles.memory() < 8 << 20, "{} bytes", needles.memory());
        assert!(needles.secret.longest() <= (8_192 * 4_usize).div_ceil(3).max(6 * WINDOW));
    }

    #[test]
    fn a_common_token_takes_some_hundred_kilobytes() {
        let needles = needles(b"tok_live_4eC39HqLyjWDarjtT1zdp7dc0123456");
        assert!(needles.memory() < 400 << 10, "{} bytes", needles.memory());
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
        assert!(
            needles.secret.is_empty()
                && needles.attached.is_empty()
                && needles.secret.longest() == 0
        );
    }
}
