use super::Schemas;
use crate::problem::Problem;

impl Schemas<'_> {
    /// Refuses schemas that come back to themselves without having gone into the value:
    /// `a: {allOf: [a]}` means nothing, and a validator that takes it at its word never ends.
    pub(super) fn check_circles(&mut self, units: &[usize]) -> Result<(), Problem> {
        self.settled.resize(self.units.len(), false);
        let mut entered = vec![false; self.units.len()];
        for start in units {
            // A step is a unit and which of its references comes next; a stack of our own, for
            // chains may be long.
            let mut path = vec![(*start, 0)];
            while let Some((unit, next)) = path.last_mut() {
                let unit = *unit;
                if *next == 0 {
                    if is(&self.settled, unit) {
                        path.pop();
                        continue;
                    }
                    set(&mut entered, unit);
                }
                let followed = self
                    .units
                    .get(unit)
                    .and_then(|unit| unit.fragment.same.get(*next));
                *next += 1;
                match followed {
                    Some(other) if is(&self.settled, *other) => {}
                    Some(other) if is(&entered, *other) => {
                        let name = self.units.get(*other).map_or("", |unit| &unit.name);
                        return Err(Problem::Reference(format!(
                            "to {name:?} leads back to itself"
                        )));
                    }
                    Some(other) => path.push((*other, 0)),
                    None => {
                        set(&mut self.settled, unit);
                        path.pop();
                    }
                }
            }
        }
        Ok(())
    }
}

fn is(marks: &[bool], unit: usize) -> bool {
    marks.get(unit).copied().unwrap_or_default()
}

fn set(marks: &mut [bool], unit: usize) {
    if let Some(mark) = marks.get_mut(unit) {
        *mark = true;
    }
}
