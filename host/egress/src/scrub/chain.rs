use aho_corasick::automaton::StateID;

use super::NeedleSet;
use super::decode_budget::{DecodeBudget, WithholdReason};
use super::normalise::{MAX_PASSES, Normaliser};

/// Normalises a text until a pass changes nothing, and searches what each pass gives.
///
/// A pass begins once the one before it has decoded something: until then both would give the same.
#[derive(Debug)]
pub(super) struct NormaliserChain {
    /// The passes that have begun; the first is there from the start.
    passes: Vec<Pass>,
    has_seen_tags: bool,
}

#[derive(Debug)]
struct Pass {
    normaliser: Normaliser,
    /// Of the search in what this pass gives.
    state: StateID,
}

impl NormaliserChain {
    /// Begins where a search is in this state.
    pub(super) fn new(state: StateID, normaliser: Normaliser) -> Self {
        Self {
            passes: vec![Pass { normaliser, state }],
            has_seen_tags: false,
        }
    }

    /// Whether it has left out characters that [`Normaliser::of_tags`] reads.
    pub(super) fn has_seen_tags(&self) -> bool {
        self.has_seen_tags
    }

    /// Of the search at the end of what the last pass has given.
    pub(super) fn state(&self) -> Option<StateID> {
        self.passes.last().map(|pass| pass.state)
    }

    /// Takes the next bytes of a text, or its end, and returns what the last pass gives of them.
    pub(super) fn push(
        &mut self,
        set: &NeedleSet,
        text: &[u8],
        is_end: bool,
        work: &mut DecodeBudget,
    ) -> Result<Vec<u8>, WithholdReason> {
        let mut current = text.to_vec();
        // What the search before has entered with and ended with, where its text was the same.
        let mut known: Option<(StateID, StateID)> = None;
        let mut at = 0;
        while let Some(pass) = self.passes.get_mut(at) {
            work.take(current.len())?;
            let entered = pass.state;
            let was_at_rest = pass.normaliser.is_at_rest();
            let mut out = Vec::with_capacity(current.len());
            let mut emit = |byte| out.push(byte);
            for byte in &current {
                pass.normaliser.push(*byte, &mut emit);
            }
            if is_end {
                pass.normaliser.finish(&mut emit);
            }
            let has_decoded = pass.normaliser.take_decoded();
            self.has_seen_tags |= pass.normaliser.take_seen_tags();
            let normaliser = pass.normaliser.next();
            let is_same = at > 0 && !has_decoded && was_at_rest && pass.normaliser.is_at_rest();
            pass.state = match known.filter(|(before, _)| is_same && *before == entered) {
                Some((_, after)) => after,
                None => search(set, entered, &out)?,
            };
            known = Some((entered, pass.state));
            current = out;
            at += 1;
            if has_decoded && at == self.passes.len() {
                if at == MAX_PASSES {
                    return Err(WithholdReason::Unsettled);
                }
                self.passes.push(Pass {
                    normaliser,
                    state: entered,
                });
            }
        }
        Ok(current)
    }
}

/// Steps the search over a normalised text.
///
/// # Errors
/// A needle is in it.
pub(super) fn search(
    set: &NeedleSet,
    mut state: StateID,
    text: &[u8],
) -> Result<StateID, WithholdReason> {
    let (matcher, gaps) = (&set.folded, set.gaps);
    for byte in text {
        if !gaps.has(*byte) {
            state = matcher.step(state, *byte);
            if matcher.is_match(state) {
                return Err(WithholdReason::Found);
            }
        }
    }
    Ok(state)
}
