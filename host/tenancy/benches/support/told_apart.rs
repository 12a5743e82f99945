//! How often two things can be told apart by how long each takes.

/// How often each is looked at.
pub(crate) const ROUNDS: usize = 40_000;

/// What many looks at two things came to.
#[derive(Debug)]
pub(crate) struct Told {
    /// In nanoseconds.
    pub(crate) medians: [f64; 2],
    /// How often a single look at both would guess right: 0.5 is a coin (from Mann and Whitney's
    /// U).
    pub(crate) guessed: f64,
    /// Welch's t.
    pub(crate) t: f64,
}

/// Which of the two comes first in a round, by a small generator of its own.
pub(crate) fn order(round: usize) -> [usize; 2] {
    let mixed = (round as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63;
    if mixed == 0 { [0, 1] } else { [1, 0] }
}

/// What the times say, in nanoseconds and in the order in which they were taken.
pub(crate) fn told(mut times: [Vec<f64>; 2]) -> Told {
    // The first tenth warms caches, the slowest hundredth is the machine's.
    for times in &mut times {
        times.drain(..times.len() / 10);
        times.sort_by(f64::total_cmp);
        times.truncate(times.len() * 99 / 100);
    }
    let middle = |times: &Vec<f64>| times.get(times.len() / 2).copied().unwrap_or_default();
    let mean = |times: &[f64]| times.iter().sum::<f64>() / times.len() as f64;
    let spread = |times: &[f64]| {
        let mean = mean(times);
        let squares = times.iter().map(|time| (time - mean).powi(2));
        squares.sum::<f64>() / (times.len() - 1) as f64 / times.len() as f64
    };
    let [a, b] = &times;
    Told {
        medians: times.each_ref().map(middle),
        guessed: guessed(a, b),
        t: (mean(a) - mean(b)) / (spread(a) + spread(b)).sqrt(),
    }
}

/// How often the slower of one look at each is the one that is slower as a rule. Both are sorted.
fn guessed(a: &[f64], b: &[f64]) -> f64 {
    let (mut below, mut equal, mut wins) = (0, 0, 0.0);
    for time in a {
        while b.get(below).is_some_and(|other| other < time) {
            below += 1;
        }
        equal = equal.max(below);
        while b.get(equal).is_some_and(|other| other == time) {
            equal += 1;
        }
        wins += below as f64 + (equal - below) as f64 / 2.0;
    }
    let share = wins / (a.len() * b.len()) as f64;
    share.max(1.0 - share)
}
