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
    debian("strace")?;
    postgresql()
}

/// The server that the store's tests start for themselves, where they are not lent one. Debian's package is enough: the
/// cluster that it makes is not used.
const POSTGRESQL: &str = "postgresql-15";

/// Makes sure that there is a PostgreSQL server to test against, or the address of one.
///
/// # Errors
/// There is none and it could not be installed.
fn postgresql() -> anyhow::Result<()> {
    if std::env::var_os("DATABASE_URL").is_some() || is_postgresql_there() {
        return Ok(());
    }
    println!("installing {POSTGRESQL}; this is done once");
    apt_install(POSTGRESQL);
    ensure!(
        is_postgresql_there(),
        "there is no PostgreSQL server, and {POSTGRESQL} could not be installed with apt-get; DATABASE_URL may name one"
    );
    Ok(())
}

/// Where the tests look too: Debian keeps the server's programs off the path.
fn is_postgresql_there() -> bool {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = debian.flatten().map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    versions
        .chain(std::env::split_paths(&path))
        .any(|bin| bin.join("initdb").exists())
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
    apt_install(program);
    ensure!(
        is_there(),
        "{program} is not installed, and could not be installed with apt-get"
    );
    Ok(())
}

/// Whether it has worked is seen by what is there afterwards.
fn apt_install(package: &str) {
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let install = ["install", "--yes", "--no-install-recommends", package];
    let _installed = apt(&install) || (apt(&["update"]) && apt(&install));
}
