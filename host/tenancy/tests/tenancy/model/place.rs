//! The stores that the model is held against.

use std::sync::Arc;
use std::time::Duration;

use toolhost_store::keys::{Keyring, MasterKey};
use toolhost_store::postgres::Layout;
use toolhost_store::{DataDir, EmbeddedSettings, MemoryStore, SledStore, Store};

use crate::model::town;

/// Where one case keeps its records.
pub(crate) enum Place {
    Memory,
    Embedded(tempfile::TempDir),
    Postgres(Box<town::Town>),
}

/// How long the others are given when it is their turn.
#[derive(Clone, Copy)]
pub(crate) enum Pause {
    /// Everything goes on in this very thread.
    Yield,
    /// A disk or a server has to answer.
    Sleep,
}

impl Pause {
    pub(crate) async fn await_others(self) {
        match self {
            Self::Yield => tokio::task::yield_now().await,
            Self::Sleep => tokio::time::sleep(Duration::from_micros(300)).await,
        }
    }
}

impl Place {
    pub(crate) fn embedded() -> Self {
        Self::Embedded(tempfile::tempdir().unwrap())
    }

    /// A database of its own on the server of this run.
    pub(crate) async fn postgres() -> Self {
        Self::Postgres(Box::new(town::Town::new(Layout::Schema).await))
    }

    pub(crate) async fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Memory => Arc::new(MemoryStore::default()),
            Self::Embedded(directory) => {
                let data = directory.path().join("data");
                let data_dir = DataDir::open(&data).unwrap();
                let (master, _) =
                    MasterKey::open_or_create(&directory.path().join("master.key")).unwrap();
                let keyring = Arc::new(Keyring::open(&data, master).unwrap());
                Arc::new(SledStore::open(data_dir, keyring, EmbeddedSettings::default()).unwrap())
            }
            Self::Postgres(town) => Arc::new(town.host().await),
        }
    }

    pub(crate) fn pause(&self) -> Pause {
        match self {
            Self::Memory => Pause::Yield,
            Self::Embedded(_) | Self::Postgres(_) => Pause::Sleep,
        }
    }
}
