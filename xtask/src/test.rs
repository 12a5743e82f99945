//! `cargo xtask test`: everything that CI checks, in the order in which it tells most soonest.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{bail, ensure};

use crate::example::{self, Example};
use crate::steps::{StepOutcome, Steps, bounded, count_tests};
use crate::workspace::{build_programs, cargo, is_installed, run_cargo, target};
use crate::{bench, clients, documents, fuzz, guests, install};

/// The workspaces beside ours: each has its own lock file and profile.
const OTHERS: [&str; 9] = [
    "sdk/rust",
    "plugins/billing",
    "plugins/mcp",
    "plugins/openapi",
    "plugins/segments",
    "examples/nevent/plugin",
    "examples/tenant-billing/plugin",
    "tests/guests",
    "fuzz",
];

/// Those of them whose tests run on this machine, without WebAssembly.
const NATIVE: [&str; 7] = [
    "sdk/rust",
    "plugins/billing",
    "plugins/mcp",
    "plugins/openapi",
    "plugins/segments",
    "examples/nevent/plugin",
    "examples/tenant-billing/plugin",
];

/// The suite among them that reads published documents.
const DOCUMENTS: (&str, &str) = ("plugins/openapi", "real_documents");

/// Cases of each property with `--full`; proptest's own default is 256.
const FULL_CASES: &str = "100000";

/// Hosts and stores that are killed in mid-write with `--full`; 30 without.
const FULL_CRASHES: &str = "1000";

/// The suites that count them so.
const FULL_ROUNDS: [&str; 2] = ["STORE_CRASH_ROUNDS", "AUDIT_CRASH_ROUNDS"];

/// Enough to meet what the last change broke; a night finds more.
const FUZZ_SECONDS: u32 = 45;

/// Tests that run at once, for each CPU: most of them wait for programs that they have started.
const TESTS_AT_ONCE: usize = 2;

/// Where there is no way to the database, it is known after this.
const ADVISORIES: Duration = Duration::from_secs(90);

/// Runs every step and prints the summary.
///
/// # Errors
/// A step failed.
pub(crate) fn run(root: &Path, full: bool) -> anyhow::Result<()> {
    let mut steps = Steps::default();
    steps.run("tools", || {
        install::missing(root).map(|()| StepOutcome {
            passed: 0,
            ..StepOutcome::passed()
        })
    });
    steps.run("fmt", || fmt(root));
    steps.run("clients", || {
        clients::install(root).map(|()| StepOutcome {
            passed: 0,
            ..StepOutcome::passed()
        })
    });
    steps.run("guests", || {
        guests::build(root).map(|()| StepOutcome::passed())
    });
    steps.run("clippy", || clippy(root));
    // The end-to-end tests start these.
    steps.run("build", || {
        build_programs(
            root,
            &[
                "host",
                "xtask",
                "billing-upstream",
                "nevent-upstream",
                "tenant-billing-upstream",
                "play-billing",
                "play-nevent",
                "play-tenant-billing",
                "play-cluster",
            ],
        )?;
        Ok(StepOutcome::passed())
    });
    steps.run("tests", || nextest(root, full));
    steps.run("doc tests", || {
        count_tests(cargo(root).args(["test", "--workspace", "--doc", "--locked", "--quiet"]))
    });
    steps.run("native guests", || native(root));
    steps.run("deny", || deny(root));
    steps.run("advisories", || advisories(root));
    steps.run("docs", || docs(root));
    steps.run("fuzz", || {
        fuzz::run(root, FUZZ_SECONDS).map(|()| StepOutcome::passed())
    });
    steps.run("demo", || {
        example::run(root, Example::Billing, false, None).map(|()| StepOutcome::passed())
    });
    steps.run("gate", || bench::gate_step(root));
    steps.finish()
}

