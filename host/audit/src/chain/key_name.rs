//! Which key the chains of a directory are sealed with, so that those of another store are not
//! taken for damaged.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::key::{Mac, Seal};
use super::{Chain, ChainKeys};
use crate::SinkError;

/// Beside the chains. No chain's directory is called so.
const NAME: &str = "key.name";

fn file(root: &Path) -> PathBuf {
    root.join(NAME)
}

/// What stands for the key, and says nothing of it: its seal of no record.
fn name(keys: &dyn ChainKeys) -> Result<Mac, SinkError> {
    Ok(Seal::new(&Chain::Host, keys)?.genesis())
}

/// Refuses chains of another key. A directory of before has no name yet.
pub(super) fn check(root: &Path, keys: &dyn ChainKeys) -> Result<(), SinkError> {
    let found = match std::fs::read(file(root)) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(SinkError::from_io(&error)),
    };
    if Mac::parse(found.trim_ascii()) == Some(name(keys)?) {
        return Ok(());
    }
    Err(SinkError::OtherStore {
        directory: root.display().to_string(),
    })
}

/// Writes the name, where there is none. Only after the host's chain was opened with the key.
pub(super) fn keep(root: &Path, keys: &dyn ChainKeys) -> Result<(), SinkError> {
    if file(root).exists() {
        return Ok(());
    }
    let new = root.join("key.name.new");
    let write = || {
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(format!("{}\n", name_text(keys)?).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, self::file(root))
    };
    write().map_err(|error: io::Error| SinkError::from_io(&error))
}

fn name_text(keys: &dyn ChainKeys) -> io::Result<String> {
    name(keys).map(|mac| mac.text()).map_err(io::Error::other)
}
