//! The gate: how many instructions our own part of a call takes, for each instruction of what it
//! stands on.
//!
//! callgrind counts alike on every machine of one kind, and kinds differ (a `memcpy` picks other
//! instructions), so it is ratios within one run that are recorded and compared. Each program runs
//! at two lengths; the difference is free of what it does at start.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::steps::StepOutcome;
use crate::workspace::{run_cargo, target};

/// The recorded ratios.
const RECORD: &str = "tests/benches/instructions.json";

/// The program that does one thing a given number of times.
const PROGRAM: &str = "instructions";

/// How often each thing is done before it counts, so that what is set up with the first is not
/// counted.
const BEFORE: u64 = 20;

/// One thing that is counted, what it is compared with, and how often both are done: so often that
/// neither a tick of the clock nor the making of a key at start, which takes what it takes, moves
/// the count by half a percent.
struct Pair {
    subject: &'static str,
    base: &'static str,
    times: u64,
}

const PAIRS: [Pair; 4] = [
    // A call in the sandbox, and the whole call path, against bare wasmtime with the same safety
    // settings.
    Pair {
        subject: "sandbox",
        base: "bare",
        times: 800,
    },
    Pair {
        subject: "tools",
        base: "bare",
        times: 800,
    },
    // A token that was seen before, against one hash of it.
    Pair {
        subject: "token",
        base: "hash",
        times: 5_000,
    },
    // The search for a credential in 64 KiB, against reading each byte once.
    Pair {
        subject: "scrub",
        base: "read",
        times: 50,
    },
];

/// What is recorded.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GateRecord {
    /// How far a ratio may lie from the recorded one, either way, as a fraction. An improvement is
    /// recorded too, or the next change for the worse would hide in it.
    tolerance: f64,
    /// `subject / base`, rounded to four digits.
    ratios: BTreeMap<String, f64>,
}

/// What to do with the ratios that were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GateMode {
    /// Compare them with the recorded ones.
    Check,
    /// Record them.
    Bless,
}

/// A step of `cargo xtask test`: skipped where valgrind is not there and cannot be installed.
///
/// # Errors
/// A program does not run, or a ratio is out of its band.
pub(crate) fn gate_step(root: &Path) -> anyhow::Result<StepOutcome> {
    if !root.join(RECORD).exists() {
        return Ok(StepOutcome::skipped(format!(
            "no ratios are recorded in {RECORD}"
        )));
    }
    if let Err(error) = crate::install::debian("valgrind") {
        return Ok(StepOutcome::skipped(format!("{error:#}")));
    }
    gate(root, GateMode::Check)?;
    Ok(StepOutcome {
        passed: PAIRS.len(),
        failed: 0,
        note: String::new(),
    })
}

/// Counts, and compares or records.
///
/// # Errors
/// valgrind cannot be installed, a program does not run, or a ratio is out of its band.
pub(crate) fn gate(root: &Path, verdict: GateMode) -> anyhow::Result<()> {
    crate::install::debian("valgrind")?;
    crate::guests::build(root)?;
    run_cargo(
        root,
        &[
            "build",
            "--release",
            "--workspace",
            "--locked",
            "--example",
            PROGRAM,
        ],
    )?;
    let program = target(root).join("release").join("examples").join(PROGRAM);
    // valgrind's processor has not all that this machine's has, and native code says what it needs:
    // what is loaded there is compiled there.
    let prepared = Command::new("valgrind")
        .args(["--tool=none", "--quiet"])
        .arg(&program)
        .arg("prepare")
        .env("RUST_BACKTRACE", "0")
        .status()?;
    ensure!(prepared.success(), "{PROGRAM} prepare failed ({prepared})");
    let counts = counts(&program)?;
    let path = root.join(RECORD);
    let recorded = match (std::fs::read(&path), verdict) {
        (Ok(text), _) => Some(
            serde_json::from_slice::<GateRecord>(&text)
                .with_context(|| format!("{RECORD} does not read"))?,
        ),
        (Err(_), GateMode::Bless) => None,
        (Err(error), GateMode::Check) => {
            bail!("{RECORD}: {error}; record the ratios with cargo xtask bench --gate --bless")
        }
    };
    let found = ratios(&counts)?;
    let moved = report(&counts, &found, recorded.as_ref());
    if verdict == GateMode::Bless {
        const TOLERANCE: f64 = 0.05;
        let tolerance = recorded.map_or(TOLERANCE, |record| record.tolerance);
        let record = GateRecord {
            tolerance,
            ratios: found,
        };
        let text = format!("{}\n", serde_json::to_string_pretty(&record)?);
        std::fs::write(&path, text).with_context(|| format!("cannot write {RECORD}"))?;
        println!("recorded in {RECORD}");
        return Ok(());
    }
    ensure!(
        moved.is_empty(),
        "instructions are out of their band: {}; find out why, or record the new ratios with cargo xtask bench --gate --bless",
        moved.join(", ")
    );
    Ok(())
}

