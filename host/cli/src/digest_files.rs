//! Files that are read up to a bound, files that are written whole or not at all, and files that
//! are named by the SHA-256 digest of their content.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use toolhost_sandbox::MAX_DOCUMENT;

use crate::grants::sha256;

/// What a file holds, which is at most `most` bytes. It is never read further, whatever its length
/// is said to be: a device has none.
///
/// # Errors
/// It cannot be read, or is larger ([`io::ErrorKind::FileTooLarge`]).
pub(crate) fn read_at_most(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    let length = file.metadata()?.len().min(most);
    let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(most.saturating_add(1))
        .read_to_end(&mut content)?;
    if content.len() as u64 > most {
        let why = format!("it has more than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(content)
}

/// Replaces a file in one step: a crash leaves the old content or the new.
///
/// # Errors
/// It cannot be written; the old content is still there.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}", std::process::id()));
    let write = || {
        let mut file = fs::File::create(&partial)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    let written = write();
    if written.is_err() {
        // The half-written file is of no use to anybody.
        let _ = fs::remove_file(&partial);
    }
    written
}

/// A directory of files, each named by the SHA-256 digest of its content in hexadecimal, so that a
/// file is believed only as what its name says.
#[derive(Debug)]
pub(crate) struct DigestDirectory(PathBuf);

impl DigestDirectory {
    /// The directory of this path; it is made with the first file.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file, for the owner of the directory alone.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, content: &[u8]) -> io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)?;
        write_atomically(&self.0.join(sha256(content)), content)
    }

    /// The content with this digest; `None` where there is none, or the file has other content by
    /// now.
    pub(crate) fn read(&self, digest: &str) -> Option<Vec<u8>> {
        // The digest comes from a file that people edit, and becomes a name. Opening a pipe would
        // wait for its writer.
        let path = is_digest(digest).then(|| self.0.join(digest))?;
        if !fs::metadata(&path).ok()?.is_file() {
            return None;
        }
        let content = read_at_most(&path, MAX_DOCUMENT).ok()?;
        (sha256(&content) == digest).then_some(content)
    }

    /// Removes the file of this digest, if it is there and holds what its name says.
    pub(crate) fn remove(&self, digest: &str) {
        if self.read(digest).is_some() {
            let _ = fs::remove_file(self.0.join(digest));
        }
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::{DigestDirectory, sha256};

    #[test]
    fn an_answer_is_read_only_as_it_was_approved() {
        let place = tempfile::tempdir().unwrap();
        let answers = DigestDirectory::new(place.path().join("host.answers"));
        let digest = sha256(b"said");
        assert_eq!(answers.read(&digest), None);
        answers.write(b"said").unwrap();
        assert_eq!(answers.read(&digest).as_deref(), Some(&b"said"[..]));
        std::fs::write(answers.path().join(&digest), b"something else").unwrap();
        assert_eq!(answers.read(&digest), None);
        std::fs::write(place.path().join("host.toml"), b"x").unwrap();
        for foreign in ["../host.toml", "", "/etc/passwd"] {
            assert_eq!(answers.read(foreign), None);
        }
        answers.write(b"said").unwrap();
        answers.remove(&digest);
        assert_eq!(answers.read(&digest), None);
    }
}
