//! The tools that `test` needs and a machine with Rust alone does not have.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::ensure;

use crate::workspace::{is_installed, run_cargo};

/// Installs what is missing, from the registry, with the versions that the tools themselves were
/// locked to.
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
    cluster()
}

/// The server that the store's tests start for themselves, where they are not lent one, and the
/// example `cluster` always. Debian's package is enough: the cluster that it makes is not used.
const POSTGRESQL: &str = "postgresql-15";

/// The balancer of the example `cluster`. The service that Debian's package makes is not used.
const NGINX: &str = "nginx";

/// What the example `cluster` starts beside the host: a PostgreSQL server and nginx.
///
/// # Errors
/// One is not there and could not be installed.
pub(crate) fn cluster() -> anyhow::Result<()> {
    let is_postgresql_there = || postgresql_programs().is_some();
    package(POSTGRESQL, &is_postgresql_there)?;
    package(NGINX, &|| is_installed(nginx_program(), &["-v"]))
}

/// Debian keeps it where only root's path leads.
fn nginx_program() -> &'static str {
    let debian = "/usr/sbin/nginx";
    if Path::new(debian).exists() {
        debian
    } else {
        NGINX
    }
}

/// The folder of the server's programs: Debian keeps them off the path. The store's tests look in
/// the same places.
fn postgresql_programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut folders: Vec<PathBuf> = debian
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    // The newest first.
    folders.sort_by(|one, other| other.cmp(one));
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    folders.into_iter().find(|bin| bin.join("initdb").exists())
}

/// The path of this process, with the folders in which Debian keeps PostgreSQL's programs and
/// nginx.
///
/// # Errors
/// A folder's name has a `:`.
pub(crate) fn path_with_servers() -> anyhow::Result<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(postgresql_programs());
    Ok(std::env::join_paths(
        folders.chain([PathBuf::from("/usr/sbin")]),
    )?)
}

/// Installs a program with Debian's package of its name, where it is missing and this may be done.
///
/// # Errors
/// It is not there and could not be installed.
pub(crate) fn debian(program: &str) -> anyhow::Result<()> {
    package(program, &|| is_installed(program, &["--version"]))
}

fn package(name: &str, is_there: &dyn Fn() -> bool) -> anyhow::Result<()> {
    if is_there() {
        return Ok(());
    }
    println!("installing {name}; this is done once");
    apt_install(name);
    ensure!(
        is_there(),
        "{name} is not installed, and could not be installed with apt-get"
    );
    Ok(())
}

/// Whether it has worked is seen by what is there afterwards.
fn apt_install(package: &str) {
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let install = ["install", "--yes", "--no-install-recommends", package];
    let _installed = apt(&install) || (apt(&["update"]) && apt(&install));
}
