use std::path::PathBuf;

/// Why a configuration is refused: one sentence with file, line and key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{}: is not UTF-8", path.display())]
    NotText { path: PathBuf },
    /// Anything that has a place in the file.
    #[error("{}, line {line}: {}{why}", path.display(), prefix(key))]
    At {
        path: PathBuf,
        line: usize,
        key: String,
        why: String,
    },
}

fn prefix(key: &str) -> String {
    if key.is_empty() {
        String::new()
    } else {
        format!("{key}: ")
    }
}
