use std::io;
use std::path::Path;

use super::EmbeddedSettings;
use super::database::{configure, open_sled};
use super::failure::{DatabaseError, catch_panics, io_failure};
use super::tally::{TALLY, Tally};
use super::watermark::BatchWatermark;
use crate::files;
use crate::keys::SpaceKey;

/// Bytes that are put in at once.
const CHUNK: usize = 1 << 20;

/// Makes a whole database beside its place, and [`place`]s it there.
pub(super) fn build(
    directory: &Path,
    label: &str,
    key: &SpaceKey,
    settings: &EmbeddedSettings,
) -> Result<(), DatabaseError> {
    assemble(directory, label, key, settings, |_| Ok(0))?;
    move_into_place(directory)
}

/// Makes a whole database beside its place: what stands under the name was finished, whenever the
/// process or the machine ended. `fill` puts the entries in and returns the revision.
pub(super) fn assemble(
    directory: &Path,
    label: &str,
    key: &SpaceKey,
    settings: &EmbeddedSettings,
    fill: impl FnOnce(&mut DatabaseBuilder<'_>) -> Result<u64, DatabaseError>,
) -> Result<u64, DatabaseError> {
    let partial = files::partial(directory);
    discard(&partial).map_err(|error| io_failure(&partial, &error))?;
    files::make_directory(&partial).map_err(|error| io_failure(&partial, &error))?;
    let records = catch_panics(|| {
        let db = open_sled(&configure(&partial, settings))?;
        let mut filling = DatabaseBuilder {
            db: &db,
            key,
            tally: Tally::default(),
            batch: sled::Batch::default(),
            bytes: 0,
        };
        let revision = fill(&mut filling)?;
        let DatabaseBuilder {
            mut tally,
            mut batch,
            ..
        } = filling;
        tally.revision = revision;
        batch.insert(TALLY, tally.seal(key, label)?);
        db.apply_batch(batch)?;
        db.flush()?;
        BatchWatermark::create(&partial, key, label, tally.batch)?;
        Ok(tally.records)
    })?;
    sync_tree(&partial).map_err(|error| io_failure(&partial, &error))?;
    Ok(records)
}

/// Puts what was assembled in its place, where nothing is.
pub(super) fn move_into_place(directory: &Path) -> Result<(), DatabaseError> {
    let partial = files::partial(directory);
    files::rename(&partial, directory).map_err(|error| io_failure(directory, &error))
}

/// A database that is being assembled.
pub(super) struct DatabaseBuilder<'a> {
    db: &'a sled::Db,
    key: &'a SpaceKey,
    pub(super) tally: Tally,
    batch: sled::Batch,
    bytes: usize,
}

impl DatabaseBuilder<'_> {
    pub(super) fn put(&mut self, entry_key: Vec<u8>, value: Vec<u8>) -> Result<(), DatabaseError> {
        let counted = self.tally.count(self.key, &entry_key, &value);
        counted.ok_or_else(super::read::foreign_entry_error)?;
        self.bytes += entry_key.len() + value.len();
        self.batch.insert(entry_key, value);
        if self.bytes > CHUNK {
            self.db.apply_batch(std::mem::take(&mut self.batch))?;
            self.bytes = 0;
        }
        Ok(())
    }
}

/// Removes what an unfinished making left.
pub(super) fn discard(directory: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Makes everything in a directory last.
fn sync_tree(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            std::fs::File::open(entry.path())?.sync_all()?;
        }
    }
    files::sync_directory(directory)
}
