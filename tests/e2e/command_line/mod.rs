//! The built program with bad input and good: one clear sentence, and the exit status of its class.

mod bad_input;
mod left_out;
mod nothing_made;
mod set_ups;
mod verbs;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use toolhost_harness::billing::NEVER;
use toolhost_harness::host::{self, CommandOutput};
use toolhost_harness::{Billing, guests};

const USAGE: i32 = 2;

const AUTH: i32 = 3;

const REFUSED: i32 = 4;

const FAILED: i32 = 5;

const PLUGIN: i32 = 6;

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn billing() -> String {
    guests::path("billing").display().to_string()
}

fn echo() -> String {
    guests::path("echo").display().to_string()
}

/// Says what is wrong on stderr, with a status, and nothing on stdout.
fn refused(ended: &CommandOutput, status: i32, says: &[&str]) {
    assert_eq!(ended.status, status, "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    assert!(
        ended.stderr.lines().any(|line| line.starts_with("host: ")),
        "{ended:?}"
    );
    for words in says {
        assert!(ended.stderr.contains(words), "{words:?}: {ended:?}");
    }
    // A guest's own panic is in the log, and is not the host's.
    let mut own = ended
        .stderr
        .lines()
        .filter(|line| !line.contains("WARN guest:"));
    assert!(
        !own.any(|line| line.contains("panicked") || line.contains("RUST_BACKTRACE")),
        "{ended:?}"
    );
}