/// The table; and the names of those ratios that are out of their band.
fn report(
    counts: &BTreeMap<&str, u64>,
    found: &BTreeMap<String, f64>,
    recorded: Option<&GateRecord>,
) -> Vec<String> {
    println!("\n{:<20} {:>14}", "subject", "instructions");
    for (subject, count) in counts {
        println!("{subject:<20} {count:>14}");
    }
    println!(
        "\n{:<20} {:>10} {:>10} {:>8}",
        "ratio", "found", "recorded", "moved"
    );
    let mut moved = Vec::new();
    for (name, ratio) in found {
        let known = recorded.and_then(|record| Some((record.ratios.get(name)?, record.tolerance)));
        let Some((known, tolerance)) = known else {
            println!(
                "{name:<20} {ratio:>10.4} {:>10} {:>8}  OUT: it is not recorded",
                "-", "-"
            );
            moved.push(name.clone());
            continue;
        };
        let by = ratio / known - 1.0;
        let is_within = by.abs() <= tolerance;
        let word = if is_within { "" } else { "  OUT" };
        println!(
            "{name:<20} {ratio:>10.4} {known:>10.4} {:>+7.1}%{word}",
            by * 100.0
        );
        if !is_within {
            moved.push(name.clone());
        }
    }
    moved
}

fn ratios(counts: &BTreeMap<&str, u64>) -> anyhow::Result<BTreeMap<String, f64>> {
    let count = |name: &str| {
        counts
            .get(name)
            .copied()
            .with_context(|| format!("{name} was not counted"))
    };
    let mut ratios = BTreeMap::new();
    for Pair { subject, base, .. } in PAIRS {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let ratio = count(subject)? as f64 / count(base)?.max(1) as f64;
        ratios.insert(format!("{subject} / {base}"), (ratio * 1e4).round() / 1e4);
    }
    Ok(ratios)
}

/// Instructions of doing each thing once. Programs run side by side: counts do not feel it.
fn counts(program: &Path) -> anyhow::Result<BTreeMap<&'static str, u64>> {
    let subjects: BTreeMap<&'static str, u64> = PAIRS
        .iter()
        .flat_map(|pair| [(pair.subject, pair.times), (pair.base, pair.times)])
        .collect();
    std::thread::scope(|scope| {
        let running: Vec<_> = subjects
            .into_iter()
            .map(|(subject, times)| {
                let once = move |times| collected(program, subject, times);
                let (short, long) = (
                    scope.spawn(move || once(BEFORE)),
                    scope.spawn(move || once(BEFORE + times)),
                );
                (subject, times, short, long)
            })
            .collect();
        running
            .into_iter()
            .map(|(subject, times, short_run, long_run)| {
                let join = |run: std::thread::ScopedJoinHandle<'_, anyhow::Result<u64>>| {
                    run.join()
                        .unwrap_or_else(|_| bail!("counting {subject} panicked"))
                };
                let (fewer, more) = (join(short_run)?, join(long_run)?);
                Ok((subject, more.saturating_sub(fewer) / times))
            })
            .collect()
    })
}

/// What callgrind says: `Collected : N`.
fn collected(program: &Path, subject: &str, times: u64) -> anyhow::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([subject, &times.to_string()])
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .context("valgrind cannot be run")?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{subject} failed under valgrind:\n{text}");
    }
    let line = text
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .context("callgrind said no count")?;
    Ok(line.1.trim().replace(',', "").parse()?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{GateRecord, report};

    #[test]
    fn a_ratio_that_moved_either_way_is_out_and_so_is_one_that_nobody_recorded() {
        let record = GateRecord {
            tolerance: 0.05,
            ratios: BTreeMap::from([
                ("a / b".into(), 1.0),
                ("c / d".into(), 1.0),
                ("e / f".into(), 1.0),
            ]),
        };
        let found = [
            ("a / b", 1.04),
            ("c / d", 1.06),
            ("e / f", 0.94),
            ("g / h", 1.0),
        ];
        let found = found.map(|(name, ratio)| (name.to_owned(), ratio)).into();
        assert_eq!(
            report(&BTreeMap::new(), &found, Some(&record)),
            ["c / d", "e / f", "g / h"]
        );
    }
}
