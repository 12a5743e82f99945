use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use toolhost_policy::Secret;

use crate::SandboxError;

/// Length of the authentication code before each artefact.
const TAG: usize = 32;

/// The largest artefact that is read back; a 32 MiB component compiles to about 90.
const MAX_ARTEFACT: u64 = 512 << 20;

/// How many files of a kind are kept; the oldest go first.
const MAX_FILES: usize = 256;

/// Compiled components, and what adapters have found in documents.
const KINDS: [&str; 2] = ["cwasm", "tools"];

/// Compiled artefacts on disk.
///
/// An artefact is native code: whoever can write one into this directory runs it in the host. So
/// the directory is 0700 and owned by the host's user, each file is authenticated with a key that
/// only this directory has, and a file that does not verify is not loaded (T35).
#[derive(Debug)]
pub(crate) struct ArtefactCache {
    directory: PathBuf,
    key: Secret,
}

impl ArtefactCache {
    /// Opens the directory and makes it where there is none.
    ///
    /// # Errors
    /// It cannot be made or written, belongs to somebody else, or others can reach it.
    pub(crate) fn open(directory: &Path) -> Result<Self, SandboxError> {
        let fail = |error: std::io::Error| {
            SandboxError::Cache(format!("{}: {error}", directory.display()))
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(fail)?;
        let metadata = std::fs::metadata(directory).map_err(fail)?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(SandboxError::Cache(format!(
                "{} belongs to another user",
                directory.display()
            )));
        }
        if metadata.mode() & 0o077 != 0 {
            let mode = metadata.mode() & 0o777;
            return Err(SandboxError::Cache(format!(
                "{} can be reached by others (mode {mode:o}); chmod 700 it",
                directory.display()
            )));
        }
        let key = read_or_make_key(&directory.join("key")).map_err(fail)?;
        // Said now, not after a minute of compiling.
        let probe = directory.join(format!(".probe-{}", unique()));
        File::create(&probe)
            .and_then(|_| std::fs::remove_file(&probe))
            .map_err(fail)?;
        Ok(Self {
            directory: directory.to_owned(),
            key,
        })
    }

    /// The artefact of a name, where there is one that verifies.
    pub(crate) fn get(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.directory.join(name);
        let mut file = File::open(&path).ok()?;
        if file.metadata().ok()?.len() > MAX_ARTEFACT {
            return None;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        // Read once: what is verified is what is loaded.
        let (tag, artefact) = bytes.split_at_checked(TAG)?;
        if self.mac(name, artefact).verify_slice(tag).is_err() {
            tracing::warn!(file = %path.display(), "an artefact does not verify; it is removed and compiled again");
            let _ = std::fs::remove_file(&path);
            return None;
        }
        Some(bytes.split_off(TAG))
    }

    /// Keeps an artefact. Failing to is no failure of the call that made it: it is compiled again
    /// next time.
    pub(crate) fn put(&self, name: &str, artefact: &[u8]) {
        let tag = self.mac(name, artefact).finalize().into_bytes();
        let partial = self.directory.join(format!(".{name}.{}", unique()));
        let write = || -> std::io::Result<()> {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&partial)?;
            file.write_all(&tag)?;
            file.write_all(artefact)?;
            std::fs::rename(&partial, self.directory.join(name))
        };
        if let Err(error) = write() {
            tracing::warn!(%error, "an artefact could not be kept; the component is compiled again next time");
            let _ = std::fs::remove_file(&partial);
        }
        for kind in KINDS {
            self.prune(kind);
        }
    }

    fn prune(&self, kind: &str) {
        let Ok(entries) = std::fs::read_dir(&self.directory) else {
            return;
        };
        let mut files: Vec<_> = entries
            .flatten()
            .filter(|entry| {
                entry
                    .path()
                    .extension()
                    .is_some_and(|extension| extension == kind)
            })
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        files.sort();
        let surplus = files.len().saturating_sub(MAX_FILES);
        for (_, path) in files.into_iter().take(surplus) {
            let _ = std::fs::remove_file(path);
        }
    }

    fn mac(&self, name: &str, artefact: &[u8]) -> Hmac<Sha256> {
        #[expect(
            clippy::expect_used,
            reason = "HMAC takes a key of any length (RFC 2104 section 2)"
        )]
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.key.expose()).expect("a key of any length");
        mac.update(&(name.len() as u64).to_be_bytes());
        mac.update(name.as_bytes());
        mac.update(artefact);
        mac
    }
}

/// Of this process and of this moment: two caches of one process may have one directory.
fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!(
        "{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

fn read_or_make_key(path: &Path) -> std::io::Result<Secret> {
    let mut key = vec![0; TAG];
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(mut file) => {
            getrandom::fill(&mut key).map_err(|error| std::io::Error::other(error.to_string()))?;
            file.write_all(&key)?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let mut file = File::open(path)?;
            if file.metadata()?.mode() & 0o077 != 0 {
                return Err(std::io::Error::other(
                    "the file key can be read by others; chmod 600 it",
                ));
            }
            file.read_exact(&mut key).map_err(|_| {
                std::io::Error::other("the file key is damaged; remove it and the artefacts")
            })?;
        }
        Err(error) => return Err(error),
    }
    Ok(Secret::new(key))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::ArtefactCache;

    fn cache() -> (tempfile::TempDir, ArtefactCache) {
        let directory = tempfile::tempdir().unwrap();
        let cache = ArtefactCache::open(&directory.path().join("cache")).unwrap();
        (directory, cache)
    }

    #[test]
    fn what_was_put_is_given_back_after_reopening() {
        let (directory, cache) = cache();
        cache.put("a.cwasm", b"code");
        let again = ArtefactCache::open(&directory.path().join("cache")).unwrap();
        assert_eq!(again.get("a.cwasm").unwrap(), b"code");
        assert_eq!(again.get("b.cwasm"), None);
    }

    #[test]
    fn a_foreign_a_changed_and_a_renamed_artefact_are_not_loaded() {
        let (directory, cache) = cache();
        let path = |name: &str| directory.path().join("cache").join(name);
        cache.put("a.cwasm", b"code of a");
        std::fs::copy(path("a.cwasm"), path("b.cwasm")).unwrap();
        assert_eq!(
            cache.get("b.cwasm"),
            None,
            "an artefact answers to its own name only"
        );
        std::fs::write(
            path("c.cwasm"),
            b"\x7fELF something foreign that is longer than a tag",
        )
        .unwrap();
        assert_eq!(cache.get("c.cwasm"), None);
        let mut bytes = std::fs::read(path("a.cwasm")).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(path("a.cwasm"), bytes).unwrap();
        assert_eq!(cache.get("a.cwasm"), None);
        assert!(!path("a.cwasm").exists());
    }

    #[test]
    fn a_directory_or_key_that_others_reach_is_refused() {
        let (directory, _cache) = cache();
        let path = directory.path().join("cache");
        std::fs::set_permissions(path.join("key"), std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(
            ArtefactCache::open(&path)
                .unwrap_err()
                .to_string()
                .contains("chmod 600")
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(
            ArtefactCache::open(&path)
                .unwrap_err()
                .to_string()
                .contains("chmod 700")
        );
    }
}
