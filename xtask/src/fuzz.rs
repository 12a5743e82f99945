//! `cargo xtask fuzz`: what reads hostile bytes, under libFuzzer with the address sanitiser, for a while each.

use std::path::Path;
use std::process::Stdio;

use anyhow::ensure;

use crate::workspace::{cargo, is_installed, run_cargo, target};

/// The targets of `fuzz/Cargo.toml`.
const TARGETS: [&str; 4] = [
    "openapi_document",
    "openapi_request",
    "policy_path",
    "policy_manifest",
];

/// One input that takes longer is a finding: no reader of ours may.
const SECONDS_AN_INPUT: u32 = 10;

/// As is one that takes more memory, in MB.
const MEMORY: u32 = 2_048;

/// Long enough for a schema in a body in a path, short enough to be tried often.
const BYTES: u32 = 16 << 10;

/// Runs each target for `seconds`. What it finds it leaves in `fuzz/artifacts`.
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
            .stdin(Stdio::null());
        ensure!(
            command.status()?.success(),
            "{name} found something, see fuzz/artifacts/{name}"
        );
    }
    Ok(())
}
