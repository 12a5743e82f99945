//! Samples, their medians, and tables of them with what is aimed at.

use std::fmt;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;

/// One thing that is measured: a name, and what is done once.
pub struct Case<'a> {
    name: &'static str,
    once: Box<dyn FnMut() -> BoxFuture<'a, ()> + 'a>,
    samples: Vec<Duration>,
}

impl<'a> Case<'a> {
    pub fn new<F>(name: &'static str, mut once: impl FnMut() -> F + 'a) -> Self
    where
        F: Future<Output = ()> + Send + 'a,
    {
        Self {
            name,
            once: Box::new(move || Box::pin(once())),
            samples: Vec::new(),
        }
    }
}

/// Measures all cases in turns: `rounds` times each of them `times` times.
pub async fn in_turns(cases: &mut [Case<'_>], rounds: usize, times: usize) {
    for case in cases.iter_mut() {
        for _ in 0..times {
            (case.once)().await;
        }
    }
    for _ in 0..rounds {
        for case in cases.iter_mut() {
            for _ in 0..times {
                let started = Instant::now();
                (case.once)().await;
                case.samples.push(started.elapsed());
            }
        }
    }
}

/// The value below which `fraction` of the samples lie.
pub fn quantile(samples: &[Duration], fraction: f64) -> Duration {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place within the samples"
    )]
    let at = ((sorted.len() - 1) as f64 * fraction) as usize;
    sorted[at]
}

pub fn median(samples: &[Duration]) -> Duration {
    quantile(samples, 0.5)
}

pub fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Bounds that the project set itself.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

#[derive(Debug)]
struct Row {
    name: String,
    cells: Vec<String>,
    /// What is aimed at, and what it came to.
    target: Option<(Target, f64)>,
}

/// What a section found.
#[derive(Debug)]
pub struct Table {
    title: String,
    columns: Vec<&'static str>,
    rows: Vec<Row>,
}

impl Table {
    pub fn new(title: impl Into<String>, columns: &[&'static str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// A row without a target.
    pub fn row(&mut self, name: impl Into<String>, cells: Vec<String>) {
        self.rows.push(Row {
            name: name.into(),
            cells,
            target: None,
        });
    }

    /// A row whose `value` is judged.
    pub fn judged(
        &mut self,
        name: impl Into<String>,
        cells: Vec<String>,
        target: Target,
        value: f64,
    ) {
        self.rows.push(Row {
            name: name.into(),
            cells,
            target: Some((target, value)),
        });
    }

    /// Median, 99th percentile and the ratio of the median to a base.
    pub fn cells_of(case: &Case<'_>, base: Duration) -> (Vec<String>, f64) {
        let middle = median(&case.samples);
        let ratio = middle.as_secs_f64() / base.as_secs_f64();
        let cells = vec![
            format!("{:.1}", micros(middle)),
            format!("{:.1}", micros(quantile(&case.samples, 0.99))),
            format!("{ratio:.2}"),
        ];
        (cells, ratio)
    }

    /// The rows whose target is missed.
    pub fn missed(&self) -> Vec<String> {
        let missed = |row: &&Row| {
            row.target
                .is_some_and(|(target, value)| !target.is_met(value))
        };
        self.rows
            .iter()
            .filter(missed)
            .map(|row| format!("{}: {}", self.title, row.name))
            .collect()
    }
}

impl<'a> Case<'a> {
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn median(&self) -> Duration {
        median(&self.samples)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n## {}\n", self.title)?;
        write!(f, "{:<58}", "")?;
        for column in &self.columns {
            write!(f, " {column:>12}")?;
        }
        writeln!(f, "  target")?;
        for row in &self.rows {
            write!(f, "{:<58}", row.name)?;
            for cell in &row.cells {
                write!(f, " {cell:>12}")?;
            }
            for _ in row.cells.len()..self.columns.len() {
                write!(f, " {:>12}", "")?;
            }
            match row.target {
                None => writeln!(f)?,
                Some((target, value)) => {
                    let (word, bound) = match target {
                        Target::AtMost(most) => ("<=", most),
                        Target::AtLeast(least) => (">=", least),
                    };
                    let verdict = if target.is_met(value) {
                        "met"
                    } else {
                        "MISSED"
                    };
                    writeln!(f, "  {value:.2} {word} {bound} {verdict}")?;
                }
            }
        }
        Ok(())
    }
}

/// CPU that this process has used, of user and system, to the nearest 10 ms.
pub fn cpu_time() -> Duration {
    cpu_in("/proc/self/stat")
}

/// The same without the thread that asks.
pub fn cpu_of_others() -> Duration {
    // Two files, between which a tick may pass.
    cpu_time().saturating_sub(cpu_in("/proc/thread-self/stat"))
}

fn cpu_in(path: &str) -> Duration {
    let text = std::fs::read_to_string(path).unwrap();
    // The second field may hold anything in parentheses; times are the 14th and 15th, in ticks of
    // 10 ms.
    let fields: Vec<&str> = text
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}
