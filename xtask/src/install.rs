//! The tools that `test` needs and a machine with Rust alone does not have.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::ensure;

use crate::workspace::{is_installed, run_cargo};

/// Installs what is missing, from the registry, with the versions that the tools themselves were locked to.
///
/// # Errors
/// An installation failed.
pub(crate) fn missing(root: &Path) -> anyhow::Result<()> {
    for (krate, probe) in [
        ("cargo-nextest", ["nextest", "--version"]),
        ("cargo-deny", ["deny", "--version"]),
    ] {
        if !is_installed("cargo", &probe) {
            println!("installing {krate}; this is done once");
            run_cargo(root, &["install", "--locked", krate])?;
        }
    }
    // Shows that an acknowledged write was brought to the disk first.
    debian("strace")
}

/// Installs a program with Debian's package of its name, where it is missing and this may be done.
///
/// # Errors
/// It is not there and could not be installed.
pub(crate) fn debian(program: &str) -> anyhow::Result<()> {
    let is_there = || is_installed(program, &["--version"]);
    if is_there() {
        return Ok(());
    }
    println!("installing {program}; this is done once");
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let package = ["install", "--yes", "--no-install-recommends", program];
    let _installed = apt(&package) || (apt(&["update"]) && apt(&package));
    ensure!(
        is_there(),
        "{program} is not installed, and could not be installed with apt-get"
    );
    Ok(())
}
