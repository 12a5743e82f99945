//! A data directory to open stores in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use toolhost_identity::{Operator, TenantId, TenantSpace};
use toolhost_store::keys::{Keyring, MasterKey};
use toolhost_store::{DataDir, EmbeddedSettings, Key, SledStore, Space, StoreError, Table};

/// A directory that goes with the test.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    pub(crate) settings: EmbeddedSettings,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    pub(crate) fn within(directory: &Path) -> Self {
        Self {
            directory: tempfile::tempdir_in(directory).unwrap(),
            settings: EmbeddedSettings::default(),
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn open(&self) -> SledStore {
        self.try_open().unwrap()
    }

    pub(crate) fn try_open(&self) -> Result<SledStore, StoreError> {
        let (data_dir, keyring) = self.parts(&self.data())?;
        SledStore::open(data_dir, keyring, self.settings)
    }

    /// What a store is opened with, of any data directory under the same master key.
    pub(crate) fn parts(&self, data: &Path) -> Result<(DataDir, Arc<Keyring>), StoreError> {
        let data_dir = open_data_dir(data)?;
        let (master, _) = MasterKey::open_or_create(&self.path("master.key")).unwrap();
        let keyring = Arc::new(Keyring::open(data_dir.path(), master)?);
        Ok((data_dir, keyring))
    }
}

/// Takes a data directory as soon as the store that was dropped has let go of it: sled's last
/// threads end a little later.
pub(crate) fn open_data_dir(path: &Path) -> Result<DataDir, StoreError> {
    for _ in 0..200 {
        match DataDir::open(path) {
            Err(StoreError::Owned { pid, .. }) if pid == std::process::id() => {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            outcome => return outcome,
        }
    }
    DataDir::open(path)
}

pub(crate) fn tenant(name: &str) -> TenantSpace {
    TenantSpace::of_operator(TenantId::parse(name).unwrap(), &Operator::of_this_process())
}

pub(crate) fn space(name: &str) -> Space {
    Space::Tenant(tenant(name))
}

pub(crate) fn key(name: &str) -> Key {
    Key::new(Table::Kv, &[b"billing"], name.as_bytes()).unwrap()
}
