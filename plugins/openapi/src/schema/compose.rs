use super::write::quoted;
use super::{Fragment, Schemas, UnitState};
use crate::problem::Problem;

/// What a schema of a tool may come to: half of what the host takes, and far more than a model
/// should be given.
pub(crate) const MAX_SCHEMA: usize = 96 << 10;

/// The definitions that a schema needs, as the members of `$defs`.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    pub(crate) text: String,
    /// How many were too much, and accept anything now.
    pub(crate) open: usize,
}

impl Schemas<'_> {
    /// The definitions that `fragments` need, the nearest first, in at most `room` bytes: what does
    /// not fit stands there as a schema that accepts anything.
    ///
    /// # Errors
    /// One of them could not be converted, or leads back to itself.
    pub(crate) fn definitions(
        &mut self,
        fragments: &[&Fragment],
        room: usize,
    ) -> Result<Definitions, Problem> {
        let mut found = vec![false; self.units.len()];
        let mut order: Vec<usize> = Vec::new();
        let mut add = |needs: &[usize], order: &mut Vec<usize>| {
            for unit in needs {
                if let Some(found) = found.get_mut(*unit)
                    && !std::mem::replace(found, true)
                {
                    order.push(*unit);
                }
            }
        };
        let mut definitions = Definitions::default();
        for fragment in fragments {
            add(&fragment.needs, &mut order);
        }
        let mut next = 0;
        while let Some(unit) = order.get(next).and_then(|unit| self.units.get(*unit)) {
            next += 1;
            if let UnitState::Failed(problem) = &unit.state {
                return Err(problem.clone());
            }
            if !definitions.text.is_empty() {
                definitions.text.push(',');
            }
            definitions.text.push_str(&quoted(&unit.name));
            definitions.text.push(':');
            if definitions.text.len() + unit.fragment.text.len() > room {
                definitions.text.push_str("{}");
                definitions.open += 1;
                continue;
            }
            definitions.text.push_str(&unit.fragment.text);
            add(&unit.fragment.needs, &mut order);
        }
        self.check_circles(&order)?;
        Ok(definitions)
    }
}
