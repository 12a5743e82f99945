//! `cargo xtask bench`: criterion for wall time, instruction counts as the gate of CI.
//!
//! Wall time on a shared machine differs by a third from run to run; the count of instructions by less than a percent.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use crate::steps::Outcome;
use crate::workspace::{is_installed, run_cargo, target};

/// The recorded counts.
const RECORD: &str = "xtask/instructions.json";

/// A program is measured at two lengths; the difference is free of what it does at start.
const LENGTHS: [u64; 2] = [20, 120];

/// One recorded count. The program is an example of a crate; its one argument is how many times it does its thing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Measure {
    name: String,
    package: String,
    example: String,
    /// Instructions each time.
    instructions: u64,
    /// How much more is accepted, as a fraction.
    tolerance: f64,
}

/// Runs the benches, or with `gate` the comparison.
///
/// # Errors
/// A bench does not run, or a count has grown.
pub(crate) fn run(root: &Path, gate: bool, arguments: &[String]) -> anyhow::Result<()> {
    if gate {
        let outcome = gate_step(root)?;
        if !outcome.note.is_empty() {
            println!("{}", outcome.note);
        }
        return Ok(());
    }
    crate::guests::build(root)?;
    let mut all = vec!["bench", "--workspace", "--locked"];
    if !arguments.is_empty() {
        all.push("--");
        all.extend(arguments.iter().map(String::as_str));
    }
    run_cargo(root, &all)
}

/// Compares every recorded count; skipped where nothing is recorded or valgrind is not installed.
///
/// # Errors
/// A program does not run, or a count has grown beyond its tolerance.
pub(crate) fn gate_step(root: &Path) -> anyhow::Result<Outcome> {
    let path = root.join(RECORD);
    if !path.exists() {
        return Ok(Outcome::skipped(format!("no counts are recorded in {RECORD}")));
    }
    if !is_installed("valgrind", &["--version"]) {
        return Ok(Outcome::skipped("valgrind is not installed"));
    }
    let measures: Vec<Measure> =
        serde_json::from_slice(&std::fs::read(&path)?).with_context(|| format!("{RECORD} does not read"))?;
    let mut grown = Vec::new();
    for measure in &measures {
        let counted = count(root, measure)?;
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let ratio = counted as f64 / measure.instructions.max(1) as f64;
        println!(
            "{:<28} {counted:>12} instructions, {ratio:.3} of the recorded {}",
            measure.name, measure.instructions
        );
        if ratio > 1.0 + measure.tolerance {
            grown.push(measure.name.as_str());
        }
    }
    ensure!(
        grown.is_empty(),
        "instruction counts have grown: {}; find out why, or record the new ones in {RECORD}",
        grown.join(", ")
    );
    Ok(Outcome {
        passed: measures.len(),
        failed: 0,
        note: String::new(),
    })
}

fn count(root: &Path, measure: &Measure) -> anyhow::Result<u64> {
    let (package, example) = (measure.package.as_str(), measure.example.as_str());
    run_cargo(
        root,
        &[
            "build",
            "--release",
            "--locked",
            "-p",
            package,
            "--example",
            example,
        ],
    )?;
    let program = target(root).join("release").join("examples").join(example);
    let [short, long] = LENGTHS;
    let instructions = collected(&program, long)?.saturating_sub(collected(&program, short)?);
    Ok(instructions / (long - short))
}

/// What callgrind says: `Collected : N`.
fn collected(program: &Path, times: u64) -> anyhow::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .arg(times.to_string())
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .context("valgrind cannot be run")?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!(
            "{} failed under valgrind: {}",
            program.display(),
            text.lines().last().unwrap_or_default()
        );
    }
    let line = text
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .context("callgrind said no count")?;
    Ok(line.1.trim().replace(',', "").parse()?)
}
