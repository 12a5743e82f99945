//! Regular expressions: ECMAScript's syntax as far as a linear engine can take it, with what a
//! search may cost known before it begins.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, NFA};
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind};
use toolhost_policy::{WorkBudget, WorkLimit};

/// The memory of one pattern's automaton, in bytes. `\p{L}{1,30}` takes about this much.
const MAX_AUTOMATON: usize = 1 << 20;

/// A pattern longer than this is not written by a person. Before its automaton is measured it is
/// read, and a class such as `\p{L}` of five bytes is ten thousand then.
const MAX_PATTERN: usize = 8 << 10;

/// The memory of a search's states, in bytes; what does not fit is made again, until the search
/// gives up on it. Those of `^[^\s]{1,255}$` in ASCII take 77 KB.
const MAX_CACHE: usize = 128 << 10;

/// What a search needs beside its states for each state of the automaton, in bytes: two sparse sets
/// of them.
const SCRATCH_A_STATE: usize = 16;

/// A cache that has grown beyond this is kept for the next search of the same check alone.
const KEPT_CACHE: usize = 32 << 10;

/// The memory of the caches that one check keeps, in bytes.
const MAX_CACHES: usize = 4 << 20;

/// How often a search may fill its cache before it goes on without one, a state at a time.
const MAX_CLEARS: usize = 1;

/// Bytes of states that are made in a step: half a nanosecond to nine each, by what the pattern
/// repeats.
const MADE_A_STEP: usize = 4;

/// States of the pattern times bytes of the text in a step, where each is looked at: at most some
/// five nanoseconds each.
const LOOKS_A_STEP: u64 = 8;

/// Why a pattern is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It looks around or back, or it is not a regular expression.
    #[error("it is not a regular expression without look-around and back-references")]
    Unsupported,
    /// It is longer than 8 KiB, or its automaton passes a megabyte.
    #[error(
        "it is too large: longer than 8 KiB, or a repetition of a repetition or of a large class"
    )]
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
        let translated =
            jsonschema_regex::to_rust_regex(pattern).map_err(|()| PatternError::Unsupported)?;
        let nfa = automaton(&translated)?;
        let states = nfa.states().len() as u64;
        let dfa = DFA::builder()
            .configure(
                DFA::config()
                    .match_kind(MatchKind::All)
                    .cache_capacity(MAX_CACHE + scratch(states))
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
            states,
            memory: nfa.memory_usage(),
            cache: Mutex::new(None),
        })
    }

    /// Bytes of memory, without what searches take.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    /// Whether the text has a match: a step for 16 bytes, and one for each four bytes of the states
    /// that the search has to make. Where those are too many to be remembered, one for each eight
    /// states of the pattern and byte of the text.
    pub(crate) fn is_match(
        &self,
        text: &str,
        caches: &mut SearchCaches,
        budget: &mut WorkBudget,
    ) -> Result<bool, WorkLimit> {
        budget.charge_bytes(text.len())?;
        let input = Input::new(text).earliest(true);
        let mut cache = match caches.take(self).or_else(|| self.kept().take()) {
            Some(cache) => cache,
            None => {
                budget.charge_bytes(self.scratch())?;
                self.dfa.create_cache()
            }
        };
        let before = cache.memory_usage();
        let found = self.dfa.try_search_fwd(&mut cache, &input);
        let clears = cache.clear_count();
        let made = (cache.memory_usage() + clears * MAX_CACHE).saturating_sub(before);
        if clears == 0 {
            match cache.memory_usage() <= KEPT_CACHE {
                true => *self.kept() = Some(cache),
                false => caches.keep(self, cache),
            }
        }
        budget.charge((made / MADE_A_STEP) as u64)?;
        if let Ok(found) = found {
            return Ok(found.is_some());
        }
        let looks = (text.len() as u64)
            .saturating_add(1)
            .saturating_mul(self.states);
        budget.charge(looks / LOOKS_A_STEP)?;
        Ok(self.vm.is_match(&mut self.vm.create_cache(), text))
    }

    fn kept(&self) -> MutexGuard<'_, Option<Cache>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scratch(&self) -> usize {
        scratch(self.states)
    }
}

fn scratch(states: u64) -> usize {
    usize::try_from(states)
        .unwrap_or(usize::MAX)
        .saturating_mul(SCRATCH_A_STATE)
}

/// The states that the searches of one check have made, for the patterns whose states are too many
/// to be kept between checks.
#[derive(Default)]
pub(crate) struct SearchCaches {
    /// By the address of the pattern.
    caches: HashMap<usize, Cache>,
    memory: usize,
}

impl SearchCaches {
    fn take(&mut self, pattern: &Pattern) -> Option<Cache> {
        let cache = self.caches.remove(&std::ptr::from_ref(pattern).addr())?;
        self.memory = self.memory.saturating_sub(cache.memory_usage());
        Some(cache)
    }

    fn keep(&mut self, pattern: &Pattern, cache: Cache) {
        let memory = self.memory.saturating_add(cache.memory_usage());
        if memory <= MAX_CACHES {
            self.memory = memory;
            self.caches
                .insert(std::ptr::from_ref(pattern).addr(), cache);
        }
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
    let hir = syntax::parse_with(pattern, &syntax::Config::new())
        .map_err(|_| PatternError::Unsupported)?;
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

    use super::{KEPT_CACHE, MAX_CACHES, Pattern, PatternError, SearchCaches};

    fn budget() -> WorkBudget {
        WorkBudget::new(20_000_000, 100)
    }

    fn search(pattern: &Pattern, text: &str) -> Result<bool, WorkLimit> {
        pattern.is_match(text, &mut SearchCaches::default(), &mut budget())
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
            let found = search(&Pattern::new(pattern).unwrap(), text);
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
        assert_eq!(search(&pattern, &long), Err(WorkLimit::Steps));
        assert_eq!(search(&pattern, &"a".repeat(500)), Ok(false));
        assert_eq!(search(&pattern, "aaaz"), Ok(true));
        let plain = Pattern::new("^(a+)+$").unwrap();
        assert_eq!(search(&plain, &format!("{long}!")), Ok(false));
    }

    #[test]
    fn states_that_are_made_once_serve_a_check_and_are_bounded_in_it() {
        let text = "a".repeat(100);
        let (mut caches, mut small) = (SearchCaches::default(), WorkBudget::new(20_000, 100));
        let pattern = Pattern::new("^[^\\s]{1,255}$").unwrap();
        for _ in 0..1_000 {
            assert_eq!(pattern.is_match(&text, &mut caches, &mut small), Ok(true));
        }
        assert!(caches.memory > KEPT_CACHE && pattern.kept().is_none());
        let patterns: Vec<_> = (0..60)
            .map(|n| Pattern::new(&format!("^[^\\s]{{1,255}}{n}$")).unwrap())
            .collect();
        for pattern in &patterns {
            assert_eq!(
                pattern.is_match(&text, &mut caches, &mut budget()),
                Ok(false)
            );
        }
        assert!(
            caches.memory <= MAX_CACHES && caches.caches.len() > 10 && caches.caches.len() < 60
        );
    }
}
