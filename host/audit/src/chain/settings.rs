use std::time::Duration;

use crate::OnFailure;

/// How chains are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainSettings {
    /// A segment that has reached this many bytes gets no more records. 64 MiB: about 150,000
    /// records, and what a person can still move, search and compress.
    pub segment_bytes: u64,
    /// How many chains are open at once, of two files each. One that is in use is never closed, so
    /// calls at once may take it over that. A call to a tenant whose chain is not open waits for
    /// it, and for the one that makes room: some milliseconds. [`ChainSettings::for_open_files`]
    /// says how many the process can have.
    pub open_chains: usize,
    /// What happens to calls that change nothing while a chain cannot be written.
    pub on_failure: OnFailure,
}

impl Default for ChainSettings {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            open_chains: DEFAULT_OPEN,
            on_failure: OnFailure::Refuse,
        }
    }
}

/// Chains that are open at once where nothing else is said: as many as the store keeps open.
const DEFAULT_OPEN: usize = 256;

/// Chains that are open at once where the process may have few files.
const FEWEST_OPEN: usize = 8;

/// Chains that are open at once at most: of those tenants that call within minutes of each other,
/// which are fewer than there are. Each takes some kilobytes of memory.
const MOST_OPEN: usize = 4_096;

/// Open files of the process for each chain that may be open: two are its own, six are for sockets
/// and databases.
const FILES_A_CHAIN: u64 = 8;

impl ChainSettings {
    /// How many chains may be open at once in a process that may have this many open files.
    #[must_use]
    pub fn for_open_files(files: u64) -> usize {
        let fitting = usize::try_from(files / FILES_A_CHAIN).unwrap_or(usize::MAX);
        fitting.clamp(FEWEST_OPEN, MOST_OPEN)
    }
}

/// How often what is not on the disk is brought there. Half of the second that
/// [`Durability::Grouped`](crate::Durability::Grouped) promises; the other half is for the disk.
pub(super) const SYNC_EVERY: Duration = Duration::from_millis(500);

/// What a sink has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Chains that are open.
    pub open_chains: usize,
    /// How often a chain was opened.
    pub opened: u64,
    /// How often the disk was asked to keep what it was given; a rotation is not counted.
    pub syncs: u64,
}
