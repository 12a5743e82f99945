use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::{Space, StoreError, files};

/// The longest text in the lock's file: a process id.
const MAX_PID: u64 = 16;

/// A data directory that this process owns, until it is dropped or the process ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Locked: the kernel lets go of it when the process ends, however it ends.
    _lock: File,
}

impl DataDir {
    /// Takes a directory, and makes it (0700) where there is none.
    ///
    /// # Errors
    /// [`StoreError::Owned`]: another process has it. [`StoreError::Directory`]: others can reach it, or it belongs to
    /// another user.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let refuse = |why: String| StoreError::Directory {
            directory: path.display().to_string(),
            why,
        };
        let failed = |error: std::io::Error| refuse(error.to_string());
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(refuse("it belongs to another user; chown it".to_owned()));
        }
        if metadata.mode() & 0o077 != 0 {
            let mode = metadata.mode() & 0o777;
            return Err(refuse(format!(
                "others can reach it (mode {mode:o}); chmod 700 it"
            )));
        }
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(failed)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                // It may be about to write it; then nobody knows who it is, and it is refused all
                // the same.
                let _ = lock.take(MAX_PID).read_to_string(&mut text);
                return Err(StoreError::Owned {
                    pid: text.trim().parse().unwrap_or(0),
                    directory: path.display().to_string(),
                });
            }
            Err(error) => return Err(failed(error.into())),
        }
        let mut write_pid = || -> std::io::Result<()> {
            lock.set_len(0)?;
            lock.rewind()?;
            lock.write_all(format!("{}\n", std::process::id()).as_bytes())
        };
        write_pid().map_err(|error| StoreError::of_io(&path.display().to_string(), &error))?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a space's database is.
    #[must_use]
    pub fn database(&self, space: &Space) -> PathBuf {
        match space.tenant() {
            None => self.path.join("host"),
            Some(tenant) => self.path.join("tenants").join(tenant.as_str()),
        }
    }

    /// Where what was found of a space's damage is written, so that a restart does not serve it
    /// again.
    pub(super) fn damage_path(&self, space: &Space) -> PathBuf {
        let mut name = self.database(space).into_os_string();
        name.push(".damaged");
        name.into()
    }

    /// Whether any tenant left something here.
    pub(super) fn has_tenants(&self) -> bool {
        let is_empty = |path: &str| {
            let mut entries = std::fs::read_dir(self.path.join(path))
                .into_iter()
                .flatten();
            entries.next().is_none()
        };
        !(is_empty("tenants") && is_empty("keys/tenants"))
    }

    pub(super) fn prepare(&self) -> Result<(), StoreError> {
        let tenants = self.path.join("tenants");
        files::make_directory(&tenants)
            .map_err(|error| StoreError::of_io(&tenants.display().to_string(), &error))
    }
}
