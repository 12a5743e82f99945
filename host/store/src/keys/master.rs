use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use toolhost_policy::Secret;
use zeroize::Zeroizing;

use super::cipher::{self, KEY, Subkey};
use super::{KeyFileError, key_wrap};
use crate::{Space, files};

/// Lines that a master key's text has at most: the current one, and those that a rotation has not
/// finished with.
const MAX_LINES: usize = 8;

/// The largest text; ours has 45 bytes a line.
const MAX_FILE: u64 = 4_096;

/// What wraps the spaces' keys: the current secret, and the previous ones while a rotation goes on.
///
/// Its text is one secret of 32 bytes a line in base64, the current one first.
pub struct MasterKey {
    lines: Vec<MasterSecret>,
}

struct MasterSecret {
    secret: Secret,
    wrapping: Subkey,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({} lines)", self.lines.len())
    }
}

impl MasterKey {
    /// Reads a file, or makes it (mode 0600) where there is none. Whether it was made now.
    ///
    /// # Errors
    /// Others can read the file, it belongs to another user or is no master key; it is missing
    /// although the keys in `keys/` beside it were wrapped with one.
    pub fn open_or_create(path: &Path) -> Result<(Self, bool), KeyFileError> {
        match File::open(path) {
            Ok(file) => Ok((Self::from_file(path, file)?, false)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A new master key would lock every space without a word.
                if path.with_file_name("keys").join("host.key").exists() {
                    return Err(KeyFileError::Missing(path.to_owned()));
                }
                let key = Self::of_lines(vec![Secret::new(cipher::random()?.to_vec())])?;
                files::create(path, &key.text()).map_err(KeyFileError::io(path))?;
                Ok((key, true))
            }
            Err(error) => Err(KeyFileError::io(path)(error)),
        }
    }

    /// Reads a file and makes none.
    ///
    /// # Errors
    /// As [`MasterKey::open_or_create`], and there is none.
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let file = File::open(path).map_err(KeyFileError::io(path))?;
        Self::from_file(path, file)
    }

    /// Whether it opens a space's wrapped key.
    pub(crate) fn can_open(&self, space: &Space, wrapped: &[u8]) -> bool {
        key_wrap::unwrap(wrapped, space, self).is_some()
    }

    fn from_file(path: &Path, file: File) -> Result<Self, KeyFileError> {
        // Of the file that was opened, not of its name.
        let metadata = file.metadata().map_err(KeyFileError::io(path))?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(KeyFileError::Foreign(path.to_owned()));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(KeyFileError::Readable(path.to_owned()));
        }
        let text = files::read_bounded(file, MAX_FILE).map_err(KeyFileError::io(path))?;
        Self::from_text(&Secret::new(text))
    }

    /// Reads the text, as it stands in an environment variable.
    ///
    /// # Errors
    /// [`KeyFileError::Form`].
    pub fn from_text(text: &Secret) -> Result<Self, KeyFileError> {
        let text = std::str::from_utf8(text.expose()).map_err(|_| KeyFileError::Form)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut secrets = Vec::new();
        for line in lines {
            let mut bytes = Zeroizing::new([0; KEY + 4]);
            let length = STANDARD.decode_slice(line, bytes.as_mut_slice());
            let bytes = bytes.get(..KEY).filter(|_| length == Ok(KEY));
            secrets.push(Secret::new(bytes.ok_or(KeyFileError::Form)?.to_vec()));
        }
        Self::of_lines(secrets)
    }

    fn of_lines(secrets: Vec<Secret>) -> Result<Self, KeyFileError> {
        if secrets.is_empty() || secrets.len() > MAX_LINES {
            return Err(KeyFileError::Form);
        }
        let line = |secret: Secret| {
            let wrapping =
                Subkey::from_secret(cipher::derive(secret.expose(), &[b"wrap"])?.as_slice())?;
            Ok(MasterSecret { secret, wrapping })
        };
        let lines = secrets.into_iter().map(line).collect::<Result<_, _>>()?;
        Ok(Self { lines })
    }

    fn text(&self) -> Zeroizing<Vec<u8>> {
        let mut text = Zeroizing::new(Vec::with_capacity(self.lines.len() * 64));
        for line in &self.lines {
            let mut encoded = Zeroizing::new([0; 64]);
            let length = STANDARD
                .encode_slice(line.secret.expose(), encoded.as_mut_slice())
                .unwrap_or(0);
            text.extend(encoded.iter().take(length));
            text.push(b'\n');
        }
        text
    }

    /// Begins a rotation: puts a new secret before the others, in the file. Where one was begun and
    /// not finished, it is gone on with. [`super::Keyring::rewrap`] is next, and then
    /// [`MasterKey::finish_rotation`].
    ///
    /// # Errors
    /// As [`MasterKey::open`].
    pub fn begin_rotation(path: &Path) -> Result<Self, KeyFileError> {
        let Self { lines } = Self::open(path)?;
        let mut secrets: Vec<_> = lines.into_iter().map(|line| line.secret).collect();
        if secrets.len() > 1 {
            return Self::of_lines(secrets);
        }
        secrets.insert(0, Secret::new(cipher::random()?.to_vec()));
        let key = Self::of_lines(secrets)?;
        files::replace(path, &key.text()).map_err(KeyFileError::io(path))?;
        Ok(key)
    }

    /// Ends a rotation: leaves the current secret alone in the file. Only after
    /// [`super::Keyring::rewrap`] succeeded, and with the lines put aside where backups that were
    /// made before are to be restored.
    ///
    /// # Errors
    /// As [`MasterKey::open`].
    pub fn finish_rotation(path: &Path) -> Result<Self, KeyFileError> {
        let mut key = Self::open(path)?;
        key.lines.truncate(1);
        files::replace(path, &key.text()).map_err(KeyFileError::io(path))?;
        Ok(key)
    }

    /// Whether a rotation was begun and not finished.
    #[must_use]
    pub fn is_rotating(&self) -> bool {
        self.lines.len() > 1
    }

    pub(super) fn current(&self) -> &Subkey {
        // There is always one: `of_lines` refuses none.
        #[expect(clippy::indexing_slicing, reason = "never empty, see of_lines")]
        &self.lines[0].wrapping
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Subkey> {
        self.lines.iter().map(|line| &line.wrapping)
    }
}
