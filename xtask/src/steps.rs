//! Steps one after the other, each with its time, all with one verdict.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How often a bounded program is looked at.
const POLL: Duration = Duration::from_millis(100);

/// How one step ended.
pub(crate) struct StepOutcome {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// What is to be known beside the numbers.
    pub(crate) note: String,
}

impl StepOutcome {
    pub(crate) fn passed() -> Self {
        Self {
            passed: 1,
            failed: 0,
            note: String::new(),
        }
    }

    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Self {
            passed: 0,
            failed: 0,
            note: format!("skipped: {}", why.into()),
        }
    }
}

struct StepRow {
    name: &'static str,
    outcome: StepOutcome,
    took: Duration,
}

/// All steps of a run.
#[derive(Default)]
pub(crate) struct Steps(Vec<StepRow>);

impl Steps {
    /// Runs one step. The others run whatever becomes of it, so that one run tells everything.
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> anyhow::Result<StepOutcome>,
    ) {
        println!("\n== {name}");
        let started = Instant::now();
        let outcome = step().unwrap_or_else(|error| {
            println!("{name}: {error:#}");
            StepOutcome {
                passed: 0,
                failed: 1,
                note: format!("{error:#}")
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
            }
        });
        self.0.push(StepRow {
            name,
            outcome,
            took: started.elapsed(),
        });
    }

    /// The table, and as the last line `N passed, N failed`.
    ///
    /// # Errors
    /// Something failed.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        println!(
            "\n{:<14} {:>8} {:>8} {:>9}",
            "step", "passed", "failed", "seconds"
        );
        for StepRow {
            name,
            outcome,
            took,
        } in &self.0
        {
            let StepOutcome {
                passed,
                failed,
                note,
            } = outcome;
            println!(
                "{name:<14} {passed:>8} {failed:>8} {:>9.1}  {note}",
                took.as_secs_f64()
            );
        }
        let whole: f64 = self.0.iter().map(|row| row.took.as_secs_f64()).sum();
        println!("{:<14} {:>8} {:>8} {whole:>9.1}", "all", "", "");
        let passed: usize = self.0.iter().map(|row| row.outcome.passed).sum();
        let failed: usize = self.0.iter().map(|row| row.outcome.failed).sum();
        println!("{passed} passed, {failed} failed");
        std::io::stdout().flush()?;
        if failed > 0 {
            bail!("{failed} failed");
        }
        Ok(())
    }
}

/// Runs a test runner, passes its output on, and counts what its closing lines say: `N passed` and
/// `N failed` of nextest's summary or of each `test result:` of cargo's own. Those that failed are
/// named in the note.
///
/// # Errors
/// It cannot be run, or fails without having counted a failure (it did not build, say).
pub(crate) fn count_tests(command: &mut Command) -> anyhow::Result<StepOutcome> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot be run")?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let read = |from: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || from.map(pass_on).unwrap_or_default())
    };
    let out = read(stdout.map(|out| Box::new(out) as Box<dyn Read + Send>));
    let err = read(stderr.map(|err| Box::new(err) as Box<dyn Read + Send>));
    let mut all = Counts::default();
    for counts in [out.join(), err.join()] {
        let counts = counts.map_err(|_| anyhow::anyhow!("the reader of its output failed"))?;
        all.passed += counts.passed;
        all.failed += counts.failed;
        all.names.extend(counts.names);
    }
    let Counts {
        passed,
        failed,
        names,
    } = all;
    let status = child.wait()?;
    if !status.success() && failed == 0 {
        bail!("it failed before or beside its tests ({status})");
    }
    Ok(StepOutcome {
        passed,
        failed,
        note: names.into_iter().collect::<Vec<_>>().join(", "),
    })
}

#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    /// A runner may name a failure twice: as it happens and at its end.
    names: BTreeSet<String>,
}

fn pass_on(from: Box<dyn Read + Send>) -> Counts {
    let mut counts = Counts::default();
    for line in BufReader::new(from).lines().map_while(Result::ok) {
        println!("{line}");
        if line.contains("tests run:")
            || line.contains("test run:")
            || line.starts_with("test result:")
        {
            counts.passed += number_before(&line, " passed");
            counts.failed += number_before(&line, " failed") + number_before(&line, " timed out");
        }
        counts.names.extend(failed_test(&line));
    }
    counts
}

/// The test of a line that says it failed: `FAIL [   0.1s] (3/9) SUITE TEST` and its like of
/// nextest, `test NAME ... FAILED`.
fn failed_test(line: &str) -> Option<String> {
    // Within nextest's report of a failure the test's own runner says it too, indented.
    if let Some(name) = line
        .strip_prefix("test ")
        .and_then(|rest| rest.strip_suffix(" ... FAILED"))
    {
        return Some(name.to_owned());
    }
    let line = line.trim();
    let how = line.split_whitespace().next()?;
    if !["FAIL", "TIMEOUT", "SIGABRT", "SIGSEGV", "ABORT"].contains(&how) {
        return None;
    }
    let (_, name) = line.split_once(']')?;
    let name = name.trim();
    Some(
        name.split_once(')')
            .map_or(name, |(_, name)| name)
            .trim()
            .to_owned(),
    )
}

fn number_before(line: &str, word: &str) -> usize {
    let Some((before, _)) = line.split_once(word) else {
        return 0;
    };
    let digits = before
        .rsplit(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap_or_default();
    digits.parse().unwrap_or_default()
}

/// Runs a program for at most `most`; `None` where it took longer and was ended.
///
/// # Errors
/// It cannot be run.
pub(crate) fn bounded(command: &mut Command, most: Duration) -> anyhow::Result<Option<ExitStatus>> {
    let mut child: Child = command.spawn().context("cannot be run")?;
    let end = Instant::now() + most;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::{failed_test, number_before};

    #[test]
    fn a_failed_test_of_either_runner_is_named() {
        for (line, name) in [
            (
                "        FAIL [   0.012s] (  3/120) toolhost-tests::demo it_runs",
                Some("toolhost-tests::demo it_runs"),
            ),
            (
                "     TIMEOUT [  60.012s] toolhost-tests::demo it_runs",
                Some("toolhost-tests::demo it_runs"),
            ),
            ("test it_runs ... FAILED", Some("it_runs")),
            (
                "        PASS [   0.012s] (  3/120) toolhost-tests::demo it_runs",
                None,
            ),
            ("FAIL: words of a program", None),
            ("    test it_runs ... FAILED", None),
        ] {
            assert_eq!(failed_test(line).as_deref(), name, "{line}");
        }
    }

    #[test]
    fn the_closing_lines_of_both_runners_are_counted() {
        let nextest =
            "     Summary [   1.234s] 42 tests run: 40 passed (1 slow), 2 failed, 3 skipped";
        assert_eq!(
            (
                number_before(nextest, " passed"),
                number_before(nextest, " failed")
            ),
            (40, 2)
        );
        let cargo = "test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(
            (
                number_before(cargo, " passed"),
                number_before(cargo, " failed")
            ),
            (7, 0)
        );
    }
}
