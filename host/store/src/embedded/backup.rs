use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::SledStore;
use super::backup_file::BackupWriter;
use super::check::SpaceContents;
use super::database::Database;
use super::failure::{DatabaseError, io_failure};
use super::lifecycle::join_result;
use super::store::{SledShared, spaces};
use crate::{Space, Store, StoreError, files};

/// A space in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceBackup {
    /// Which.
    pub space: Space,
    /// Its file.
    pub file: PathBuf,
    /// What is in it.
    pub contents: SpaceContents,
}

/// Where a space's file is in a backup.
pub(super) fn file_of(directory: &Path, space: &Space) -> PathBuf {
    match space.tenant() {
        None => directory.join("host.space"),
        Some(tenant) => directory.join("tenants").join(format!("{tenant}.space")),
    }
}

impl SledStore {
    /// Writes every space into a directory, one file each (0600), while the store is used. Each
    /// file is the space as it was at one moment; the host's is the first, so that it knows no
    /// later version than the tenants' files have. Writes to a space wait while it is its turn, and
    /// so does the destruction of tenants until the end.
    ///
    /// A backup holds the tenants' keys, wrapped: a tenant that is destroyed lives on in it, for
    /// whoever has the master key.
    ///
    /// # Errors
    /// [`StoreError::Exists`]: the directory is not empty. A space that is damaged: nothing is called a backup that is
    /// not one of everything.
    pub async fn backup(&self, directory: &Path) -> Result<Vec<SpaceBackup>, StoreError> {
        let _no_destruction = self.0.destroying.read().await;
        prepare(directory)?;
        let mut backed_up = vec![self.back_up(directory, &Space::Host).await?];
        // Those that the host's file knows are all there, and perhaps some that came later.
        for tenant in spaces(self.tenants().await?) {
            backed_up.push(self.back_up(directory, &Space::Tenant(tenant)).await?);
        }
        Ok(backed_up)
    }

    async fn back_up(&self, directory: &Path, space: &Space) -> Result<SpaceBackup, StoreError> {
        let database = self.0.database(space).await?;
        let path = file_of(directory, space);
        let (shared, source, file) = (self.0.clone(), database.clone(), path.clone());
        let written = tokio::task::spawn_blocking(move || Ok(shared.write_backup(&source, &file)));
        let outcome = join_result(space, written.await)?;
        Ok(SpaceBackup {
            space: space.clone(),
            file: path,
            contents: self.0.condemn_on_damage(&database, outcome)?,
        })
    }
}

fn prepare(directory: &Path) -> Result<(), StoreError> {
    let failed =
        |error: std::io::Error| StoreError::of_io(&directory.display().to_string(), &error);
    let tenants = directory.join("tenants");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(failed)?;
    if std::fs::read_dir(directory)
        .map_err(failed)?
        .next()
        .is_some()
    {
        let directory = directory.display();
        return Err(StoreError::Exists(format!(
            "{directory} is not empty; name a directory for this backup alone"
        )));
    }
    files::make_directory(&tenants).map_err(failed)
}

impl SledShared {
    fn write_backup(
        &self,
        database: &Arc<Database>,
        path: &Path,
    ) -> Result<SpaceContents, DatabaseError> {
        let partial = files::partial(path);
        let failed = |error: std::io::Error| io_failure(path, &error);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)
            .map_err(failed)?;
        let mut writer = BackupWriter::new(path, file);
        let wrapped = self
            .keyring
            .wrapped_key(&database.space)
            .map_err(DatabaseError::Refused)?;
        writer.head(&database.label, &wrapped, database.revision())?;
        let contents = database.verify(|entry_key, value| writer.entry(entry_key, value))?;
        writer.finish(&database.key)?;
        files::rename(&partial, path).map_err(failed)?;
        Ok(contents)
    }
}
