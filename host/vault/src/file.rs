use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use toolhost_policy::Secret;
use zeroize::Zeroizing;

use crate::{MAX_SECRET_FILE_BYTES, SourceProblem};
use toolhost_policy::read_secret;

/// Rights of anybody but the owner.
const OTHERS: u32 = 0o077;

/// A file that changed this shortly before it was read may change again without its times moving
/// on: clocks of file systems tick every few milliseconds, and of some network ones every second or
/// two. Until then it is read each time.
const SETTLED: Duration = Duration::from_secs(2);

/// What tells one state of a file from another. The change time is here because nothing can set it
/// back, and because it moves when the rights change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStamp {
    fn from_metadata(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            mode: metadata.mode(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether an unchanged stamp proves an unchanged file.
    fn is_settled(&self, now: SystemTime) -> bool {
        let changed = Duration::new(
            self.changed.0.max(0) as u64,
            self.changed.1.clamp(0, 999_999_999) as u32,
        );
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        now.checked_sub(changed).is_some_and(|age| age > SETTLED)
    }
}

/// A file with one secret in it.
#[derive(Debug, Clone)]
pub(crate) struct SecretFile {
    path: PathBuf,
}

/// A secret as it was read, and what it takes to know that it still holds.
pub(crate) struct StampedSecret {
    pub(crate) secret: Secret,
    /// `None` where only reading again can tell.
    pub(crate) stamp: Option<FileStamp>,
}

impl SecretFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Whether the file is still in the state that the stamp was taken of. One `stat`.
    pub(crate) fn is_unchanged(&self, stamp: &FileStamp) -> bool {
        std::fs::metadata(&self.path)
            .is_ok_and(|metadata| FileStamp::from_metadata(&metadata) == *stamp)
    }

    /// Reads the file. What is checked is the open file, not the path, so nothing can be exchanged
    /// in between.
    pub(crate) fn read(&self) -> Result<StampedSecret, SourceProblem> {
        let file = open(&self.path)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(SourceProblem::NotAFile);
        }
        if metadata.mode() & OTHERS != 0 {
            return Err(SourceProblem::OpenToOthers);
        }
        if metadata.size() > MAX_SECRET_FILE_BYTES as u64 {
            return Err(SourceProblem::TooLarge);
        }
        let now = SystemTime::now();
        let secret = read_secret(read_capped(file)?.expose())?;
        let stamp = FileStamp::from_metadata(&metadata);
        Ok(StampedSecret {
            secret,
            stamp: stamp.is_settled(now).then_some(stamp),
        })
    }
}

/// Without waiting for a writer where the path turns out to be a pipe, and without taking a
/// terminal.
fn open(path: &Path) -> Result<File, SourceProblem> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits() as i32;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(unreadable)
}

/// All that a reader holds, up to [`MAX_SECRET_FILE_BYTES`], into memory of a fixed size that is
/// zeroed: growing would leave copies behind.
///
/// # Errors
/// It cannot be read, or holds more ([`SourceProblem::TooLarge`]).
pub fn read_capped(mut reader: impl Read) -> Result<Secret, SourceProblem> {
    let mut buffer = Zeroizing::new(vec![0; MAX_SECRET_FILE_BYTES + 1]);
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        match reader.read(room) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    match buffer.get(..filled) {
        Some(bytes) if filled <= MAX_SECRET_FILE_BYTES => Ok(Secret::new(bytes.to_vec())),
        _ => Err(SourceProblem::TooLarge),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: io::Error) -> SourceProblem {
    match error.kind() {
        io::ErrorKind::NotFound => SourceProblem::Missing,
        kind => SourceProblem::Unreadable(kind),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, SystemTime};

    use super::{FileStamp, SecretFile};

    #[test]
    fn a_stamp_proves_nothing_until_the_file_has_settled() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        std::fs::write(&path, "tok_0123456789").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(
            SecretFile::new(path.clone())
                .read()
                .unwrap()
                .stamp
                .is_none()
        );

        let stamp = FileStamp::from_metadata(&std::fs::metadata(&path).unwrap());
        let later = |seconds| SystemTime::now() + Duration::from_secs(seconds);
        assert!(!stamp.is_settled(later(0)) && stamp.is_settled(later(3)));
        assert!(
            !stamp.is_settled(SystemTime::UNIX_EPOCH),
            "a clock that was set back proves nothing"
        );
    }
}
