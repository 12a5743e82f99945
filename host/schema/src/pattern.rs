//! Regular expressions: ECMAScript's syntax as far as a linear engine can take it, with what a search may cost known before it
//! begins.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, NFA};
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};
use toolhost_policy::{WorkBudget, WorkLimit};

/// The memory of one pattern's automaton, in bytes. `\p{L}{1,30}` takes about this much.
const MAX_AUTOMATON: usize = 1 << 20;

/// A pattern longer than this is not written by a person. Before its automaton is measured it is read, and a class such as `\p{L}`
/// of five bytes is ten thousand then.
const MAX_PATTERN: usize = 8 << 10;

/// The memory of a search's states, in bytes; what does not fit is made again, until the search gives up on it.
const MAX_CACHE: usize = 64 << 10;

/// A cache that has grown beyond this is not kept for the next search.
const KEPT_CACHE: usize = 32 << 10;

/// How often a search may fill its cache before it goes on without one, a state at a time.
const MAX_CLEARS: usize = 2;

/// Why a pattern is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It looks around or back, or it is no regular expression.
    #[error("it is no regular expression without look-around and back-references")]
    Unsupported,
    /// It is longer than 8 KiB, or its automaton passes a megabyte.
    #[error("it is too large: longer than 8 KiB, or a repetition of a repetition or of a large class")]
    TooLarge,
}

/// A compiled pattern.
pub(crate) struct Pattern {
    dfa: DFA,
    vm: PikeVM,
    states: u64,
    /// Of the automaton, in bytes.
    memory: usize,
    cache: Mutex<Option<Cache>>,
}

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Result<Self, PatternError> {
        if pattern.len() > MAX_PATTERN {
            return Err(PatternError::TooLarge);
        }
        let translated = jsonschema_regex::to_rust_regex(pattern).map_err(|()| PatternError::Unsupported)?;
        let nfa = automaton(&translated)?;
        let dfa = DFA::builder()
            .configure(
                DFA::config()
                    .match_kind(MatchKind::All)
                    .cache_capacity(MAX_CACHE)
                    .skip_cache_capacity_check(true)
                    .minimum_cache_clear_count(Some(MAX_CLEARS))
                    .unicode_word_boundary(true),
            )
            .build_from_nfa(nfa.clone())
            .map_err(|_| PatternError::TooLarge)?;
        let vm = PikeVM::new_from_nfa(nfa.clone()).map_err(|_| PatternError::TooLarge)?;
        Ok(Self {
            dfa,
            vm,
            states: nfa.states().len() as u64,
            memory: nfa.memory_usage(),
            cache: Mutex::new(None),
        })
    }

    /// Bytes of memory, without what searches take.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Whether the text has a match: a step for 16 bytes, and one for each byte of the states that the search has to make.
    /// Where those are too many to be remembered, one for each state of the pattern and byte of the text.
    pub(crate) fn is_match(&self, text: &str, budget: &mut WorkBudget) -> Result<bool, WorkLimit> {
        budget.charge_bytes(text.len())?;
        let input = Input::new(text).earliest(true);
        let mut cache = self.take_cache();
        let before = cache.memory_usage();
        let found = self.dfa.try_search_fwd(&mut cache, &input);
        let clears = cache.clear_count();
        let made = cache.memory_usage().saturating_sub(before) + clears * MAX_CACHE;
        if clears == 0 && cache.memory_usage() <= KEPT_CACHE {
            *self.cache.lock().unwrap_or_else(PoisonError::into_inner) = Some(cache);
        }
        budget.charge(made as u64)?;
        if let Ok(found) = found {
            return Ok(found.is_some());
        }
        budget.charge((text.len() as u64).saturating_add(1).saturating_mul(self.states))?;
        Ok(self.vm.is_match(&mut self.vm.create_cache(), text))
    }

    fn take_cache(&self) -> Cache {
        let kept = self.cache.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.unwrap_or_else(|| self.dfa.create_cache())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pattern")
            .field("states", &self.states)
            .finish_non_exhaustive()
    }
}

fn automaton(pattern: &str) -> Result<NFA, PatternError> {
    let hir = syntax::parse_with(pattern, &syntax::Config::new()).map_err(|_| PatternError::Unsupported)?;
    thompson::Compiler::new()
        .configure(
            thompson::Config::new()
                .nfa_size_limit(Some(MAX_AUTOMATON))
                .which_captures(thompson::WhichCaptures::None),
        )
        .build_from_hir(&hir)
        .map_err(|_| PatternError::TooLarge)
}

#[cfg(test)]
mod tests {
    use toolhost_policy::{WorkBudget, WorkLimit};

    use super::{Pattern, PatternError};

    fn budget() -> WorkBudget {
        WorkBudget::new(20_000_000, 100)
    }

    #[test]
    fn patterns_mean_what_ecmascript_says() {
        for (pattern, text, expected) in [
            ("^[a-z]+$", "abc", true),
            ("^[a-z]+$", "abc1", false),
            ("b", "abc", true),
            ("", "", true),
            ("^$", "", true),
            ("^\\d+$", "\u{0661}", false),
            ("^\\w$", "\u{e9}", false),
            ("^\\p{L}$", "\u{e9}", true),
            ("^.$", "\u{1f600}", true),
            ("\\bfoo\\b", "a foo b", true),
            ("^(a|b)*c", "ababc", true),
        ] {
            let found = Pattern::new(pattern).unwrap().is_match(text, &mut budget());
            assert_eq!(found, Ok(expected), "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_that_no_linear_engine_takes_is_none() {
        for pattern in ["(?=a)b", "(?<!a)b", "(a)\\1", "(", "[z-a]"] {
            assert_eq!(
                Pattern::new(pattern).unwrap_err(),
                PatternError::Unsupported,
                "{pattern}"
            );
        }
        for pattern in [
            "((a{1,1000}){1,1000}){1,1000}",
            "\\p{L}{1,1000}",
            &"a".repeat(9_000),
        ] {
            assert_eq!(
                Pattern::new(pattern).unwrap_err(),
                PatternError::TooLarge,
                "{pattern}"
            );
        }
    }

    #[test]
    fn a_pattern_whose_states_do_not_fit_ends_at_its_budget_or_says_the_truth() {
        let pattern = Pattern::new("(\\w{1,200}){1,20}z").unwrap();
        let long = "a".repeat(250_000);
        assert_eq!(pattern.is_match(&long, &mut budget()), Err(WorkLimit::Steps));
        assert_eq!(pattern.is_match(&"a".repeat(500), &mut budget()), Ok(false));
        assert_eq!(pattern.is_match("aaaz", &mut budget()), Ok(true));
        let plain = Pattern::new("^(a+)+$").unwrap();
        assert_eq!(plain.is_match(&format!("{long}!"), &mut budget()), Ok(false));
    }
}
