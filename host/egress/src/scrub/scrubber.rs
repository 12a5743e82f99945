use aho_corasick::automaton::StateID;
use bytes::{Bytes, BytesMut};

use super::decode_budget::WithholdReason;
use super::matcher::Weight;
use super::text_search::TextSearch;
use super::{NeedleSet, Needles};

/// What stands in the place of a credential.
pub const REDACTED: &str = "[redacted]";

/// A text held the credential where it could not be replaced, or is encoded so often within itself
/// that nobody knows. None of it may be handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text holds the credential, or may hold it")]
pub struct ReflectionError;

/// Scrubs one text, given whole or in chunks of any size.
///
/// A byte is handed on once no needle that begins with it or before it can still be completed. What
/// is held back is the text since the last line break, never more than the longest needle less one
/// byte: where it ends must not tell whether its last bytes begin a needle, or a guest could guess
/// a credential byte by byte and never be noticed. A hit in a text is replaced by [`REDACTED`]; a
/// hit in anything else, or one that shows only once the text is normalised, ends it with
/// [`ReflectionError`].
#[derive(Debug)]
pub struct Scrubber<'n> {
    set: &'n NeedleSet,
    state: ScrubState,
}

/// A place in the whole text.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u64,
    end: u64,
    /// Whether it says more of the credential than what all of its kind begin with.
    counts: bool,
}

/// What a scrubber remembers between chunks, without the needles it belongs to.
#[derive(Debug)]
pub(crate) struct ScrubState {
    is_text: bool,
    raw: StateID,
    search: TextSearch,
    /// Bytes since the last line break.
    line: usize,
    /// Not handed on yet.
    held: Bytes,
    /// The place of the first held byte in the whole text.
    base: u64,
    /// Found and not yet replaced: disjoint, in order.
    spans: Vec<Span>,
    /// Up to here a span was replaced already.
    replaced_until: u64,
    reflections: u64,
    refused: bool,
}

impl ScrubState {
    pub(crate) fn new(set: &NeedleSet, is_text: bool) -> Self {
        Self {
            is_text,
            raw: set.raw.start(),
            search: TextSearch::new(set),
            line: 0,
            held: Bytes::new(),
            base: 0,
            spans: Vec::new(),
            replaced_until: 0,
            reflections: 0,
            refused: false,
        }
    }

    /// How often the credential was found so far.
    pub(crate) fn reflections(&self) -> u64 {
        self.reflections
    }

    pub(crate) fn push(&mut self, set: &NeedleSet, chunk: Bytes) -> Result<Bytes, ReflectionError> {
        self.run_guarded(|state| {
            if set.is_empty() {
                return Ok(chunk);
            }
            state.search(set, &chunk)?;
            let open = state.line.min(set.longest().saturating_sub(1));
            // A needle with a line break in it is a key of several lines, which nobody guesses byte
            // by byte.
            let keep = set.raw.depth(state.raw).max(open);
            let released = state.release(chunk, keep);
            state.check(set, &released)?;
            Ok(released)
        })
    }

    pub(crate) fn finish(&mut self, set: &NeedleSet) -> Result<Bytes, ReflectionError> {
        self.run_guarded(|state| {
            let released = state.release(Bytes::new(), 0);
            state.check(set, &released)?;
            let ended = state.search.finish(set);
            ended.map_err(|refusal| state.refuse(refusal))?;
            Ok(released)
        })
    }

    fn run_guarded(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<Bytes, ReflectionError>,
    ) -> Result<Bytes, ReflectionError> {
        if self.refused {
            return Err(ReflectionError);
        }
        let result = step(self);
        if result.is_err() {
            self.refused = true;
            self.held = Bytes::new();
        }
        result
    }

    /// What could not be searched to its end is withheld like what was found, and is no reflection.
    fn refuse(&mut self, refusal: WithholdReason) -> ReflectionError {
        self.reflections += u64::from(refusal == WithholdReason::Found);
        ReflectionError
    }

    fn search(&mut self, set: &NeedleSet, chunk: &[u8]) -> Result<(), ReflectionError> {
        let mut at = self.base + self.held.len() as u64;
        for byte in chunk {
            self.raw = set.raw.step(self.raw, *byte);
            self.line = if *byte == b'\n' { 0 } else { self.line + 1 };
            at += 1;
            if set.raw.is_match(self.raw) {
                let hit = set.raw.hit(self.raw);
                if hit.weight == Weight::Part || !self.is_text {
                    return Err(self.refuse(WithholdReason::Found));
                }
                let start = at.saturating_sub(hit.length as u64);
                self.add_span(start, at, hit.weight == Weight::Whole);
            }
        }
        Ok(())
    }

