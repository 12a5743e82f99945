use aho_corasick::automaton::StateID;

use super::NeedleSet;
use super::chain::{NormaliserChain, search};
use super::decode_budget::{DecodeBudget, WithholdReason};
use super::markup::Markup;
use super::normalise::Normaliser;
use super::numbers::Numbers;
use super::radix::{Alphabet, Radix};
use super::runs::Runs;

/// Searches one text in every way in which it may be written, given whole or in chunks.
#[derive(Debug)]
pub(super) struct TextSearch {
    layer: Layer,
    work: DecodeBudget,
}

impl TextSearch {
    pub(super) fn new(set: &NeedleSet) -> Self {
        Self {
            layer: Layer::new(set, 0),
            work: DecodeBudget::default(),
        }
    }

    /// # Errors
    /// The text is withheld.
    pub(super) fn push(&mut self, set: &NeedleSet, text: &[u8]) -> Result<(), WithholdReason> {
        self.work.add(text.len());
        self.layer.push(set, text, false, &mut self.work)
    }

    /// The text ended.
    ///
    /// # Errors
    /// As [`TextSearch::push`].
    pub(super) fn finish(&mut self, set: &NeedleSet) -> Result<(), WithholdReason> {
        self.layer.push(set, &[], true, &mut self.work)
    }
}

/// One text, and what it holds when it is read as something else.
#[derive(Debug)]
pub(super) struct Layer {
    chain: NormaliserChain,
    numbers: Numbers,
    markup: Option<(Markup, StateID)>,
    quoted_printable: Option<NormaliserChain>,
    tags: Option<NormaliserChain>,
    runs: Runs,
    radixes: [Radix; 4],
}

impl Layer {
    pub(super) fn new(set: &NeedleSet, depth: u8) -> Self {
        Self {
            chain: NormaliserChain::new(set.folded.start(), Normaliser::default()),
            numbers: Numbers::new(set),
            markup: None,
            quoted_printable: None,
            tags: None,
            runs: Runs::default(),
            radixes: Alphabet::ALL.map(|alphabet| Radix::new(alphabet, depth)),
        }
    }

    /// Takes the next bytes, or the end.
    ///
    /// # Errors
    /// The text is withheld.
    pub(super) fn push(
        &mut self,
        set: &NeedleSet,
        text: &[u8],
        is_end: bool,
        work: &mut DecodeBudget,
    ) -> Result<(), WithholdReason> {
        self.numbers.push(set, text, is_end)?;
        // Where what reads the settled text in another way begins.
        let before = self.chain.state().unwrap_or_else(|| set.folded.start());
        let settled = self.chain.push(set, text, is_end, work)?;
        if self.tags.is_none() && self.chain.has_seen_tags() {
            self.tags = Some(NormaliserChain::new(before, Normaliser::of_tags()));
        }
        if let Some(chain) = &mut self.tags {
            chain.push(set, text, is_end, work)?;
        }
        if self.markup.is_none() && settled.contains(&b'<') {
            self.markup = Some((Markup::default(), before));
        }
        if let Some((markup, state)) = &mut self.markup {
            work.take(settled.len())?;
            *state = search(set, *state, &markup.without_tags(&settled))?;
        }
        if self.quoted_printable.is_none() && has_quoted(&settled) {
            self.quoted_printable = Some(NormaliserChain::new(
                before,
                Normaliser::of_quoted_printable(),
            ));
        }
        if let Some(chain) = &mut self.quoted_printable {
            chain.push(set, &settled, is_end, work)?;
        }
        let found = self.runs.find(&settled);
        for (radix, found) in self.radixes.iter_mut().zip(found) {
            if radix.is_active() {
                radix.push(set, &settled, is_end, work)?;
            } else if found {
                radix.push(set, &self.runs.with_tail(&settled), is_end, work)?;
            }
            if !radix.is_active() {
                radix.forget();
            }
        }
        self.runs.remember(&settled);
        Ok(())
    }
}

/// Whether there is `=41`, or what may become it with the next bytes.
fn has_quoted(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| *byte == b'=') {
        rest = rest.get(at + 1..).unwrap_or_default();
        if rest.iter().take(2).all(u8::is_ascii_hexdigit) {
            return true;
        }
    }
    false
}
