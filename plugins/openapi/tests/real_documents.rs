//! Published documents, whole: every operation is a tool that works, or is in the list of those
//! that cannot be, with its reason. `cargo xtask documents` installs them; `DOCUMENTS` says where.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test"
)]

mod support;

use std::path::PathBuf;

use support::row::Row;

fn directory(name: &str) -> PathBuf {
    let all = std::env::var_os("DOCUMENTS")
        .expect("DOCUMENTS: run `cargo xtask documents`, it says where they are");
    PathBuf::from(all).join(name)
}

/// Tries all documents of a directory; returns tools, skipped operations by reason, and refused
/// documents.
fn try_all(
    name: &str,
) -> (
    usize,
    std::collections::BTreeMap<String, usize>,
    Vec<String>,
) {
    let (mut tools, mut skipped, mut refused) = (0, std::collections::BTreeMap::new(), Vec::new());
    let directory = directory(name);
    for file in support::documents(&directory) {
        let name = file.strip_prefix(&directory).unwrap().display().to_string();
        match Row::from_document(&name, &std::fs::read(&file).unwrap(), true) {
            Ok(row) => {
                assert_eq!(row.wrong, Vec::<String>::new(), "{name}");
                tools += row.tools;
                for (reason, count) in row.skipped {
                    *skipped.entry(reason).or_default() += count;
                }
            }
            Err(error) => refused.push(format!("{name}: {error}")),
        }
    }
    println!("{name}: {tools} tools, skipped {skipped:?}, refused {refused:?}");
    (tools, skipped, refused)
}

#[test]
#[ignore = "needs the documents that `cargo xtask documents` installs"]
fn every_operation_of_github_but_the_one_on_another_host_is_a_tool() {
    let (tools, skipped, refused) = try_all("github");
    assert_eq!(refused, Vec::<String>::new());
    assert_eq!(tools + skipped.values().sum::<usize>(), 1_223);
    assert_eq!(
        skipped.into_iter().collect::<Vec<_>>(),
        [("server".to_owned(), 1)]
    );
}

#[test]
#[ignore = "needs the documents that `cargo xtask documents` installs"]
fn the_examples_of_readme_are_all_read() {
    let (tools, _, refused) = try_all("readme");
    assert!(tools > 500 && refused.is_empty(), "{tools} {refused:?}");
}

#[test]
#[ignore = "needs the documents that `cargo xtask documents` installs"]
fn the_large_documents_of_the_directory_are_all_read() {
    let (tools, _, refused) = try_all("directory");
    assert!(tools > 1_500 && refused.is_empty(), "{tools} {refused:?}");
}