    /// Ends only grow, so a new span can swallow the last ones and nothing else.
    fn add_span(&mut self, mut start: u64, end: u64, mut counts: bool) {
        while let Some(last) = self.spans.last().copied() {
            if last.end < start {
                break;
            }
            start = start.min(last.start);
            counts |= last.counts;
            self.spans.pop();
        }
        self.spans.push(Span { start, end, counts });
    }

    /// Hands on all but the last `keep` bytes, with what was found replaced.
    fn release(&mut self, chunk: Bytes, keep: usize) -> Bytes {
        let mut held = std::mem::take(&mut self.held);
        let mut all = if held.is_empty() {
            chunk
        } else if chunk.is_empty() {
            held
        } else {
            let mut joined = BytesMut::with_capacity(held.len() + chunk.len());
            joined.extend_from_slice(&held);
            joined.extend_from_slice(&chunk);
            held.clear();
            joined.freeze()
        };
        let clear = all.split_to(all.len().saturating_sub(keep));
        self.held = all;
        let from = self.base;
        self.base += clear.len() as u64;
        if self.spans.is_empty() && self.replaced_until <= from {
            return clear;
        }
        self.replace(&clear, from)
    }

    fn replace(&mut self, clear: &[u8], from: u64) -> Bytes {
        let limit = self.base;
        let slice = |start: u64, end: u64| {
            let (start, end) = (
                start.saturating_sub(from) as usize,
                end.saturating_sub(from) as usize,
            );
            clear.get(start..end).unwrap_or_default()
        };
        let mut out = BytesMut::with_capacity(clear.len() + REDACTED.len());
        let mut at = from.max(self.replaced_until.min(limit));
        let mut later = Vec::new();
        for span in std::mem::take(&mut self.spans) {
            let Span { start, end, counts } = span;
            if start >= limit {
                later.push(span);
                continue;
            }
            if start > at {
                out.extend_from_slice(slice(at, start));
            }
            // A span that goes on where an earlier one was replaced belongs to it.
            if start > self.replaced_until || self.replaced_until == 0 {
                out.extend_from_slice(REDACTED.as_bytes());
            }
            self.reflections += u64::from(counts);
            self.replaced_until = self.replaced_until.max(end);
            at = at.max(end.min(limit));
        }
        self.spans = later;
        if at < limit {
            out.extend_from_slice(slice(at, limit));
        }
        out.freeze()
    }

    /// Looks at what is about to be handed on in every other way in which it may be written. The
    /// search crosses chunks, so a secret in any number of chunks is found with its last byte, or
    /// with the last byte of its first piece.
    fn check(&mut self, set: &NeedleSet, released: &[u8]) -> Result<(), ReflectionError> {
        let searched = self.search.push(set, released);
        searched.map_err(|refusal| self.refuse(refusal))
    }
}

impl<'n> Scrubber<'n> {
    /// Begins a text. `is_text`: a hit can be replaced without breaking what the bytes mean.
    #[must_use]
    pub fn new(set: &'n NeedleSet, is_text: bool) -> Self {
        Self {
            set,
            state: ScrubState::new(set, is_text),
        }
    }

    /// Takes a chunk and hands on what is certain.
    ///
    /// # Errors
    /// The text may not be handed on; every later call says so too.
    pub fn push(&mut self, chunk: Bytes) -> Result<Bytes, ReflectionError> {
        self.state.push(self.set, chunk)
    }

    /// The text ended: hands on the rest.
    ///
    /// # Errors
    /// As [`Scrubber::push`].
    pub fn finish(&mut self) -> Result<Bytes, ReflectionError> {
        self.state.finish(self.set)
    }

    /// How often the credential was found so far.
    #[must_use]
    pub fn reflections(&self) -> u64 {
        self.state.reflections()
    }
}

/// A whole text. The count is of what was found, whether it could be replaced or not.
pub(crate) fn scrub_whole(
    set: &NeedleSet,
    text: Bytes,
    is_text: bool,
) -> (Result<Bytes, ReflectionError>, u64) {
    if set.is_empty() {
        return (Ok(text), 0);
    }
    let mut state = ScrubState::new(set, is_text);
    let result = state.push(set, text).and_then(|head| {
        let tail = state.finish(set)?;
        if tail.is_empty() {
            return Ok(head);
        }
        let mut joined = BytesMut::from(head);
        joined.extend_from_slice(&tail);
        Ok(joined.freeze())
    });
    (result, state.reflections())
}

/// A header value: scrubbed, or `None` where it has to be dropped. With it, how often the secret
/// was found.
pub(crate) fn scrub_value(needles: &Needles, value: &[u8]) -> (Option<Bytes>, u64) {
    if needles.is_short_attached(value) {
        return (None, 0);
    }
    let (scrubbed, reflections) = scrub_whole(&needles.secret, Bytes::copy_from_slice(value), true);
    let scrubbed = scrubbed.and_then(|value| scrub_whole(&needles.attached, value, true).0);
    (scrubbed.ok(), reflections)
}
