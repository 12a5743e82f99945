use std::collections::BTreeMap;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, BuildError, MatchKind};

/// What a needle calls for. The least of what two of the same bytes call for counts: what is known
/// whole can be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// It is replaced, and says little by itself: nearly all of it is what every secret of its kind
    /// begins with.
    Shared,
    /// It is replaced.
    Whole,
    /// The text is withheld: more of the secret may stand around it.
    Part,
}

/// What a matched needle calls for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    /// In bytes.
    pub(super) length: usize,
    /// The most that any needle which ends here calls for.
    pub(super) weight: Weight,
}

/// An automaton that is stepped byte by byte, so that its state is all that a chunk leaves for the
/// next. It does not tell ASCII letters by their case.
pub(super) struct Matcher {
    nfa: NFA,
    start: StateID,
    weights: Vec<Weight>,
    /// How many bytes of a needle each state stands for, by state.
    depths: Vec<(StateID, u32)>,
}

impl Matcher {
    /// Of needles without upper case. `with_depths`: [`Matcher::depth`] is asked.
    pub(super) fn build(
        needles: &BTreeMap<Vec<u8>, Weight>,
        with_depths: bool,
    ) -> Result<Self, BuildError> {
        // The contiguous form: a tenth of the memory of a DFA at half its speed, and there is one
        // for each credential.
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
            weights: needles.values().copied().collect(),
            depths: depths.into_iter().collect(),
        })
    }

    /// How many needles.
    pub(super) fn len(&self) -> usize {
        self.weights.len()
    }

    /// The longest needle, in bytes.
    pub(super) fn longest(&self) -> usize {
        if self.weights.is_empty() {
            0
        } else {
            self.nfa.max_pattern_len()
        }
    }

    pub(super) fn start(&self) -> StateID {
        self.start
    }

    #[inline]
    pub(super) fn step(&self, state: StateID, byte: u8) -> StateID {
        self.nfa
            .next_state(Anchored::No, state, byte.to_ascii_lowercase())
    }

    #[inline]
    pub(super) fn is_match(&self, state: StateID) -> bool {
        self.nfa.is_special(state) && self.nfa.is_match(state)
    }

    /// The longest needle that ends here, and the most that any that ends here calls for.
    pub(super) fn hit(&self, state: StateID) -> Hit {
        let mut hit = Hit {
            length: 0,
            weight: Weight::Shared,
        };
        for index in 0..self.nfa.match_len(state) {
            let pattern = self.nfa.match_pattern(state, index);
            hit.length = hit.length.max(self.nfa.pattern_len(pattern));
            let weight = self.weights.get(pattern.as_usize()).copied();
            hit.weight = hit.weight.max(weight.unwrap_or(Weight::Part));
        }
        hit
    }

    /// How many of the last bytes may be the beginning of a needle.
    pub(super) fn depth(&self, state: StateID) -> usize {
        let at = self
            .depths
            .binary_search_by_key(&state, |(state, _)| *state);
        at.ok()
            .and_then(|at| self.depths.get(at))
            .map_or(self.nfa.max_pattern_len(), |(_, depth)| *depth as usize)
    }

    /// An estimate in bytes.
    pub(super) fn memory(&self) -> usize {
        self.nfa.memory_usage()
            + self.weights.len()
            + self.depths.len() * size_of::<(StateID, u32)>()
    }
}