fn fmt(root: &Path) -> anyhow::Result<StepOutcome> {
    run_cargo(root, &["fmt", "--all", "--check"])?;
    for tree in existing(root, &OTHERS) {
        run_cargo(&root.join(tree), &["fmt", "--all", "--check"])?;
    }
    Ok(StepOutcome::passed())
}

fn clippy(root: &Path) -> anyhow::Result<StepOutcome> {
    run_cargo(
        root,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ],
    )?;
    for tree in existing(root, &NATIVE) {
        let mut command = cargo(&root.join(tree));
        command.args([
            "clippy",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ]);
        command.env("CARGO_TARGET_DIR", target(root).join("guests-native"));
        ensure!(
            command.status()?.success(),
            "clippy found something in {tree}"
        );
    }
    Ok(StepOutcome::passed())
}

fn nextest(root: &Path, full: bool) -> anyhow::Result<StepOutcome> {
    let mut command = cargo(root);
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    command
        .args([
            "nextest",
            "run",
            "--workspace",
            "--locked",
            "--no-fail-fast",
        ])
        .arg(format!("--test-threads={}", cpus * TESTS_AT_ONCE));
    if full {
        command
            .args(["--profile", "full"])
            .env("PROPTEST_CASES", FULL_CASES);
        for variable in FULL_ROUNDS {
            command.env(variable, FULL_CRASHES);
        }
    }
    count_tests(&mut command)
}

fn native(root: &Path) -> anyhow::Result<StepOutcome> {
    let mut all = StepOutcome {
        passed: 0,
        failed: 0,
        note: String::new(),
    };
    for tree in existing(root, &NATIVE) {
        let mut command = cargo(&root.join(tree));
        command
            .args(["test", "--locked", "--quiet"])
            .env("CARGO_TARGET_DIR", target(root).join("guests-native"));
        let counted = count_tests(&mut command)?;
        all.passed += counted.passed;
        all.failed += counted.failed;
    }
    let (tree, suite) = DOCUMENTS;
    let mut command = cargo(&root.join(tree));
    command
        .args([
            "test",
            "--locked",
            "--quiet",
            "--test",
            suite,
            "--",
            "--include-ignored",
        ])
        .env("CARGO_TARGET_DIR", target(root).join("guests-native"))
        .env("DOCUMENTS", documents::install(root)?);
    let counted = count_tests(&mut command)?;
    all.passed += counted.passed;
    all.failed += counted.failed;
    Ok(all)
}

fn deny(root: &Path) -> anyhow::Result<StepOutcome> {
    run_cargo(
        root,
        &["deny", "--locked", "check", "bans", "licenses", "sources"],
    )?;
    Ok(StepOutcome::passed())
}

/// A known hole fails the run; a database that cannot be reached does not, and is said.
fn advisories(root: &Path) -> anyhow::Result<StepOutcome> {
    if !is_installed("cargo", &["deny", "--version"]) {
        bail!("cargo-deny is not installed");
    }
    let fetch = bounded(
        cargo(root)
            .args(["deny", "fetch", "db"])
            .stdin(Stdio::null()),
        ADVISORIES,
    )?;
    if !fetch.is_some_and(|status| status.success()) {
        return Ok(StepOutcome::skipped(
            "the advisory database cannot be reached from here",
        ));
    }
    run_cargo(
        root,
        &["deny", "--locked", "check", "--disable-fetch", "advisories"],
    )?;
    Ok(StepOutcome::passed())
}

fn docs(root: &Path) -> anyhow::Result<StepOutcome> {
    let mut command: Command = cargo(root);
    command
        .args(["doc", "--no-deps", "--workspace", "--locked", "--quiet"])
        .env("RUSTDOCFLAGS", "-D warnings");
    ensure!(
        command.status()?.success(),
        "the documentation has warnings"
    );
    Ok(StepOutcome::passed())
}

fn existing<'a>(root: &'a Path, trees: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    trees
        .iter()
        .copied()
        .filter(|tree| root.join(tree).join("Cargo.toml").exists())
}
