/// How the embedded store uses the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedSettings {
    /// Databases that are open at once. Each takes about 240 KB of memory, up to 256 KB of values
    /// that were read and four file descriptors, and a tenant whose database is not open waits some
    /// 2 ms for it.
    pub handles: usize,
    /// The cache of each open database, in bytes.
    pub cache_bytes: u64,
    /// Entries from which on a database is checked in the background after it was opened: a record
    /// that is there is served, since its seal proves it; all else waits for the check. Of the
    /// host's own, from a thousand on at the latest, and there everything waits.
    pub check_at_once: u64,
}

/// Databases that are open at once where the process may have enough files for them.
const MOST_OPEN: usize = 256;

/// Databases that are open at once in any case: the host's own, and those of a few tenants.
const FEWEST_OPEN: usize = 4;

/// Open files of the process for each database that may be open: four are its own, and the others
/// are for connections, audit chains and outside systems.
const FILES_A_DATABASE: u64 = 32;

impl EmbeddedSettings {
    /// The settings of a process that may have this many open files.
    #[must_use]
    pub fn for_open_files(files: u64) -> Self {
        let fitting = usize::try_from(files / FILES_A_DATABASE).unwrap_or(usize::MAX);
        Self {
            handles: fitting.clamp(FEWEST_OPEN, MOST_OPEN),
            ..Self::default()
        }
    }
}

impl Default for EmbeddedSettings {
    fn default() -> Self {
        Self {
            handles: MOST_OPEN,
            cache_bytes: 1 << 20,
            check_at_once: 20_000,
        }
    }
}
