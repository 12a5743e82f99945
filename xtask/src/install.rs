//! The tools that `test` needs and a machine with Rust alone does not have.

use std::path::Path;

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
    Ok(())
}
