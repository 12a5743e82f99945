use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::head::ChainHead;
use super::key::Seal;
use super::recover::recover;
use super::segment;
use super::writer::ChainWriter;
use super::{Chain, ChainKeys};
use crate::{ChainResumed, Durability, Event, SinkError};

/// A chain that is open for writing.
#[derive(Debug)]
pub(super) struct OpenChain {
    writer: Mutex<ChainWriter>,
    head: Arc<Mutex<ChainHead>>,
    seal: Arc<Seal>,
    /// The number of the last record that was added.
    last: AtomicU64,
    /// The number of the last record that is on the disk.
    synced: AtomicU64,
    is_broken: AtomicBool,
    syncing: Arc<tokio::sync::Mutex<()>>,
    syncs: Arc<AtomicU64>,
}

impl OpenChain {
    /// Opens a chain, or begins it. `refused`: how many records were refused since it was last
    /// written to, of which it then says so.
    pub(super) fn open(
        root: &Path,
        chain: &Chain,
        keys: &dyn ChainKeys,
        segment_bytes: u64,
        refused: u64,
        syncs: Arc<AtomicU64>,
    ) -> Result<Self, SinkError> {
        let seal = Arc::new(Seal::new(chain, keys)?);
        let directory = chain.directory(root);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)
            .map_err(|error| SinkError::from_io(&error))?;
        let label = chain.to_string();
        let head = match ChainHead::open(&directory, &seal, &label)? {
            Some(head) => head,
            None => {
                let segments =
                    segment::list(&directory).map_err(|error| SinkError::from_io(&error))?;
                if !segments.is_empty() {
                    let found = "its head is gone".into();
                    return Err(SinkError::Damaged {
                        chain: label,
                        found,
                    });
                }
                ChainHead::create(&directory, &seal)?;
                let missing = || SinkError::Unwritable("the head of a new chain is gone".into());
                ChainHead::open(&directory, &seal, &label)?.ok_or_else(missing)?
            }
        };
        let mut head = head;
        let recovered = recover(&directory, &seal, head.at())?;
        head.write(&seal, recovered.end)?;
        let (head, end) = (Arc::new(Mutex::new(head)), recovered.end);
        let writer = ChainWriter::new(
            directory,
            Arc::clone(&seal),
            Arc::clone(&head),
            segment_bytes,
            recovered.file,
            end,
        );
        let opened = Self {
            writer: Mutex::new(writer),
            head,
            seal,
            last: AtomicU64::new(end.seq),
            synced: AtomicU64::new(end.seq),
            is_broken: AtomicBool::new(false),
            syncing: Arc::default(),
            syncs,
        };
        if recovered.dropped > 0 || refused > 0 {
            opened.resume(recovered.dropped, refused)?;
        }
        Ok(opened)
    }

    /// The gap is in the chain before anything else is.
    fn resume(&self, dropped_bytes: u64, refused: u64) -> Result<(), SinkError> {
        let event = Event::ChainResumed(ChainResumed {
            dropped_bytes,
            refused,
        });
        let object =
            serde_json::to_vec(&event).map_err(|error| SinkError::Event(error.to_string()))?;
        self.append(&object, event.durability())?;
        self.sync()
    }

    /// Adds a record, as safely as [`Durability::Grouped`] asks, or less for [`Durability::Held`].
    /// Returns its number.
    pub(super) fn append(&self, object: &[u8], durability: Durability) -> Result<u64, SinkError> {
        let mut writer = self.writer()?;
        let appended = writer.append(object, durability == Durability::Held);
        let seq = appended.inspect_err(|_| self.is_broken.store(true, Ordering::Release))?;
        self.last.store(seq, Ordering::Release);
        Ok(seq)
    }

    /// Brings everything to the disk, and blocks until it is there.
    pub(super) fn sync(&self) -> Result<(), SinkError> {
        self.try_sync().inspect_err(|_| {
            self.is_broken.store(true, Ordering::Release);
        })
    }

    fn try_sync(&self) -> Result<(), SinkError> {
        let (file, end) = {
            let mut writer = self.writer()?;
            writer.flush()?;
            (writer.file.clone(), writer.end)
        };
        if let Some(file) = file.filter(|_| end.seq > self.synced.load(Ordering::Acquire)) {
            self.syncs.fetch_add(1, Ordering::Relaxed);
            file.sync_data()
                .map_err(|error| SinkError::from_io(&error))?;
            self.head().write(&self.seal, end)?;
            self.synced.fetch_max(end.seq, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Waits until a record is on the disk. Whoever waits together shares one sync.
    pub(super) async fn wait_synced(self: &Arc<Self>, seq: u64) -> Result<(), SinkError> {
        let turn = Arc::clone(&self.syncing).lock_owned().await;
        if self.synced.load(Ordering::Acquire) >= seq {
            return Ok(());
        }
        let chain = Arc::clone(self);
        // The turn goes along: it is over when the disk has answered, also where nobody waits any
        // more.
        let synced = tokio::task::spawn_blocking(move || {
            let result = chain.sync();
            drop(turn);
            result
        });
        synced
            .await
            .map_err(|error| SinkError::Unwritable(error.to_string()))?
    }

    /// Whether something is not on the disk yet.
    pub(super) fn is_dirty(&self) -> bool {
        self.last.load(Ordering::Acquire) > self.synced.load(Ordering::Acquire)
    }

    /// Whether a write has failed, so that it takes another opening to go on.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Acquire)
    }

    /// Nobody writes through this one any more, whoever still holds it. Returns how many held
    /// records are lost with it.
    pub(super) fn retire(&self) -> u64 {
        self.is_broken.store(true, Ordering::Release);
        let held = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .break_off();
        self.head().close();
        held
    }

    fn writer(&self) -> Result<MutexGuard<'_, ChainWriter>, SinkError> {
        self.writer.lock().map_err(|_| {
            self.is_broken.store(true, Ordering::Release);
            SinkError::Unwritable("an earlier write failed".into())
        })
    }

    fn head(&self) -> MutexGuard<'_, ChainHead> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
