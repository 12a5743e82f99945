//! Whether what lasts can be written, for `/ready`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use toolhost_gateway::Readiness;
use toolhost_store::{Key, Space, Store, Table};

/// How often it is tried: within two of a balancer's usual looks.
const EVERY: Duration = Duration::from_secs(5);

/// How long a store may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The file that is written, in the data directory: the audit chains are there, and the embedded store.
const PROBE: &str = "writable.probe";

/// As much as a few records take. A smaller file may fit into the last block of a full disk.
const PROBE_BYTES: usize = 64 << 10;

/// Tries now and then, until `shutdown`, and says at `/ready` where it fails.
pub(crate) fn watch_writable(
    readiness: Readiness,
    data_dir: PathBuf,
    store: Arc<dyn Store>,
    shutdown: CancellationToken,
) {
    tokio::spawn(async move {
        let rounds = async {
            let mut before = true;
            loop {
                let writable = match try_out(&data_dir, store.as_ref()).await {
                    Ok(()) => true,
                    Err(error) => {
                        if before {
                            tracing::error!(%error, "what lasts cannot be written; /ready says no until it can");
                        }
                        false
                    }
                };
                if writable && !before {
                    tracing::info!("what lasts can be written again");
                }
                readiness.set_writable(writable);
                before = writable;
                tokio::time::sleep(EVERY).await;
            }
        };
        let _stopped = shutdown.run_until_cancelled(rounds).await;
    });
}

async fn try_out(data_dir: &Path, store: &dyn Store) -> io::Result<()> {
    let path = data_dir.join(PROBE);
    let written = tokio::task::spawn_blocking(move || write(&path)).await;
    written.map_err(io::Error::other)??;
    let key = Key::new(Table::Session, &[b"session"], PROBE.as_bytes()).map_err(io::Error::other)?;
    match tokio::time::timeout(PATIENCE, store.get(&Space::Host, &key)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(io::Error::other(error)),
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
    }
}

/// Writes the file to the disk, and removes it, also where it was written in part.
fn write(path: &Path) -> io::Result<()> {
    let write = || {
        let mut file = std::fs::File::create(path)?;
        // Not zeroes, which some file systems do not store.
        file.write_all(&[0xA5; PROBE_BYTES])?;
        file.sync_data()
    };
    let written = write();
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => written.and(Err(error)),
        _ => written,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use toolhost_store::MemoryStore;

    use super::{PROBE, try_out};

    #[tokio::test]
    async fn a_directory_that_cannot_be_written_is_noticed_and_nothing_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(MemoryStore::default());
        try_out(dir.path(), store.as_ref()).await.unwrap();
        assert!(!dir.path().join(PROBE).exists());
        // A device that is always full.
        std::os::unix::fs::symlink("/dev/full", dir.path().join(PROBE)).unwrap();
        let error = try_out(dir.path(), store.as_ref()).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        assert!(!dir.path().join(PROBE).exists());
        assert!(try_out(&dir.path().join("gone"), store.as_ref()).await.is_err());
    }
}
