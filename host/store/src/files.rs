//! Writing that is there after a loss of power, and reading that cannot be made to fill the memory.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Makes a directory that only its owner reaches, where there is none, and makes its name last.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the names in a directory last: a new file is there after a loss of power only when its
/// directory was synced.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes the name of a file or directory last.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    sync_directory(parent.unwrap_or_else(|| Path::new(".")))
}

/// Renames and makes both names last.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)?;
    sync_parent(to)?;
    sync_parent(from)
}

/// Where the next contents of a file are written. No tenant's id has a dot, so it is nobody's file.
pub(crate) fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// Replaces a file whole or not at all (mode 0600).
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = partial(path);
    write_new(&partial, bytes)?;
    rename(&partial, path)
}

/// Writes a file that is not there yet, whole or not at all (mode 0600).
pub(crate) fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = partial(path);
    write_new(&partial, bytes)?;
    // A link, not a rename: it never takes the place of a file that came meanwhile.
    let linked = std::fs::hard_link(&partial, path);
    std::fs::remove_file(&partial)?;
    linked?;
    sync_parent(path)
}

fn write_new(partial: &Path, bytes: &[u8]) -> io::Result<()> {
    // What a crash left is not written over, since others may have opened it.
    if let Err(error) = std::fs::remove_file(partial)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(partial)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The contents of a file of at most so many bytes; a longer one is an error.
pub(crate) fn read_bounded(file: File, most: u64) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    if length > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too long"));
    }
    // Room for all of it at once: a vector that grows leaves copies of what may be secret.
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0).saturating_add(1));
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
