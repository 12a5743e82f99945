//! What systems said when they were asked, by the digest that `host.lock` names: beside it, so that a yes counts wherever the
//! two are copied. The digest is the lock's, so nothing here is believed for standing here.

use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use toolhost_sandbox::MAX_DOCUMENT;

use super::sha256;

/// `host.answers` beside `host.lock`.
const EXTENSION: &str = "answers";

/// Where the answers of a lock are.
pub(crate) fn directory(lock: &Path) -> PathBuf {
    lock.with_extension(EXTENSION)
}

fn place(lock: &Path, digest: &str) -> PathBuf {
    directory(lock).join(digest)
}

/// Keeps an answer.
///
/// # Errors
/// It cannot be written.
pub(crate) fn keep(lock: &Path, answer: &[u8]) -> anyhow::Result<()> {
    let path = place(lock, &sha256(answer));
    let partial = path.with_extension(std::process::id().to_string());
    let write = || -> std::io::Result<()> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory(lock))?;
        let mut file = std::fs::File::create(&partial)?;
        file.write_all(answer)?;
        file.sync_all()?;
        std::fs::rename(&partial, &path)
    };
    let written = write();
    if written.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    written.with_context(|| {
        format!(
            "{}: cannot be written; name another place with --lock",
            path.display()
        )
    })
}

/// The answer of this digest, as long as it is still that.
pub(crate) fn read(lock: &Path, digest: &str) -> Option<Vec<u8>> {
    // The digest comes from a file that people edit, and goes into a name.
    let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let file = is_digest
        .then(|| std::fs::File::open(place(lock, digest)))?
        .ok()?;
    let mut answer = Vec::new();
    file.take(MAX_DOCUMENT).read_to_end(&mut answer).ok()?;
    (sha256(&answer) == digest).then_some(answer)
}

/// Removes an answer that no yes is for any more.
pub(crate) fn forget(lock: &Path, digest: &str) {
    if read(lock, digest).is_some() {
        let _ = std::fs::remove_file(place(lock, digest));
    }
}

#[cfg(test)]
mod tests {
    use super::{directory, forget, keep, read, sha256};

    #[test]
    fn an_answer_is_read_only_as_it_was_approved() {
        let place = tempfile::tempdir().unwrap();
        let lock = place.path().join("host.lock");
        let digest = sha256(b"said");
        assert_eq!(read(&lock, &digest), None);
        keep(&lock, b"said").unwrap();
        assert_eq!(read(&lock, &digest).as_deref(), Some(&b"said"[..]));
        std::fs::write(directory(&lock).join(&digest), b"something else").unwrap();
        assert_eq!(read(&lock, &digest), None);
        std::fs::write(place.path().join("host.toml"), b"x").unwrap();
        for foreign in ["../host.toml", "", "/etc/passwd"] {
            assert_eq!(read(&lock, foreign), None);
        }
        keep(&lock, b"said").unwrap();
        forget(&lock, &digest);
        assert_eq!(read(&lock, &digest), None);
    }
}
