//! Where things are, and how cargo is called.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// The top of the workspace: the folder above this crate's.
///
/// Asked when it runs, where cargo says it: what was built in one clone is reused by the next where
/// they share a target directory, and the path that was compiled in is the first clone's.
pub(crate) fn root() -> PathBuf {
    let here =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let here = Path::new(&here);
    here.parent().unwrap_or(here).to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => root.join(directory),
        None => root.join("target"),
    }
}

/// A program that cargo has built for development.
pub(crate) fn built(root: &Path, name: &str) -> PathBuf {
    target(root).join("debug").join(name)
}

/// The cargo that runs this.
pub(crate) fn cargo(directory: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(directory);
    // What cargo set for xtask itself is not meant for what xtask starts.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_")
            || text.starts_with("CARGO_MANIFEST_")
            || text == "CARGO_BIN_NAME"
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs cargo and fails where it fails.
///
/// # Errors
/// It cannot be run, or ends with another status than 0.
pub(crate) fn run_cargo<A: AsRef<OsStr>>(directory: &Path, arguments: &[A]) -> anyhow::Result<()> {
    let mut command = cargo(directory);
    command.args(arguments);
    let status = command.status().context("cargo cannot be run")?;
    let line: Vec<_> = arguments
        .iter()
        .map(|argument| argument.as_ref().to_string_lossy())
        .collect();
    ensure!(
        status.success(),
        "cargo {} failed ({status})",
        line.join(" ")
    );
    Ok(())
}

/// Builds programs of the workspace. The whole of it is named so that its features are one set:
/// another set would build wasmtime a second time.
///
/// # Errors
/// One does not build.
pub(crate) fn build_programs(root: &Path, names: &[&str]) -> anyhow::Result<()> {
    let mut arguments = vec!["build", "--workspace", "--locked"];
    for name in names {
        arguments.extend(["--bin", name]);
    }
    run_cargo(root, &arguments)
}

/// Whether a program can be started.
pub(crate) fn is_installed(program: &str, probe: &[&str]) -> bool {
    let result = Command::new(program)
        .args(probe)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    result.is_ok_and(|status| status.success())
}
