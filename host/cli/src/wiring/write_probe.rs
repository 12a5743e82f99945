//! Whether what lasts can be written, for `/ready`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use toolhost_gateway::Readiness;
use toolhost_store::{Key, Space, Store, Table};

/// How often it is tried: within two of a balancer's usual looks.
const EVERY: Duration = Duration::from_secs(5);

/// How long the disk and the store may take together.
const PATIENCE: Duration = Duration::from_secs(5);

/// The file that is written, in the data directory: the audit chains are there, and the embedded
/// store.
const PROBE: &str = "writable.probe";

/// The bytes that are written: as much as a few records take. A smaller file may fit into the last
/// block of a full disk.
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
            let (mut before, mut probe) = (true, WriteProbe::default());
            loop {
                let tried =
                    tokio::time::timeout(PATIENCE, probe.try_out(&data_dir, store.as_ref()));
                let tried = tried
                    .await
                    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                let writable = match tried {
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

/// A write on its way. One that the disk holds up is waited for, and no other is begun beside it.
#[derive(Default)]
struct WriteProbe(Option<JoinHandle<io::Result<()>>>);

impl WriteProbe {
    /// Writes to the data directory, where the audit chains and an embedded store are, and reads
    /// from the store. A server that can be read and not written is not noticed.
    async fn try_out(&mut self, data_dir: &Path, store: &dyn Store) -> io::Result<()> {
        let path = data_dir.join(PROBE);
        let write = self
            .0
            .get_or_insert_with(|| tokio::task::spawn_blocking(move || write(&path)));
        let written = write.await;
        self.0 = None;
        written.map_err(io::Error::other)??;
        let key =
            Key::new(Table::Session, &[b"session"], PROBE.as_bytes()).map_err(io::Error::other)?;
        store
            .get(&Space::Host, &key)
            .await
            .map(drop)
            .map_err(io::Error::other)
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
    use std::time::Duration;

    use tokio::time::timeout;
    use toolhost_store::MemoryStore;

    use super::{PROBE, WriteProbe};

    #[tokio::test]
    async fn a_directory_that_cannot_be_written_is_noticed_and_nothing_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (mut probe, store) = (WriteProbe::default(), Arc::new(MemoryStore::default()));
        probe.try_out(dir.path(), store.as_ref()).await.unwrap();
        assert!(!dir.path().join(PROBE).exists());
        // A device that is always full.
        std::os::unix::fs::symlink("/dev/full", dir.path().join(PROBE)).unwrap();
        let error = probe.try_out(dir.path(), store.as_ref()).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        assert!(!dir.path().join(PROBE).exists());
        let gone = dir.path().join("gone");
        assert!(probe.try_out(&gone, store.as_ref()).await.is_err());
    }

    #[tokio::test]
    async fn a_disk_that_does_not_answer_holds_up_one_write_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let (mut probe, store) = (WriteProbe::default(), Arc::new(MemoryStore::default()));
        // Whoever writes to a pipe waits for a reader.
        let pipe = dir.path().join(PROBE);
        let made = std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap();
        assert!(made.success());
        for _ in 0..3 {
            let tried = timeout(
                Duration::from_millis(20),
                probe.try_out(dir.path(), store.as_ref()),
            );
            assert!(tried.await.is_err());
        }
        // One reader lets one writer go on, which leaves no pipe behind.
        let reader = std::thread::spawn(move || std::fs::read(pipe));
        probe.try_out(dir.path(), store.as_ref()).await.unwrap_err();
        reader.join().unwrap().unwrap();
        probe.try_out(dir.path(), store.as_ref()).await.unwrap();
    }
}
