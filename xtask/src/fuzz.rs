//! `cargo xtask fuzz`: what reads hostile bytes, under libFuzzer with the address sanitiser, for a
//! while each.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, bail};

use crate::workspace::{cargo, is_installed, run_cargo, target};

/// The targets of `fuzz/Cargo.toml`.
const TARGETS: [&str; 5] = [
    "openapi_document",
    "openapi_request",
    "policy_path",
    "schema_check",
    "policy_manifest",
];

/// One input that takes longer is a finding: no reader of ours may.
const SECONDS_AN_INPUT: u32 = 10;

/// An input that takes more memory, in MB, is a finding too.
const MEMORY: u32 = 2_048;

/// Long enough for a schema in a body in a path, short enough to be tried often.
const BYTES: u32 = 16 << 10;

/// How the fuzzer begins the lines that sum a run up.
const STATISTICS: &str = "stat::number_of_executed_units";

/// Runs each target for `seconds`. What it finds it leaves in `fuzz/artifacts`. What the fuzzer
/// says (a page of words it has learnt among it) goes to a file beside the corpus, and is shown
/// where something was found.
///
/// # Errors
/// cargo-fuzz cannot be installed, a target does not build, or something was found.
pub(crate) fn run(root: &Path, seconds: u32) -> anyhow::Result<()> {
    if !is_installed("cargo", &["fuzz", "--version"]) {
        println!("installing cargo-fuzz; this is done once");
        run_cargo(root, &["install", "--locked", "cargo-fuzz"])?;
    }
    for name in TARGETS {
        let corpus = target(root).join("fuzz-corpus").join(name);
        std::fs::create_dir_all(&corpus)?;
        let seeds = root.join("fuzz/seeds").join(name);
        let log = target(root).join("fuzz-corpus").join(format!("{name}.log"));
        let written =
            File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
        let mut command = cargo(root);
        command
            .args(["fuzz", "run", "--fuzz-dir", "fuzz", name])
            .arg(&corpus)
            .args(seeds.is_dir().then_some(seeds))
            .arg("--")
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-timeout={SECONDS_AN_INPUT}"))
            .arg(format!("-rss_limit_mb={MEMORY}"))
            .arg(format!("-max_len={BYTES}"))
            .arg("-print_final_stats=1")
            // The sanitiser is there in every compiler, and asks for this.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", target(root).join("fuzz"))
            .stdin(Stdio::null())
            .stdout(written.try_clone()?)
            .stderr(written);
        let status = command.status()?;
        let said = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
        if !status.success() {
            println!("{said}");
            bail!("{name} found something or does not build, see above and fuzz/artifacts/{name}");
        }
        let tried = said.lines().find_map(|line| line.strip_prefix(STATISTICS));
        println!(
            "{name}: {} inputs tried",
            tried.unwrap_or(":").trim_start_matches(':').trim()
        );
    }
    Ok(())
}
