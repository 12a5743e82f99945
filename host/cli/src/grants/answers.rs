//! What tools were found in when they were approved, a document or what a system answered, by the
//! digest that `host.lock` names: beside the lock, so that a grant counts wherever the two are
//! copied.

use std::path::Path;

use anyhow::Context;

use super::sha256;
use crate::digest_files::DigestDirectory;

/// `host.answers` beside `host.lock`.
const EXTENSION: &str = "answers";

/// The answers of a lock.
pub(crate) fn directory(lock: &Path) -> DigestDirectory {
    DigestDirectory::new(lock.with_extension(EXTENSION))
}

/// Keeps an answer or a document.
///
/// # Errors
/// It cannot be written.
pub(crate) fn keep(lock: &Path, answer: &[u8]) -> anyhow::Result<()> {
    let answers = directory(lock);
    if answers.read(&sha256(answer)).is_some() {
        return Ok(());
    }
    answers.write(answer).with_context(|| {
        format!(
            "{}: cannot be written; name another place with --lock",
            answers.path().display()
        )
    })
}
