/// Where a tenant is among the others, so that who is below whom is two comparisons and no walk.
///
/// All tenants stand in one row, each before those below it and those right after it: what is below
/// a tenant is what lies within its part of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TreePosition {
    /// It and all above it are active.
    pub(crate) is_available: bool,
    first: usize,
    /// Of the last one below it.
    last: usize,
    /// How many of its part are available, itself included.
    pub(crate) served: usize,
}

impl TreePosition {
    /// Of what is not there: within nothing, and with nothing in it.
    pub(crate) const NOWHERE: Self = Self {
        is_available: false,
        first: usize::MAX,
        last: 0,
        served: 0,
    };

    /// Whether the other is this one or below it.
    pub(crate) fn contains(&self, other: &Self) -> bool {
        self.first <= other.first && other.first <= self.last
    }

    /// Whether the other is this one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.first == other.first
    }
}

/// The places of tenants, by the places of their parents in the same order. There must be no cycle
/// in it.
pub(crate) fn places(parents: &[Option<usize>], available: &[bool]) -> Vec<TreePosition> {
    let mut below: Vec<Vec<usize>> = vec![vec![]; parents.len()];
    let mut begun: Vec<(usize, bool)> = Vec::new();
    for (at, parent) in parents.iter().enumerate() {
        match parent.and_then(|parent| below.get_mut(parent)) {
            Some(siblings) => siblings.push(at),
            None => begun.push((at, false)),
        }
    }
    let mut places = vec![TreePosition::NOWHERE; parents.len()];
    let (mut next, mut served) = (0, 0);
    while let Some((at, is_over)) = begun.pop() {
        let Some(place) = places.get_mut(at) else {
            continue;
        };
        if is_over {
            place.last = next - 1;
            place.served = served - place.served;
            continue;
        }
        place.first = next;
        place.is_available = available.get(at).copied().unwrap_or(false);
        // Until its part ends: how many there were before it.
        place.served = served;
        next += 1;
        served += usize::from(place.is_available);
        begun.push((at, true));
        begun.extend(
            below
                .get(at)
                .into_iter()
                .flatten()
                .map(|below| (*below, false)),
        );
    }
    places
}
