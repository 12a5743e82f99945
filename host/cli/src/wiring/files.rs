//! Plugin files: each is read once, so that what is hashed, shown, compiled and run is the same.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use toolhost_policy::{Limits, Manifest};
use toolhost_sandbox::inspect;

use crate::digest_files::read_at_most;
use crate::exit::CliError;

/// A plugin's file, whole.
#[derive(Debug)]
pub(crate) struct PluginFile {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: String,
    pub(crate) manifest: Manifest,
}

/// Reads a plugin's file, or an adapter's.
///
/// # Errors
/// It cannot be read, or is not what it is to be.
pub(crate) fn plugin_file(
    path: &Path,
    limits: &Limits,
    is_adapter: bool,
) -> Result<PluginFile, CliError> {
    if is_pipe(path) {
        return Err(CliError::usage(format!("{}: it is a pipe", path.display())));
    }
    let bytes = read_capped(path, limits.component_bytes)?;
    let found = inspect(&bytes, limits);
    let refuse = |why: &str| CliError::plugin(format!("{}: {why}", path.display()));
    if !found.obstacles.is_empty() {
        return Err(refuse(&found.obstacles.join("; ")));
    }
    if found.is_adapter != is_adapter {
        return Err(refuse(if is_adapter {
            "it is not an adapter: it exports tools of its own; serve it with --plugin or [plugins.NAME]"
        } else {
            "it is an adapter, which serves connections: name it in [adapters.NAME], and set adapter of [connections.NAME]"
        }));
    }
    match found.manifest {
        Ok(Some(manifest)) => Ok(PluginFile {
            path: path.to_owned(),
            bytes,
            digest: found.digest.to_string(),
            manifest,
        }),
        Ok(None) => Err(refuse(
            "it carries no manifest; put one in with host build --manifest",
        )),
        Err(error) => Err(refuse(&error.to_string())),
    }
}

/// Opening a pipe waits for whoever writes to it: the start of all plugins does not.
pub(crate) fn is_pipe(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// Reads a file of at most `most` bytes. It is never read further, however large it is or becomes.
///
/// # Errors
/// It cannot be read, is no file, or is larger.
pub(crate) fn read_capped(path: &Path, most: u64) -> Result<Vec<u8>, CliError> {
    if path.is_dir() {
        return Err(CliError::usage(format!(
            "{}: it is a directory",
            path.display()
        )));
    }
    read_at_most(path, most).map_err(|error| match error.kind() {
        std::io::ErrorKind::FileTooLarge => CliError::plugin(format!(
            "{}: {error}, the most that [limits] component_bytes allows",
            path.display()
        )),
        _ => CliError::usage(format!("{}: {error}", path.display())),
    })
}

#[cfg(test)]
mod tests {
    use super::read_capped;

    #[test]
    fn a_file_is_read_to_its_limit_and_no_further() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        std::fs::write(&path, [0; 10]).unwrap();
        assert_eq!(read_capped(&path, 10).unwrap().len(), 10);
        assert!(
            read_capped(&path, 9)
                .unwrap_err()
                .message
                .contains("component_bytes")
        );
        assert!(read_capped(directory.path(), 9).is_err());
        // It never ends.
        assert!(read_capped(std::path::Path::new("/dev/zero"), 9).is_err());
    }
}
