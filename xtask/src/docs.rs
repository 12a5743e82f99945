//! `cargo xtask docs`.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;

use crate::workspace::{is_installed, run_cargo, target};

/// Builds the API documentation, and the book where mdbook is installed.
///
/// # Errors
/// Either does not build.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    run_cargo(root, &["doc", "--no-deps", "--workspace", "--locked"])?;
    println!("API: {}", target(root).join("doc").display());
    if !root.join("docs/book.toml").exists() {
        return Ok(());
    }
    if !is_installed("mdbook", &["--version"]) {
        println!("the book needs mdbook: cargo install --locked mdbook");
        return Ok(());
    }
    let status = Command::new("mdbook")
        .args(["build", "docs"])
        .current_dir(root)
        .status()?;
    ensure!(status.success(), "mdbook failed");
    Ok(())
}
