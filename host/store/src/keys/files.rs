use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use toolhost_identity::TenantId;

use super::key_wrap;
use super::wrapped_key_store::{WrappedKey, WrappedKeyStore};
use crate::{Space, StoreError, files};

/// Wrapped keys in `keys/` of a data directory that no other process has.
#[derive(Debug)]
pub(super) struct KeyFiles {
    directory: PathBuf,
}

impl KeyFiles {
    /// Makes the directory (0700) where there is none.
    pub(super) fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let directory = data_dir.join("keys");
        for path in [data_dir, &directory, &directory.join("tenants")] {
            files::make_directory(path).map_err(|error| unavailable(path, &error))?;
        }
        Ok(Self { directory })
    }
}

impl WrappedKeyStore for KeyFiles {
    fn path(&self, space: &Space) -> Option<PathBuf> {
        Some(match space.tenant() {
            None => self.directory.join("host.key"),
            Some(tenant) => self.directory.join("tenants").join(format!("{tenant}.key")),
        })
    }

    fn exists(&self, space: &Space) -> Result<bool, StoreError> {
        let path = self.path(space);
        // Whatever is in it.
        Ok(path.is_some_and(|path| path.symlink_metadata().is_ok()))
    }

    fn read(&self, space: &Space) -> Result<Option<WrappedKey>, StoreError> {
        let Some(path) = self.path(space) else {
            return Ok(None);
        };
        let read = File::open(&path).and_then(|file| files::read_bounded(file, key_wrap::MAX_FILE));
        match read {
            Ok(bytes) => Ok(Some(WrappedKey { bytes, revision: 0 })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::Locked {
                space: space.to_string(),
                why: format!("{path:?}: {error}"),
            }),
        }
    }

    fn write(
        &self,
        space: &Space,
        bytes: &[u8],
        _over: Option<u64>,
    ) -> Result<Option<u64>, StoreError> {
        // Nobody else writes: the directory has one owner, and the keyring does one thing at a
        // time.
        if let Some(path) = self.path(space) {
            files::replace(&path, bytes).map_err(|error| unavailable(&path, &error))?;
        }
        Ok(Some(0))
    }

    fn remove(&self, space: &Space) -> Result<bool, StoreError> {
        let Some(path) = self.path(space) else {
            return Ok(false);
        };
        let erased = [files::partial(&path), path.clone()].map(|path| erase(&path));
        for erased in &erased {
            if let Err(error) = erased {
                return Err(unavailable(&path, error));
            }
        }
        files::sync_parent(&path).map_err(|error| unavailable(&path, &error))?;
        Ok(matches!(erased, [_, Ok(true)]))
    }

    fn labels(&self) -> Result<Vec<String>, StoreError> {
        let directory = self.directory.join("tenants");
        let read = || -> io::Result<Vec<String>> {
            let mut labels = Vec::new();
            for entry in std::fs::read_dir(&directory)? {
                let name = entry?.file_name();
                let tenant = name.to_str().and_then(|name| name.strip_suffix(".key"));
                let tenant = tenant.and_then(|tenant| TenantId::parse(tenant).ok());
                labels.extend(tenant.map(|tenant| Space::tenant_label(&tenant)));
            }
            Ok(labels)
        };
        let mut labels = read().map_err(|error| unavailable(&directory, &error))?;
        if self.exists(&Space::Host)? {
            labels.push(Space::Host.label());
        }
        Ok(labels)
    }
}

/// Overwrites a file and removes it. The blocks of a file that was replaced before are out of
/// reach; what they hold is wrapped.
fn erase(path: &Path) -> io::Result<bool> {
    let overwrite = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        let length = usize::try_from(file.metadata()?.len().min(key_wrap::MAX_FILE)).unwrap_or(0);
        file.write_all(&vec![0; length])?;
        file.sync_data()
    };
    match overwrite() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        // A full disk must not keep a key alive.
        Ok(()) | Err(_) => {}
    }
    std::fs::remove_file(path)?;
    Ok(true)
}

fn unavailable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::of_io(&path.display().to_string(), error)
}
