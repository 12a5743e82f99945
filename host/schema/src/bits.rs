/// Which children of one value were evaluated: members of an object by their place in it, or items
/// of an array.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct EvaluatedChildren {
    is_all: bool,
    words: Vec<u64>,
}

impl EvaluatedChildren {
    pub(crate) fn set_all(&mut self) {
        self.is_all = true;
        self.words = Vec::new();
    }

    pub(crate) fn set(&mut self, at: usize) {
        if self.is_all {
            return;
        }
        let word = at / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word |= 1 << (at % 64);
        }
    }

    pub(crate) fn has(&self, at: usize) -> bool {
        self.is_all
            || self
                .words
                .get(at / 64)
                .is_some_and(|word| word & (1 << (at % 64)) != 0)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        if other.is_all {
            self.set_all();
        }
        if self.is_all {
            return;
        }
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (own, more) in self.words.iter_mut().zip(&other.words) {
            *own |= more;
        }
    }

    /// Words of memory.
    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }
}
