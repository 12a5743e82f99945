//! What the tests of real documents share.

#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test, and each file uses a part"
)]

pub mod example;
pub mod pin;
pub mod row;

use std::path::{Path, PathBuf};

/// Documents below a directory, in a fixed order.
pub fn documents(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path
                .extension()
                .is_some_and(|end| end == "json" || end == "yaml" || end == "yml")
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
